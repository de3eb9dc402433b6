// Errors that come from outside (files, text, flags) are values: Result<T> holds a T or an Error whose message
// names the thing that is wrong, where, and the limit it broke. Broken invariants are CHECKs (check.h).
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace ggufc {

struct Error {
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

// Err("{}: header: version {} (2 and 3 are known)", path, version)
template <typename... Args>
[[nodiscard]] tl::unexpected<Error> Err(fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{fmt::format(format, std::forward<Args>(args)...)});
}

// Puts "context: " before the message of an error on its way up.
template <typename T>
[[nodiscard]] Result<T> WithContext(std::string_view context, Result<T> result) {
  if (!result) return Err("{}: {}", context, result.error().message);
  return result;
}

}  // namespace ggufc

#define GGUFC_CONCAT_INNER(a, b) a##b
#define GGUFC_CONCAT(a, b) GGUFC_CONCAT_INNER(a, b)

// ASSIGN_OR_RETURN(auto file, Open(path));  RETURN_IF_ERROR(Check(file));
#define GGUFC_ASSIGN_OR_RETURN(tmp, decl, expr)                            \
  auto tmp = (expr);                                                       \
  if (!tmp) return ::tl::unexpected<::ggufc::Error>(std::move(tmp.error())); \
  decl = std::move(*tmp)
#define ASSIGN_OR_RETURN(decl, ...) GGUFC_ASSIGN_OR_RETURN(GGUFC_CONCAT(result_, __COUNTER__), decl, (__VA_ARGS__))
#define RETURN_IF_ERROR(...)                                                                \
  do {                                                                                      \
    if (auto status_ = (__VA_ARGS__); !status_)                                             \
      return ::tl::unexpected<::ggufc::Error>(std::move(status_.error()));                  \
  } while (false)
