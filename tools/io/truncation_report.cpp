#include "tools/io/truncation_report.h"

#include <fmt/format.h>

namespace ggufc::tools {

void TruncationReport::Add(std::string_view where, int64_t kept, int64_t dropped) {
  if (dropped == 0) return;
  ++documents_;
  kept_ += kept;
  dropped_ += dropped;
  if (documents_ <= kMaxNamed) {
    warn_(fmt::format("{}: {} of {} tokens kept, {} dropped", where, kept, kept + dropped, dropped));
  }
}

void TruncationReport::Finish() const {
  if (documents_ < 2) return;
  warn_(fmt::format("{} documents truncated: {} of {} tokens kept, {} dropped{}", documents_, kept_,
                    kept_ + dropped_, dropped_,
                    documents_ > kMaxNamed ? fmt::format("; the first {} are named above", kMaxNamed) : ""));
}

}  // namespace ggufc::tools
