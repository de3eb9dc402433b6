// A ggufc that runs beside the test, which reads its output and sends it signals meanwhile.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "run_ggufc.h"

namespace ggufc::testing {

class RunningGgufc {
 public:
  // Standard input is empty, standard output a pipe. `prepare` runs in the child before ggufc starts.
  explicit RunningGgufc(const std::vector<std::string>& arguments, const std::function<void()>& prepare = {});
  ~RunningGgufc();
  RunningGgufc(const RunningGgufc&) = delete;
  RunningGgufc& operator=(const RunningGgufc&) = delete;

  void Signal(int signal) const;
  // Waits until there is something on its standard output, and takes up to `bytes` of it. False at the end.
  bool Read(size_t bytes);
  // Takes what is left of its output, and waits for its end.
  Outcome Wait();
  // Waits for its end without reading.
  Outcome WaitUnread();
  // The reader of its output goes away.
  void CloseOutput();

 private:
  pid_t child_ = -1;
  int out_fd_ = -1;
  std::FILE* err_ = nullptr;
  std::string out_;
};

}  // namespace ggufc::testing
