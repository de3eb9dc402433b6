#include "runtime/api/embedder.h"

#include <algorithm>
#include <bit>

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
  Batch(Embedder& embedder, std::string_view noun, bool truncate, const EmbedOutput& output)
      : embedder_(embedder), noun_(noun), truncate_(truncate), output_(output) {
    piece_tokens_ = static_cast<size_t>(embedder.executor_->chunk_tokens());
  }

  // A sequence of `before` tokens; of those beyond the context length `ids` need only hold the last. Cuts them off if
  // that is allowed.
  Status Add(std::vector<int32_t>& ids, size_t before) {
    const size_t index = first_ + lengths_.size();
    const size_t limit = embedder_.context_length();
    if (before > limit) {
      if (!truncate_) {
        return Err(ErrorKind::kTooLong, "{} {}: {} tokens (the model takes at most {})", noun_, index, before,
                   limit);
      }
      ASSIGN_OR_RETURN(const Tokenizer* const tokenizer, embedder_.GetTokenizer());
      tokenizer->Truncate(ids, limit);
    }
    if (output_.tokens_kept != nullptr) output_.tokens_kept[index] = static_cast<int64_t>(ids.size());
    if (output_.tokens_dropped != nullptr) {
      output_.tokens_dropped[index] = static_cast<int64_t>(before - ids.size());
    }
    if (!lengths_.empty() && ids_.size() + ids.size() > piece_tokens_) RETURN_IF_ERROR(Flush());
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    lengths_.push_back(static_cast<int32_t>(ids.size()));
    return {};
  }

  // Runs what has been gathered.
  Status Flush() {
    if (lengths_.empty()) return {};
    const size_t dims = embedder_.dims();
    float* const out = output_.vectors + first_ * output_.stride;
    const bool dense = output_.stride == dims || lengths_.size() == 1;
    if (!dense) gathered_.resize(lengths_.size() * dims);
    RETURN_IF_ERROR(embedder_.Run(ids_, lengths_, dense ? out : gathered_.data(), {noun_, first_}));
    for (size_t i = 0; !dense && i < lengths_.size(); ++i) {
      std::copy_n(gathered_.begin() + static_cast<ptrdiff_t>(i * dims), dims, out + i * output_.stride);
    }
    first_ += lengths_.size();
    ids_.clear();
    lengths_.clear();
    return {};
  }

 private:
  Embedder& embedder_;
  const std::string_view noun_;
  const bool truncate_;
  const EmbedOutput& output_;
  size_t piece_tokens_;
  size_t first_ = 0;  // index in the whole batch of the first that is gathered
  std::vector<int32_t> ids_, lengths_;
  std::vector<float> gathered_;
};

Embedder::Embedder(EmbedderParts parts)
    : parts_(std::move(parts)), fingerprint_text_(FingerprintText(parts_.fingerprint)) {}

Result<std::unique_ptr<Embedder>> Embedder::Create(EmbedderParts parts, const ExecutorOptions& options) {
  RETURN_IF_ERROR(CheckParts(parts));
  std::unique_ptr<Embedder> embedder(new Embedder(std::move(parts)));
  EmbedderParts& own = embedder->parts_;
  ASSIGN_OR_RETURN(embedder->executor_, Executor::Create(std::move(own.program), std::move(own.kernels),
                                                         own.weights, own.tables, options));
  return embedder;
}

Result<int64_t> Embedder::Tokenize(const Text& text, const EmbedOptions& options,
                                   std::vector<int32_t>& ids) const {
  std::string prompted;
  std::string_view all = text.text;
  if (!options.prompt.empty()) {
    ASSIGN_OR_RETURN(prompted, ApplyPrompt(options.prompt, text.title, text.text));
    all = prompted;
  } else if (!text.title.empty()) {
    return Err("the title `{}` needs a prompt that takes one", text.title);
  }
  if (all.size() > Tokenizer::kMaxTextBytes) {
    return Err(ErrorKind::kTooLong, "the text has {} bytes (the limit is {})", all.size(),
               Tokenizer::kMaxTextBytes);
  }
  ASSIGN_OR_RETURN(const Tokenizer* const tokenizer, GetTokenizer());
  RETURN_IF_ERROR(tokenizer->Encode(all, ids, {.parse_control = options.parse_control}));
  const size_t before = ids.size();
  if (options.truncate) tokenizer->Truncate(ids, context_length());
  return static_cast<int64_t>(before - ids.size());
}

Status Embedder::EmbedTexts(size_t count, const std::function<Text(size_t)>& text_at,
                            const EmbedOptions& options, const EmbedOutput& output) {
  // An unknown prompt is an error of the call, not of its first text, and also where there is none.
  if (!options.prompt.empty()) RETURN_IF_ERROR(FindPrompt(options.prompt).map([](auto&&) {}));
  EmbedOptions whole = options;  // the batch counts what is dropped
  whole.truncate = false;
  Batch batch(*this, "text", options.truncate, output);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < count; ++i) {
    const Text text = text_at(i);
    if (text.text.empty()) return Err("text {}: the text is empty", i);
    if (const Result<int64_t> status = Tokenize(text, whole, ids); !status) {
      return Err(status.error().kind, "text {}: {}", i, status.error().message);
    }
    if (ids.empty()) return Err("text {}: no tokens", i);
    RETURN_IF_ERROR(batch.Add(ids, ids.size()));
  }
  return batch.Flush();
}

Status Embedder::EmbedIds(std::span<const int32_t> ids, std::span<const size_t> lengths, bool truncate,
                          const EmbedOutput& output) {
  Batch batch(*this, "sequence", truncate, output);
  std::vector<int32_t> sequence;
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 1) return Err("sequence {}: the sequence is empty", i);
    if (lengths[i] > ids.size()) {
      return Err("sequence {}: {} ids, but {} are left", i, lengths[i], ids.size());
    }
    const std::span<const int32_t> all = ids.first(lengths[i]);
    for (size_t j = 0; j < all.size(); ++j) {
      if (all[j] < 0 || all[j] >= parts_.info.vocab) {
        return Err("sequence {}: token {}: id {} is not in the vocabulary of {}", i, j, all[j],
                   parts_.info.vocab);
      }
    }
    const size_t taken = std::min(all.size(), context_length());
    sequence.assign(all.begin(), all.begin() + static_cast<ptrdiff_t>(taken));
    if (taken < all.size()) sequence.push_back(all.back());
    RETURN_IF_ERROR(batch.Add(sequence, all.size()));
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
                     const SequenceNames& names) {
  RETURN_IF_ERROR(CheckRows(ids));
  return executor_->Run(ids, lengths, out, names);
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
