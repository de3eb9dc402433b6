// Text that comes from outside, in messages and as names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ggufc {

// A character that a terminal shows where it stands: no control character, none that reorders the text around it, no line
// separator, and not kInvalidByte (support/utf8.h) or above.
bool IsPrintable(uint32_t code);

// Text from a file, made safe for a message and a terminal: in single quotes, whole characters up to 96 bytes.
// Bytes that are no UTF-8, control characters, and those that reorder text are written as \xNN.
std::string Quoted(std::string_view text);

// A message or a path, made safe for a terminal and for a line of its own: what Quoted writes as \xNN, at any length and
// without quotes. Text that prints stays as it is.
std::string Printable(std::string_view text);

// Names (keys and tensors of a model file, weights and functions of IR text) are UTF-8 without control characters,
// so that they print as they are and no two of them look the same to a reader that stops at a NUL. What is wrong
// with `name`, or nothing: "byte 0xff at 3 is not UTF-8".
std::string NameFault(std::string_view name);

}  // namespace ggufc
