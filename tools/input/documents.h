// The texts and token lists that a command works on, one after another: from its arguments, or from a file of
// which one line at a time is in memory.
//
// A file whose name ends in .txt has a text on each line (LF or CRLF). Any other file, and standard input,
// has a JSON object on each line, with a `text` (a string) or `ids` (token ids); its other keys are kept,
// except those that the output has a use for: index, tokens, dropped, embedding, error. A byte order mark is skipped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "support/result.h"

namespace ggufc::tools {

inline constexpr size_t kMaxLineBytes = size_t{64} << 20;

struct Document {
  std::string where;  // for messages: "text 3", "in.jsonl: line 7"
  bool has_text = false;
  std::string text;
  std::vector<int32_t> ids;
  std::string kept;  // the other keys: `"key":value,"key":value` in JSON
  // What is wrong with this document, apart from `where`; then it has neither text nor ids, and `kept` what could be read.
  Status status = {};
};

class DocumentSource {
 public:
  virtual ~DocumentSource() = default;
  // False at the end. A document that is wrong says so itself, and the next one may be asked for; an error is that
  // nothing more can be read, and names the file.
  virtual Result<bool> Next(Document& document) = 0;
};

// The texts, then the lists of ids.
std::unique_ptr<DocumentSource> DocumentsOf(std::vector<std::string> texts,
                                            std::vector<std::vector<int32_t>> ids);
// "-" is standard input.
Result<std::unique_ptr<DocumentSource>> OpenDocuments(const std::string& path);

}  // namespace ggufc::tools
