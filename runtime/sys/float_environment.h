// The floating-point environment in which results are computed.
#pragma once

#include <cfenv>

namespace ggufc::runtime {

// Sets the default floating-point environment, and restores the caller's in the destructor. A program that embeds ggufc
// may flush denormals or use another rounding mode; results must not depend on that.
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
