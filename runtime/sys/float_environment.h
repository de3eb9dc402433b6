// The float environment that results are computed in.
#pragma once

#include <cfenv>

namespace ggufc::runtime {

// A program that embeds us may run with flushed denormals or another rounding mode; what is computed must not depend on
// it, and the program gets it back.
class DefaultFloatEnvironment {
 public:
  DefaultFloatEnvironment() {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatEnvironment() { std::fesetenv(&before_); }
  DefaultFloatEnvironment(const DefaultFloatEnvironment&) = delete;
  DefaultFloatEnvironment& operator=(const DefaultFloatEnvironment&) = delete;

 private:
  std::fenv_t before_ = {};
};

}  // namespace ggufc::runtime
