// Embeddings as JSON lines, as a NumPy array or as plain text.
//
//   jsonl   {"index":0,"tokens":11,KEPT,"embedding":[...]}     9 significant digits, which identify a float;
//           "dropped":3 behind "tokens" where a document was truncated
//   npy     NumPy format 1.0: '<f4', C order, shape (documents, dims); no tokens and no kept keys
//   text    a line of numbers a vector, 9 significant digits, spaces between them
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "support/os/output_file.h"
#include "support/result.h"

namespace ggufc::tools {

struct EmbeddedDocument {
  int64_t index = 0;
  int64_t tokens = 0;     // that the vector was computed from
  int64_t dropped = 0;    // tokens that were cut off before
  std::string_view kept;  // Document::kept
};

class VectorWriter {
 public:
  virtual ~VectorWriter() = default;
  // All vectors of one writer have the same number of values, `dims` of MakeVectorWriter.
  virtual Status Write(const EmbeddedDocument& document, std::span<const float> values) = 0;
  // What has been written so far reaches the file, where the format allows that.
  virtual Status Flush() = 0;
  // Nothing appears under a file's name before this.
  virtual Status Finish() = 0;
};

// `format`: jsonl, npy or text. `path` as OutputFile::Create takes it.
Result<std::unique_ptr<VectorWriter>> MakeVectorWriter(std::string_view format, const std::string& path,
                                                       int64_t dims);

}  // namespace ggufc::tools
