// Writes embeddings as JSON lines, as a NumPy array or as plain text.
//
//   jsonl   {"index":0,"tokens":11,KEPT,"embedding":[...]}     9 significant digits, which identify a float;
//           "dropped":3 after "tokens" if the document was truncated
//           {"index":0,KEPT,"error":"MESSAGE"}                 a document that has no vector
//   npy     NumPy format 1.0: '<f4', C order, shape (documents, dims); no tokens and no kept keys; a document that has
//           no vector is a row of NaNs
//   text    one line of numbers per vector, 9 significant digits, separated by spaces; NaNs are `nan`
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
  int64_t tokens = 0;     // from which the vector was computed
  int64_t dropped = 0;    // tokens that were truncated
  std::string_view kept;  // Document::kept
};

class VectorWriter {
 public:
  virtual ~VectorWriter() = default;
  // All vectors of one writer have the same number of values, `dims` of MakeVectorWriter.
  virtual Status Write(const EmbeddedDocument& document, std::span<const float> values) = 0;
  // Writes the place of a document that has no vector. `message` may hold any bytes.
  virtual Status WriteError(const EmbeddedDocument& document, std::string_view message) = 0;
  // True if the format has a place for the message.
  virtual bool keeps_errors() const = 0;
  // Writes buffered vectors to the file, if the format allows that.
  virtual Status Flush() = 0;
  // Completes the output. A file appears under its name only now.
  virtual Status Finish() = 0;
};

// `format`: jsonl, npy or text. `path`: as for OutputFile::Create.
Result<std::unique_ptr<VectorWriter>> MakeVectorWriter(std::string_view format, const std::string& path,
                                                       int64_t dims);

}  // namespace ggufc::tools
