// Text from input, in messages and as names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ggufc {

// Whether a character is safe to print: not a control character, line separator or character that reorders the text
// around it, and below kInvalidByte (support/utf8.h).
bool IsPrintable(uint32_t code);

// Text from a file for a message: in single quotes, cut after at most 96 bytes of whole characters. Bytes that are not
// UTF-8 and characters that are not printable are written as \xNN.
std::string Quoted(std::string_view text);

// A message or a path as one printable line: escaped like Quoted, of any length and without quotes.
std::string Printable(std::string_view text);

// Names (keys and tensors of a model file, weights and functions of IR text) must be UTF-8 without control characters:
// they are printed unchanged, and no two names may look equal to a reader that stops at a NUL. Returns what is wrong
// with `name`, as in "byte 0xff at 3 is not UTF-8", or an empty string.
std::string NameFault(std::string_view name);

}  // namespace ggufc
