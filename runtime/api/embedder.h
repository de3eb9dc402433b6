// A model that is ready to run, wherever its code and weights came from: texts or token ids in, vectors out. What the
// C interface (ggufc.h) calls a ggufc_model.
//
// Batches are worked through in pieces of about ExecutorOptions::chunk_tokens tokens: texts are tokenized in the
// caller's thread until a piece is full, then the piece runs. So memory does not grow with the batch, and callers in
// other threads get their turns in between.
//
// What is wrong with one text (or sequence) alone costs the call or, if the caller wants the others, only that item's
// vector (EmbedOutput::on_item_error): it is empty, too long, its title has no place in the prompt, an id is not in the
// vocabulary, its embedding is not finite. Everything else is an error of the call: an unknown prompt, a damaged table,
// no memory. Errors of the call name the item, if there is one, by its index in the batch; their kind is what the C
// interface returns. After an error the vectors of the items before EmbedOutput::done are good, the others unspecified,
// and the embedder is as usable as before. May be used in a child after fork, see executor.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/exec/executor.h"
#include "runtime/exec/program.h"
#include "runtime/store/image_format.h"
#include "runtime/store/model_card.h"
#include "runtime/text/text_encoder.h"
#include "runtime/text/tokenizer.h"
#include "support/result.h"

namespace ggufc::runtime {

struct EmbedderParts {
  ModelCard info = {};
  FingerprintBytes fingerprint = {};
  std::string target = {};                          // whose code it is
  std::shared_ptr<const Tokenizer> tokenizer = {};  // may be null: then only token ids can be embedded
  Program program = {};
  std::vector<KernelFn> kernels = {};
  std::span<const uint8_t> weights = {};  // from a multiple of 64 on
  std::span<const uint8_t> tables = {};   // what arguments of kind kFile point into
  std::vector<GoldenVector> golden = {};
  // Before rows of `tables` are read: whether they are what they should be. May be empty. Called at once from several
  // threads.
  std::function<Status(int64_t offset, int64_t bytes)> check_tables = {};
  // Whether all that the weights came from is undamaged. May be empty.
  std::function<Status()> check_all = {};
  std::shared_ptr<void> keep_alive = {};  // owns what the spans, kernels and functions above refer to
};

// Whether they are of one model. `tokenizer` may be null.
Status CheckTogether(const ModelCard& info, const Program& program, const Tokenizer* tokenizer);

// Where the vectors go. Vector i starts at vectors + i * stride, stride >= dims() floats; the arrays of token counts
// have one entry for each vector, or are null.
struct EmbedOutput {
  float* vectors = nullptr;
  size_t stride = 0;
  int64_t* tokens_kept = nullptr;     // what the vector was computed from
  int64_t* tokens_dropped = nullptr;  // what truncation took

  // Set: bad items are skipped. It is called once for each, in any order, in the calling thread and without a lock; the
  // message does not name the item. Its vector is all zeros and its token counts are 0. All others have the bits that
  // they have without it.
  std::function<void(size_t index, const Error& error)> on_item_error = {};
  // Set: becomes the number of items, from the first one on, whose vectors are written or that were reported. Kept up to
  // date as the call goes on, so that it holds after an error and an exception; the caller sets it to 0 before.
  size_t* done = nullptr;
};

class Embedder {
 public:
  // Refuses parts that do not belong together.
  static Result<std::unique_ptr<Embedder>> Create(EmbedderParts parts, const ExecutorOptions& options);

  // The vector of text_at(i), for each i in [0, count). `text_at` is asked in rising order, once for each text, and
  // what it returns is used until it is asked again. Unless bad texts are skipped, the first one is the error of the
  // call, and all before it have their vectors.
  Status EmbedTexts(size_t count, const std::function<Text(size_t)>& text_at, const EmbedOptions& options,
                    const EmbedOutput& output);

  // As Executor::Run, but the rows of the table are checked first. What all others end in.
  Status Run(std::span<const int32_t> ids, std::span<const int32_t> lengths, float* out,
             std::vector<BadSequence>* not_finite = nullptr);

  // As EmbedTexts for token ids, taken as they are. `ids`: all sequences, one after another; `lengths`: ids of each,
  // at least 1. Lengths that do not add up to the ids are an error of the call.
  Status EmbedIds(std::span<const int32_t> ids, std::span<const size_t> lengths, bool truncate,
                  const EmbedOutput& output);

  const TextEncoder& encoder() const { return encoder_; }  // what the two go by

  // Checks all that the weights came from, computes the golden vectors and compares their bits. Returns how many
  // vectors there are. The error says what differs.
  Result<size_t> Verify();

  size_t dims() const { return static_cast<size_t>(parts_.info.dims); }
  size_t context_length() const { return static_cast<size_t>(parts_.info.context_length); }
  size_t vocab() const { return static_cast<size_t>(parts_.info.vocab); }
  const std::string& target() const { return parts_.target; }
  const std::string& fingerprint() const { return fingerprint_text_; }
  const ModelCard& info() const { return parts_.info; }
  Executor& executor() { return *executor_; }
  const Executor& executor() const { return *executor_; }

 private:
  class Batch;
  explicit Embedder(EmbedderParts parts);
  Status CheckRows(std::span<const int32_t> ids) const;
  Result<const Tokenizer*> GetTokenizer() const;
  Status VerifyOne(const GoldenVector& golden);

  EmbedderParts parts_;  // without program and kernels, which the executor has
  const TextEncoder encoder_;
  const std::string fingerprint_text_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace ggufc::runtime
