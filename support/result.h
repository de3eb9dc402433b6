// Errors that come from outside (files, text, flags) are values: Result<T> holds a T or an Error whose message
// names the thing that is wrong, where, and the limit it broke. Broken invariants are CHECKs (check.h).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace ggufc {

// What an error is about, for callers that have to tell errors apart: the status codes of the C interface
// (runtime/api/ggufc.h) are these. Most errors never get there and stay kInvalid.
enum class ErrorKind : uint8_t {
  kInvalid,         // an argument, or the contents of what was read
  kIo,              // the system could not read or write
  kBadFile,         // a file that is damaged, or not what it is taken for
  kMismatch,        // two things that do not belong together
  kUnsupportedCpu,  // this machine cannot run it
  kOutOfMemory,
  kTooLong,    // more tokens than fit
  kNotFinite,  // an infinity or a NaN was computed
  kInternal,   // a bug of ours
};

struct Error {
  std::string message;
  ErrorKind kind = ErrorKind::kInvalid;
};

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

// Err("{}: header: version {} (2 and 3 are known)", path, version)
template <typename... Args>
[[nodiscard]] tl::unexpected<Error> Err(fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{fmt::format(format, std::forward<Args>(args)...)});
}
template <typename... Args>
[[nodiscard]] tl::unexpected<Error> Err(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{fmt::format(format, std::forward<Args>(args)...), kind});
}

// Puts "context: " before the message of an error on its way up.
template <typename T>
[[nodiscard]] Result<T> WithContext(std::string_view context, Result<T> result) {
  if (!result) return Err(result.error().kind, "{}: {}", context, result.error().message);
  return result;
}

// Says what an error that has no kind yet is about.
template <typename T>
[[nodiscard]] Result<T> WithKind(ErrorKind kind, Result<T> result) {
  if (!result && result.error().kind == ErrorKind::kInvalid) result.error().kind = kind;
  return result;
}

}  // namespace ggufc

#define GGUFC_CONCAT_INNER(a, b) a##b
#define GGUFC_CONCAT(a, b) GGUFC_CONCAT_INNER(a, b)

// ASSIGN_OR_RETURN(auto file, Open(path));  RETURN_IF_ERROR(Check(file));
#define GGUFC_ASSIGN_OR_RETURN(tmp, decl, expr)                              \
  auto tmp = (expr);                                                         \
  if (!tmp) return ::tl::unexpected<::ggufc::Error>(std::move(tmp.error())); \
  decl = std::move(*tmp)
#define ASSIGN_OR_RETURN(decl, ...) \
  GGUFC_ASSIGN_OR_RETURN(GGUFC_CONCAT(result_, __COUNTER__), decl, (__VA_ARGS__))
#define RETURN_IF_ERROR(...)                                               \
  do {                                                                     \
    if (auto status_ = (__VA_ARGS__); !status_)                            \
      return ::tl::unexpected<::ggufc::Error>(std::move(status_.error())); \
  } while (false)
