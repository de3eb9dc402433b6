// Documents in, vectors out, a bounded number of documents at a time: what `ggufc embed` and programs that were compiled
// ahead of time do.
//
// A document that is wrong (not JSON, empty, too long, an id outside the vocabulary, an embedding that is not finite)
// ends the work, or, with --on-error skip, is written as an error in its place (vector_writer.h). Before the work ends for
// whatever reason, the documents before that point are written whole, unless the output is a file, which appears only when
// it is complete.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/api/embedder.h"
#include "runtime/text/text_encoder.h"
#include "support/result.h"
#include "tools/input/input_flags.h"
#include "tools/io/console.h"
#include "tools/io/truncation_report.h"

namespace ggufc::tools {

// The end of --help of the programs that embed: formats, and what becomes of wrong documents.
extern const char* const kEmbedFormats;

struct EmbedTotals {
  int64_t documents = 0;
  int64_t failed = 0;  // of these
  int64_t tokens = 0;
  double encode = 0;  // seconds: reading and tokenizing
  double run = 0;
};

class DocumentEmbedder {
 public:
  // The flags have passed Check. They and what the encoder refers to must outlive this. `model` stands before messages
  // about the model, `program` before all; both may be empty or shared with the caller's.
  DocumentEmbedder(std::unique_ptr<DocumentSource> source, runtime::TextEncoder encoder,
                   const InputFlags& input, const OutputFlags& output, std::string_view model,
                   std::string_view program);

  // Reads the first documents. Needs no embedder, so that most mistakes show before the work of compiling. An error
  // where there is nothing to write.
  Status Start();
  // After Start: everything else. Errors are those of the input, the model and the output.
  Status Run(runtime::Embedder& embedder);
  // After Run: an error where documents were skipped, with their number.
  Status Outcome() const;

  const EmbedTotals& totals() const { return totals_; }
  const TruncationReport& truncated() const { return truncated_; }

 private:
  struct Item {
    std::string where;  // of Document
    std::string kept;
    int64_t tokens = 0;
    int64_t dropped = 0;
    std::optional<Error> error = {};  // names the document
  };
  struct Batch {
    std::vector<Item> items;
    std::vector<size_t> good;  // items that have ids
    std::vector<int32_t> ids;
    std::vector<size_t> lengths;
  };

  void Read();
  bool ReadOne();
  Status Compute(runtime::Embedder& embedder);
  Status Write(VectorWriter& writer, size_t dims);

  const std::unique_ptr<DocumentSource> source_;
  const runtime::TextEncoder encoder_;
  const OutputFlags& output_;
  runtime::EmbedOptions options_;
  const std::string_view title_, model_, program_;
  const bool to_file_;  // that appears when it is complete
  Progress progress_;
  TruncationReport truncated_;
  EmbedTotals totals_;
  Batch batch_;
  std::optional<Error> stop_;   // what ended the reading, after what batch_ has
  std::vector<float> vectors_;  // of the items in batch_.good
};

}  // namespace ggufc::tools
