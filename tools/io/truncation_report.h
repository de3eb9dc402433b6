// Tells the user which documents lost tokens because they were longer than the model's context: nothing is dropped
// silently, and a million long documents do not give a million lines.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace ggufc::tools {

class TruncationReport {
 public:
  // Documents that get a warning of their own; the others are only counted.
  static constexpr int64_t kMostNamed = 10;

  explicit TruncationReport(std::function<void(std::string_view)> warn) : warn_(std::move(warn)) {}

  // `where` as Document has it. Nothing happens where no token was dropped.
  void Add(std::string_view where, int64_t kept, int64_t dropped);
  // The sum, where it says more than the warnings so far.
  void Finish() const;

  int64_t documents() const { return documents_; }
  int64_t kept() const { return kept_; }  // of these documents
  int64_t dropped() const { return dropped_; }

 private:
  std::function<void(std::string_view)> warn_;
  int64_t documents_ = 0;
  int64_t kept_ = 0;
  int64_t dropped_ = 0;
};

}  // namespace ggufc::tools
