// Errors in input (files, text, flags) are values: Result<T> holds a T or an Error. The message says what is wrong,
// where, and which limit was exceeded. Broken invariants are CHECKs (check.h).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace ggufc {

// The kind of an error, for callers that tell errors apart: the status codes of the C interface (runtime/api/ggufc.h).
// Most errors never reach that interface and keep the default, kInvalid.
enum class ErrorKind : uint8_t {
  kInvalid,         // a wrong argument or wrong input
  kIo,              // the system could not read or write
  kBadFile,         // a file that is damaged or of the wrong kind
  kMismatch,        // two files or versions that do not belong together
  kUnsupportedCpu,  // this machine cannot run it
  kOutOfMemory,
  kTooLong,    // more tokens than the limit
  kNotFinite,  // an infinity or a NaN was computed
  kInternal,   // a bug in ggufc
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

// Prefixes the message of an error with "context: ".
template <typename T>
[[nodiscard]] Result<T> WithContext(std::string_view context, Result<T> result) {
  if (!result) return Err(result.error().kind, "{}: {}", context, result.error().message);
  return result;
}

// Sets the kind of an error whose kind is still kInvalid.
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
