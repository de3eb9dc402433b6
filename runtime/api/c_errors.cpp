// Errors as the C interface gives them: statuses, their names, and messages.
#include <algorithm>
#include <exception>
#include <new>

#include "runtime/api/c_api.h"
#include "support/text.h"
#include "support/utf8.h"

namespace ggufc::runtime {
namespace {

// Of the thread's last failure. An array, so that keeping a message never needs memory.
thread_local Message last_error = {};

}  // namespace

void CopyMessage(std::string_view text, Message& message) noexcept {
  size_t length = 0;
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text.substr(i));
    if (length + c.bytes >= message.size()) break;
    if (IsPrintable(c.code)) {
      length = static_cast<size_t>(std::copy_n(text.data() + i, c.bytes, message.data() + length) -
                                   message.data());
    } else {
      message[length++] = '?';
    }
    i += c.bytes;
  }
  message[length] = '\0';
}

ggufc_status StatusOf(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kInvalid:
      return GGUFC_INVALID_ARGUMENT;
    case ErrorKind::kIo:
      return GGUFC_IO;
    case ErrorKind::kBadFile:
      return GGUFC_BAD_FILE;
    case ErrorKind::kMismatch:
      return GGUFC_MISMATCH;
    case ErrorKind::kUnsupportedCpu:
      return GGUFC_UNSUPPORTED_CPU;
    case ErrorKind::kOutOfMemory:
      return GGUFC_OUT_OF_MEMORY;
    case ErrorKind::kTooLong:
      return GGUFC_TOO_LONG;
    case ErrorKind::kNotFinite:
      return GGUFC_NOT_FINITE;
    case ErrorKind::kInternal:
      break;
  }
  return GGUFC_INTERNAL;
}

ggufc_status ReportError(const Error& error) noexcept {
  CopyMessage(error.message, last_error);
  return StatusOf(error.kind);
}

ggufc_status ReportException() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    CopyMessage("out of memory", last_error);
    return GGUFC_OUT_OF_MEMORY;
  } catch (const std::exception& exception) {
    CopyMessage(exception.what(), last_error);
  } catch (...) {
    CopyMessage("an unknown exception", last_error);
  }
  return GGUFC_INTERNAL;
}

}  // namespace ggufc::runtime

extern "C" {

const char* ggufc_last_error(void) { return ggufc::runtime::last_error.data(); }

const char* ggufc_status_name(ggufc_status status) {
  switch (status) {
    case GGUFC_OK:
      return "GGUFC_OK";
    case GGUFC_INVALID_ARGUMENT:
      return "GGUFC_INVALID_ARGUMENT";
    case GGUFC_IO:
      return "GGUFC_IO";
    case GGUFC_BAD_FILE:
      return "GGUFC_BAD_FILE";
    case GGUFC_MISMATCH:
      return "GGUFC_MISMATCH";
    case GGUFC_UNSUPPORTED_CPU:
      return "GGUFC_UNSUPPORTED_CPU";
    case GGUFC_OUT_OF_MEMORY:
      return "GGUFC_OUT_OF_MEMORY";
    case GGUFC_TOO_LONG:
      return "GGUFC_TOO_LONG";
    case GGUFC_NOT_FINITE:
      return "GGUFC_NOT_FINITE";
    case GGUFC_INTERNAL:
      return "GGUFC_INTERNAL";
    case GGUFC_SOME_FAILED:
      return "GGUFC_SOME_FAILED";
  }
  return "unknown status";
}

}  // extern "C"
