// What the functions of the C interface are made of, here and in the compiler library: the handle, and the way from
// a C++ error or exception to a status and a message.
#pragma once

#include <pthread.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

#include "runtime/api/embedder.h"
#include "runtime/api/ggufc.h"
#include "runtime/sys/float_environment.h"
#include "support/result.h"

struct ggufc_model {
  std::unique_ptr<ggufc::runtime::Embedder> embedder;
};

namespace ggufc::runtime {

// Cancelling a thread unwinds its stack, which would end in std::terminate at a noexcept function.
class NoCancellation {
 public:
  NoCancellation() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~NoCancellation() { pthread_setcancelstate(before_, nullptr); }
  NoCancellation(const NoCancellation&) = delete;
  NoCancellation& operator=(const NoCancellation&) = delete;

 private:
  int before_ = 0;
};

// One line of UTF-8 that ends in NUL, cut to fit: what callers pass in comes back in messages, and may be anything.
using Message = std::array<char, 4096>;
void CopyMessage(std::string_view text, Message& message) noexcept;

ggufc_status StatusOf(ErrorKind kind) noexcept;

// Keep the text for ggufc_last_error and return the status; the second is for use in a catch (...).
ggufc_status ReportError(const Error& error) noexcept;
ggufc_status ReportException() noexcept;

// Runs the body of an interface function, which returns a Status: its error becomes the thread's last error, an
// exception GGUFC_OUT_OF_MEMORY or GGUFC_INTERNAL. Whatever is computed, packed weights and rope tables too, is computed
// in the default float environment.
template <typename Body>
ggufc_status Guard(const Body& body) noexcept {
  const NoCancellation no_cancellation;
  const DefaultFloatEnvironment environment;
  try {
    const Status status = body();
    return status ? GGUFC_OK : ReportError(status.error());
  } catch (...) {
    return ReportException();
  }
}

// `T` starts with size_t size. Fields beyond the caller's size are zero; what the caller has beyond `T` must be.
// `name` of the struct, for errors. Null: all zero.
template <typename T>
Result<T> ReadOptions(const T* options, std::string_view name);

// The struct's first `size` bytes into `own` bytes at `out`, by the rules above.
Status ReadSizedStruct(const void* options, std::string_view name, void* out, size_t own);

// Executor options from those of the interface, defaults filled in. Refuses unknown flags.
Result<ExecutorOptions> ReadExecutorOptions(const ggufc_options& options);

template <typename T>
Result<T> ReadOptions(const T* options, std::string_view name) {
  T own = {};
  if (options != nullptr) RETURN_IF_ERROR(ReadSizedStruct(options, name, &own, sizeof(T)));
  return own;
}

}  // namespace ggufc::runtime
