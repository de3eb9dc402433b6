// A document as a JSON object on one line.
#pragma once

#include <string>

#include "support/result.h"
#include "tools/input/documents.h"

namespace ggufc::tools {

// Deeper values, and more keys of the object itself, are refused.
inline constexpr int kMaxJsonDepth = 256;
inline constexpr size_t kMaxJsonKeys = 1024;

// Fills `text` or `ids`, and `kept`: the other keys as the line spells them, but for white space and escapes in strings.
// Reads the line once and builds nothing from it but the document: memory is a small multiple of the line. The
// error says what is wrong, not where; text and ids are empty then, and so is `kept` unless the line is a JSON object
// whose only fault is its text or ids. A key that stands there twice is an error.
Status ParseDocument(const std::string& line, Document& document);

}  // namespace ggufc::tools
