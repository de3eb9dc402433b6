#include "support/check.h"

#include <cstdio>
#include <cstdlib>

namespace ggufc {

void CheckFailed(const char* file, int line, const char* condition, const std::string& message) {
  fmt::print(stderr, "{}:{}: internal error: CHECK({}) failed{}{}\n", file, line, condition,
             message.empty() ? "" : ": ", message);
  std::abort();
}

}  // namespace ggufc
