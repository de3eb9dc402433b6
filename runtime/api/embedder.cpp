#include "runtime/api/embedder.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "runtime/text/prompts.h"

namespace ggufc::runtime {
namespace {

constexpr size_t kWeightsAlign = 64;  // what generated code assumes

Status CheckSame(std::string_view what, int64_t program, int64_t model) {
  if (program == model) return {};
  return Err(ErrorKind::kMismatch, "{}: the program has {}, the model {}", what, program, model);
}

Status CheckParts(const EmbedderParts& parts) {
  const auto table_bytes = static_cast<int64_t>(parts.tables.size());
  RETURN_IF_ERROR(WithKind(ErrorKind::kBadFile, CheckTableFits(parts.info, table_bytes)));
  RETURN_IF_ERROR(CheckTogether(parts.info, parts.program, parts.tokenizer.get()));
  if (reinterpret_cast<uintptr_t>(parts.weights.data()) % kWeightsAlign != 0) {
    return Err(ErrorKind::kBadFile, "the packed weights do not lie at a multiple of {} bytes", kWeightsAlign);
  }
  return {};
}

}  // namespace

Status CheckTogether(const ModelCard& info, const Program& program, const Tokenizer* tokenizer) {
  RETURN_IF_ERROR(CheckSame("dims", program.dims, info.dims));
  RETURN_IF_ERROR(CheckSame("vocabulary", program.vocab, info.vocab));
  RETURN_IF_ERROR(CheckSame("context length", program.context_length, info.context_length));
  // Kernels read rows by a stride of their own; what is hashed goes by the model's.
  RETURN_IF_ERROR(CheckSame("start of the embedding table",
                            program.file_bytes - info.vocab * info.table_row_bytes, info.table_offset));
  if (tokenizer == nullptr || static_cast<int64_t>(tokenizer->size()) == info.vocab) return {};
  return Err(ErrorKind::kMismatch, "vocabulary: the tokenizer has {} tokens, the model {}", tokenizer->size(),
             info.vocab);
}

// Gathers sequences and runs them when another one would not fit: pieces are the chunks that the executor would cut.
class Embedder::Batch {
 public:
  Batch(Embedder& embedder, std::string_view noun, const EmbedOutput& output)
      : embedder_(embedder), noun_(noun), output_(output) {
    piece_tokens_ = static_cast<size_t>(embedder.executor_->chunk_tokens());
  }

  // The tokens of an item, or why it has none. Items come in rising order.
  Status Add(size_t index, const Result<int64_t>& dropped, std::span<const int32_t> ids) {
    if (!dropped) return Fail(index, dropped.error());
    if (!lengths_.empty() && ids_.size() + ids.size() > piece_tokens_) RETURN_IF_ERROR(Flush());
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    lengths_.push_back(static_cast<int32_t>(ids.size()));
    indices_.push_back(index);
    SetTokens(index, static_cast<int64_t>(ids.size()), *dropped);
    return {};
  }

  // Runs what has been gathered.
  Status Flush() {
    if (lengths_.empty()) return {};
    const size_t dims = embedder_.dims(), count = lengths_.size(), first = indices_.front();
    const size_t end = indices_.back() + 1;
    const bool dense = count == 1 || (output_.stride == dims && end - first == count);
    if (!dense) gathered_.resize(count * dims);
    std::vector<BadSequence> not_finite;
    RETURN_IF_ERROR(embedder_.Run(ids_, lengths_, dense ? VectorOf(first) : gathered_.data(), &not_finite));
    for (size_t i = 0; !dense && i < count; ++i) {
      std::copy_n(gathered_.begin() + static_cast<ptrdiff_t>(i * dims), dims, VectorOf(indices_[i]));
    }
    const std::vector<size_t> indices = std::exchange(indices_, {});
    ids_.clear();
    lengths_.clear();
    for (const BadSequence& bad : not_finite) RETURN_IF_ERROR(Fail(indices[bad.index], bad.error));
    SetDone(end);
    return {};
  }

 private:
  // Reports the item or, where that is not asked for, makes its error that of the call.
  Status Fail(size_t index, const Error& error) {
    if (!output_.on_item_error) {
      RETURN_IF_ERROR(Flush());
      SetDone(index);
      return Err(error.kind, "{} {}: {}", noun_, index, error.message);
    }
    std::fill_n(VectorOf(index), embedder_.dims(), 0.0f);
    SetTokens(index, 0, 0);
    output_.on_item_error(index, error);
    return {};
  }

  float* VectorOf(size_t index) const { return output_.vectors + index * output_.stride; }
  void SetTokens(size_t index, int64_t kept, int64_t dropped) const {
    if (output_.tokens_kept != nullptr) output_.tokens_kept[index] = kept;
    if (output_.tokens_dropped != nullptr) output_.tokens_dropped[index] = dropped;
  }
  void SetDone(size_t items) const {
    if (output_.done != nullptr) *output_.done = items;
  }

  Embedder& embedder_;
  const std::string_view noun_;
  const EmbedOutput& output_;
  size_t piece_tokens_;
  std::vector<int32_t> ids_, lengths_;
  std::vector<size_t> indices_;  // of what is gathered, in the whole batch
  std::vector<float> gathered_;
};

Embedder::Embedder(EmbedderParts parts)
    : parts_(std::move(parts)),
      encoder_([this] { return GetTokenizer(); }, {parts_.info.vocab, parts_.info.context_length}),
      fingerprint_text_(FingerprintText(parts_.fingerprint)) {}

Result<std::unique_ptr<Embedder>> Embedder::Create(EmbedderParts parts, const ExecutorOptions& options) {
  RETURN_IF_ERROR(CheckParts(parts));
  std::unique_ptr<Embedder> embedder(new Embedder(std::move(parts)));
  EmbedderParts& own = embedder->parts_;
  ASSIGN_OR_RETURN(embedder->executor_, Executor::Create(std::move(own.program), std::move(own.kernels),
                                                         own.weights, own.tables, options));
  return embedder;
}

Status Embedder::EmbedTexts(size_t count, const std::function<Text(size_t)>& text_at,
                            const EmbedOptions& options, const EmbedOutput& output) {
  // Errors of the call, not of its first text. An unknown prompt is one also where there is no text.
  if (!options.prompt.empty()) RETURN_IF_ERROR(FindPrompt(options.prompt).map([](auto&&) {}));
  if (count > 0) RETURN_IF_ERROR(GetTokenizer().map([](auto&&) {}));
  Batch batch(*this, "text", output);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < count; ++i) {
    const Result<int64_t> dropped = encoder_.Encode(text_at(i), options, ids);
    RETURN_IF_ERROR(batch.Add(i, dropped, ids));
  }
  return batch.Flush();
}

Status Embedder::EmbedIds(std::span<const int32_t> ids, std::span<const size_t> lengths, bool truncate,
                          const EmbedOutput& output) {
  Batch batch(*this, "sequence", output);
  std::vector<int32_t> sequence;
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] > ids.size()) {
      return Err("sequence {}: {} ids, but {} are left", i, lengths[i], ids.size());
    }
    const Result<int64_t> dropped = encoder_.Take(ids.first(lengths[i]), truncate, sequence);
    RETURN_IF_ERROR(batch.Add(i, dropped, sequence));
    ids = ids.subspan(lengths[i]);
  }
  if (!ids.empty()) return Err("{} ids are left behind the last sequence", ids.size());
  return batch.Flush();
}

Result<const Tokenizer*> Embedder::GetTokenizer() const {
  if (!parts_.tokenizer) return Err("the model has no tokenizer: it takes token ids only");
  return parts_.tokenizer.get();
}

Status Embedder::Run(std::span<const int32_t> ids, std::span<const int32_t> lengths, float* out,
                     std::vector<BadSequence>* not_finite) {
  RETURN_IF_ERROR(CheckRows(ids));
  return executor_->Run(ids, lengths, out, not_finite);
}

// Ids outside the vocabulary are found by the executor, which says of which sequence they are.
Status Embedder::CheckRows(std::span<const int32_t> ids) const {
  if (!parts_.check_tables) return {};
  const int64_t row = parts_.info.table_row_bytes;
  for (const int32_t id : ids) {
    if (id < 0 || id >= parts_.info.vocab) continue;
    RETURN_IF_ERROR(
        WithKind(ErrorKind::kBadFile, parts_.check_tables(parts_.info.table_offset + id * row, row)));
  }
  return {};
}

Result<size_t> Embedder::Verify() {
  if (parts_.check_all) RETURN_IF_ERROR(WithKind(ErrorKind::kBadFile, parts_.check_all()));
  for (size_t i = 0; i < parts_.golden.size(); ++i) {
    RETURN_IF_ERROR(WithContext(fmt::format("golden vector {}", i), VerifyOne(parts_.golden[i])));
  }
  return parts_.golden.size();
}

Status Embedder::VerifyOne(const GoldenVector& golden) {
  std::vector<float> vector(dims());
  const size_t length = golden.ids.size();
  RETURN_IF_ERROR(EmbedIds(golden.ids, std::span(&length, 1), false, {vector.data(), vector.size()}));
  if (golden.embedding.size() != vector.size()) {
    return Err(ErrorKind::kMismatch, "{} floats stored, {} computed", golden.embedding.size(), vector.size());
  }
  for (size_t i = 0; i < vector.size(); ++i) {
    const auto stored = std::bit_cast<uint32_t>(golden.embedding[i]);
    const auto computed = std::bit_cast<uint32_t>(vector[i]);
    if (stored != computed) {
      return Err(ErrorKind::kMismatch, "component {} is {} (bits {:08x}), stored is {} (bits {:08x})", i,
                 vector[i], computed, golden.embedding[i], stored);
    }
  }
  return {};
}

}  // namespace ggufc::runtime
