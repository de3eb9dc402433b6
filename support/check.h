// CHECK(condition, "format", args...): a broken internal invariant ends the process with file, line and message.
// Input never reaches a CHECK: errors in files, texts and flags are Results (result.h).
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace ggufc {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const std::string& message);

template <typename... Args>
std::string CheckMessage(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}
inline std::string CheckMessage() { return {}; }

}  // namespace ggufc

#define CHECK(condition, ...)   \
  (static_cast<bool>(condition) \
       ? static_cast<void>(0)   \
       : ::ggufc::CheckFailed(__FILE__, __LINE__, #condition, ::ggufc::CheckMessage(__VA_ARGS__)))
