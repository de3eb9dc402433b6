// The C interface (ggufc.h) over Embedder: arguments are checked, everything else is done there.
#include "runtime/api/c_api.h"

#include <algorithm>
#include <cstring>

#include "runtime/api/open_code.h"
#include "runtime/text/prompts.h"

namespace ggufc::runtime {
namespace {

constexpr size_t kMaxOptionsBytes = 4096;  // a size above is a mistake, not a newer version
constexpr size_t kMaxFloats = PTRDIFF_MAX / sizeof(float);

std::string_view View(const char* text) {
  return text != nullptr ? std::string_view(text) : std::string_view();
}

Status CheckHandle(const ggufc_model* model) {
  if (model == nullptr) return Err("model is NULL");
  return {};
}

Status CheckOptions(const ggufc_embed_options& options) {
  constexpr uint32_t kKnown =
      GGUFC_EMBED_TRUNCATE | GGUFC_EMBED_PLAIN_TEXT | GGUFC_EMBED_SKIP_ERRORS | GGUFC_EMBED_ALLOW_EMPTY;
  if ((options.flags & ~kKnown) != 0) {
    return Err("ggufc_embed_options.flags: {:#x} is not known", options.flags & ~kKnown);
  }
  if (options.reserved != 0) return Err("ggufc_embed_options.reserved is {}, not 0", options.reserved);
  if (options.on_error != nullptr && (options.flags & GGUFC_EMBED_SKIP_ERRORS) == 0) {
    return Err("ggufc_embed_options.on_error needs GGUFC_EMBED_SKIP_ERRORS");
  }
  if (options.titles == nullptr) return {};
  if (!View(options.title).empty()) return Err("ggufc_embed_options: both title and titles are given");
  if (!View(options.prompt).empty()) return {};
  return Err("ggufc_embed_options.titles need a prompt that takes them");
}

// Where count vectors go; their last float must be addressable.
Result<EmbedOutput> ReadOutput(const Embedder& embedder, size_t count, const ggufc_embed_options& options,
                               float* out, size_t stride) {
  const size_t dims = embedder.dims();
  if (stride == 0) stride = dims;
  if (stride < dims) return Err("stride is {} floats (a vector has {})", stride, dims);
  if (count > kMaxFloats / stride) return Err("{} vectors at a stride of {} floats", count, stride);
  if (count > 0 && out == nullptr) return Err("out is NULL");
  if (reinterpret_cast<uintptr_t>(out) % alignof(float) != 0) return Err("out is not aligned to a float");
  EmbedOutput output;
  output.vectors = out;
  output.stride = stride;
  output.tokens_kept = options.tokens_kept;
  output.tokens_dropped = options.tokens_dropped;
  return output;
}

// What becomes of the items of one call, and how the caller learns of it.
class ItemStatuses {
 public:
  // After the arguments have been checked: from here on `count` statuses are written.
  void Start(const ggufc_embed_options& options, size_t count, EmbedOutput& output) {
    options_ = options;
    count_ = count;
    output.done = &done_;
    if (options.statuses != nullptr) std::fill_n(options.statuses, count, GGUFC_OK);
    if ((options.flags & GGUFC_EMBED_SKIP_ERRORS) == 0) return;
    output.on_item_error = [this](size_t index, const Error& error) { Report(index, error); };
  }

  // After the call went through. `noun`: what an item is.
  void Summarize(std::string_view noun) {
    if (failed_ == 0) return;
    summary_.message = fmt::format("{} of {} {}s failed; the first: {} {}: {}", failed_, count_, noun, noun,
                                   first_, first_error_);
  }

  // Of a call that ended with `status`: what it returns. Items that were not reached get its status.
  ggufc_status Finish(ggufc_status status) const noexcept {
    if (status == GGUFC_OK) {
      if (failed_ == 0) return GGUFC_OK;
      ReportError(summary_);
      return GGUFC_SOME_FAILED;
    }
    if (options_.statuses != nullptr) std::fill_n(options_.statuses + done_, count_ - done_, status);
    return status;
  }

 private:
  void Report(size_t index, const Error& error) {
    if (failed_++ == 0 || index < first_) {
      first_ = index;
      first_error_ = error.message;
    }
    const ggufc_status status = StatusOf(error.kind);
    if (options_.statuses != nullptr) options_.statuses[index] = status;
    if (options_.on_error == nullptr) return;
    Message message;
    CopyMessage(error.message, message);
    options_.on_error(options_.on_error_context, index, status, message.data());
  }

  ggufc_embed_options options_ = {};
  size_t count_ = 0, done_ = 0, failed_ = 0, first_ = 0;
  std::string first_error_;
  Error summary_;
};

EmbedOptions ReadEmbedOptions(const ggufc_embed_options& options) {
  return {.truncate = (options.flags & GGUFC_EMBED_TRUNCATE) != 0,
          .parse_control = (options.flags & GGUFC_EMBED_PLAIN_TEXT) == 0,
          .allow_empty = (options.flags & GGUFC_EMBED_ALLOW_EMPTY) != 0,
          .prompt = View(options.prompt)};
}

// `length` may be GGUFC_NUL_TERMINATED; `text` may be null where the length is 0.
std::string_view ViewOf(const char* text, size_t length) {
  if (length == GGUFC_NUL_TERMINATED) return text;
  return length == 0 ? std::string_view() : std::string_view(text, length);
}

Status EmbedTexts(Embedder& embedder, const char* const* texts, const size_t* lengths, size_t count,
                  const ggufc_embed_options* given, float* out, size_t stride, ItemStatuses& items) {
  ASSIGN_OR_RETURN(const auto options, ReadOptions(given, "ggufc_embed_options"));
  RETURN_IF_ERROR(CheckOptions(options));
  ASSIGN_OR_RETURN(EmbedOutput output, ReadOutput(embedder, count, options, out, stride));
  if (count > 0 && texts == nullptr) return Err("texts is NULL");
  const auto length_of = [lengths](size_t i) {
    return lengths != nullptr ? lengths[i] : GGUFC_NUL_TERMINATED;
  };
  for (size_t i = 0; i < count; ++i) {
    if (texts[i] == nullptr && length_of(i) != 0) return Err("text {}: texts[{}] is NULL", i, i);
  }
  const std::string_view title = View(options.title);
  const auto text_at = [&](size_t i) -> Text {
    return {ViewOf(texts[i], length_of(i)), options.titles != nullptr ? View(options.titles[i]) : title};
  };
  items.Start(options, count, output);
  RETURN_IF_ERROR(embedder.EmbedTexts(count, text_at, ReadEmbedOptions(options), output));
  items.Summarize("text");
  return {};
}

Status EmbedIds(Embedder& embedder, const int32_t* ids, const size_t* lengths, size_t count,
                const ggufc_embed_options* given, float* out, size_t stride, ItemStatuses& items) {
  ASSIGN_OR_RETURN(const auto options, ReadOptions(given, "ggufc_embed_options"));
  RETURN_IF_ERROR(CheckOptions(options));
  if (!View(options.prompt).empty() || !View(options.title).empty() || options.titles != nullptr ||
      (options.flags & (GGUFC_EMBED_PLAIN_TEXT | GGUFC_EMBED_ALLOW_EMPTY)) != 0) {
    return Err(
        "prompts, titles, GGUFC_EMBED_PLAIN_TEXT and GGUFC_EMBED_ALLOW_EMPTY are for texts, not for ids");
  }
  ASSIGN_OR_RETURN(EmbedOutput output, ReadOutput(embedder, count, options, out, stride));
  if (count == 0) return {};
  if (ids == nullptr || lengths == nullptr) return Err("{} is NULL", ids == nullptr ? "ids" : "lengths");
  size_t total = 0;
  for (size_t i = 0; i < count; ++i) {
    if (__builtin_add_overflow(total, lengths[i], &total) || total > PTRDIFF_MAX / sizeof(int32_t)) {
      return Err("sequence {}: {} ids", i, lengths[i]);
    }
  }
  items.Start(options, count, output);
  RETURN_IF_ERROR(
      embedder.EmbedIds({ids, total}, {lengths, count}, (options.flags & GGUFC_EMBED_TRUNCATE) != 0, output));
  items.Summarize("sequence");
  return {};
}

Status Tokenize(const Embedder& embedder, const char* text, size_t length, const ggufc_embed_options* given,
                int32_t* ids, size_t capacity, size_t* count) {
  if (count == nullptr) return Err("count is NULL");
  *count = 0;
  ASSIGN_OR_RETURN(const auto options, ReadOptions(given, "ggufc_embed_options"));
  RETURN_IF_ERROR(CheckOptions(options));
  if ((options.flags & GGUFC_EMBED_SKIP_ERRORS) != 0 || options.statuses != nullptr) {
    return Err("GGUFC_EMBED_SKIP_ERRORS and ggufc_embed_options.statuses are for batches, not for one text");
  }
  if (text == nullptr && length != 0) return Err("text is NULL");
  if (ids == nullptr && capacity != 0) return Err("ids is NULL, but its capacity {}", capacity);
  std::vector<int32_t> all;
  const Text whole = {ViewOf(text, length),
                      View(options.titles != nullptr ? options.titles[0] : options.title)};
  ASSIGN_OR_RETURN(const int64_t dropped, embedder.encoder().Tokenize(whole, ReadEmbedOptions(options), all));
  *count = all.size();
  if (ids != nullptr && all.size() > capacity) {
    return Err(ErrorKind::kTooLong, "{} tokens, but there is room for {}", all.size(), capacity);
  }
  if (ids != nullptr) std::ranges::copy(all, ids);
  if (options.tokens_kept != nullptr) *options.tokens_kept = static_cast<int64_t>(all.size());
  if (options.tokens_dropped != nullptr) *options.tokens_dropped = dropped;
  return {};
}

Result<ggufc_model*> Open(const ggufc_code* code, const char* weights_path, const ggufc_options* given) {
  if (code == nullptr) return Err("code is NULL");
  if (weights_path != nullptr && *weights_path == '\0') return Err("weights_path is empty");
  ASSIGN_OR_RETURN(const auto options, ReadOptions(given, "ggufc_options"));
  OpenOptions open;
  ASSIGN_OR_RETURN(open.executor, ReadExecutorOptions(options));
  open.check_all = (options.flags & GGUFC_OPEN_CHECK_ALL) != 0;
  open.weights_path = View(weights_path);
  open.target = View(options.target);
  auto model = std::make_unique<ggufc_model>();
  ASSIGN_OR_RETURN(model->embedder, OpenCode(*code, open));
  return model.release();
}

}  // namespace

Status ReadSizedStruct(const void* options, std::string_view name, void* out, size_t own) {
  size_t size = 0;
  std::memcpy(&size, options, sizeof(size));
  // Every version of a struct has a multiple of 8 bytes, so a size in between comes from none.
  if (size < sizeof(size) || size > kMaxOptionsBytes || size % sizeof(size) != 0) {
    return Err("{}.size is {} (sizeof({}) is {})", name, size, name, own);
  }
  std::memcpy(out, options, std::min(size, own));
  const auto* const bytes = static_cast<const uint8_t*>(options);
  if (size > own && std::any_of(bytes + own, bytes + size, [](uint8_t byte) { return byte != 0; })) {
    return Err("{}.size is {}, but this library knows {} bytes, and those behind them are not all zero", name,
               size, own);
  }
  return {};
}

Result<ExecutorOptions> ReadExecutorOptions(const ggufc_options& options) {
  if ((options.flags & ~GGUFC_OPEN_CHECK_ALL) != 0) {
    return Err("ggufc_options.flags: {:#x} is not known", options.flags & ~GGUFC_OPEN_CHECK_ALL);
  }
  ExecutorOptions executor;
  executor.threads = options.threads;
  if (options.chunk_tokens != 0) executor.chunk_tokens = options.chunk_tokens;
  return executor;
}

}  // namespace ggufc::runtime

using ggufc::Err;
using ggufc::Status;
using namespace ggufc::runtime;

extern "C" {

ggufc_status ggufc_open_code(const ggufc_code* code, const char* weights_path, const ggufc_options* options,
                             ggufc_model** model) {
  return Guard([&]() -> Status {
    if (model == nullptr) return Err("model is NULL");
    *model = nullptr;
    ASSIGN_OR_RETURN(*model, Open(code, weights_path, options));
    return {};
  });
}

void ggufc_close(ggufc_model* model) {
  Guard([model]() -> Status {
    delete model;
    return {};
  });
}

ggufc_status ggufc_embed(ggufc_model* model, const char* const* texts, const size_t* lengths, size_t count,
                         const ggufc_embed_options* options, float* out, size_t stride) {
  ItemStatuses items;
  return items.Finish(Guard([&]() -> Status {
    RETURN_IF_ERROR(CheckHandle(model));
    return EmbedTexts(*model->embedder, texts, lengths, count, options, out, stride, items);
  }));
}

ggufc_status ggufc_embed_ids(ggufc_model* model, const int32_t* ids, const size_t* lengths, size_t count,
                             const ggufc_embed_options* options, float* out, size_t stride) {
  ItemStatuses items;
  return items.Finish(Guard([&]() -> Status {
    RETURN_IF_ERROR(CheckHandle(model));
    return EmbedIds(*model->embedder, ids, lengths, count, options, out, stride, items);
  }));
}

ggufc_status ggufc_tokenize(const ggufc_model* model, const char* text, size_t length,
                            const ggufc_embed_options* options, int32_t* ids, size_t capacity,
                            size_t* count) {
  return Guard([&]() -> Status {
    RETURN_IF_ERROR(CheckHandle(model));
    return Tokenize(*model->embedder, text, length, options, ids, capacity, count);
  });
}

ggufc_status ggufc_verify(ggufc_model* model, size_t* vectors) {
  return Guard([&]() -> Status {
    RETURN_IF_ERROR(CheckHandle(model));
    ASSIGN_OR_RETURN(const size_t compared, model->embedder->Verify());
    if (vectors != nullptr) *vectors = compared;
    return {};
  });
}

size_t ggufc_dims(const ggufc_model* model) { return model != nullptr ? model->embedder->dims() : 0; }

size_t ggufc_context_length(const ggufc_model* model) {
  return model != nullptr ? model->embedder->context_length() : 0;
}

size_t ggufc_vocab(const ggufc_model* model) { return model != nullptr ? model->embedder->vocab() : 0; }

int32_t ggufc_threads(const ggufc_model* model) {
  return model != nullptr ? model->embedder->executor().threads() : 0;
}

const char* ggufc_name(const ggufc_model* model) {
  return model != nullptr ? model->embedder->info().name : "";
}

const char* ggufc_target(const ggufc_model* model) {
  return model != nullptr ? model->embedder->target().c_str() : "";
}

const char* ggufc_fingerprint(const ggufc_model* model) {
  return model != nullptr ? model->embedder->fingerprint().c_str() : "";
}

const char* ggufc_version(void) { return GGUFC_VERSION; }

uint32_t ggufc_abi_version(void) { return GGUFC_ABI_VERSION; }

}  // extern "C"
