// Warns of documents that were truncated to the model's context. The first few get a warning each, the others are
// counted, so that a million long documents do not print a million lines.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace ggufc::tools {

class TruncationReport {
 public:
  // The number of documents that get a warning each.
  static constexpr int64_t kMaxNamed = 10;

  explicit TruncationReport(std::function<void(std::string_view)> warn) : warn_(std::move(warn)) {}

  // `where`: Document::where. Does nothing if no token was dropped.
  void Add(std::string_view where, int64_t kept, int64_t dropped);
  // Warns with the totals, if there were two or more documents.
  void Finish() const;

  int64_t documents() const { return documents_; }
  int64_t kept() const { return kept_; }  // tokens of these documents
  int64_t dropped() const { return dropped_; }

 private:
  std::function<void(std::string_view)> warn_;
  int64_t documents_ = 0;
  int64_t kept_ = 0;
  int64_t dropped_ = 0;
};

}  // namespace ggufc::tools
