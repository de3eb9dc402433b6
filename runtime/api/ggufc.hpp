// The C interface (ggufc.h) for C++20: handles that close themselves, spans, strings and vectors, and errors as
// exceptions. Header only, over the C functions alone, so it works across compilers and standard libraries.
//
//   ggufc::Model model(NAME_open);
//   std::vector<float> vector = model.Embed("The cat sleeps.");
//
// Exceptions, because a constructor has no other way to fail, C++20 has no std::expected, and most callers can do
// nothing about an error where it happens; who would rather have statuses calls the C functions with get().
// What the C interface says of threads, fork and errors holds here too.
#ifndef GGUFC_HPP
#define GGUFC_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ggufc.h"

namespace ggufc {
// A namespace of its own, so that none of this shares a symbol with what the library has inside.
inline namespace cpp1 {

class Error : public std::runtime_error {
 public:
  Error(ggufc_status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  ggufc_status status() const { return status_; }

 private:
  ggufc_status status_;
};

// See ggufc_options. All members have useful defaults: Options{.threads = 2}.
struct Options {
  int threads = 0;               // 0: all cores
  int64_t chunk_tokens = 0;      // 0: 2048
  const char* target = nullptr;  // null: the best that this CPU runs
  bool check_all = false;        // compare all of the weights with their checksums at once
};

// See ggufc_embed_options. Spans are as long as the batch, or empty.
//
// With `skip_errors` a text that is wrong is no exception: its vector is all zeros, its status says so, and all others
// have their vectors. It needs `statuses`, so that no failure goes unnoticed; `messages` of good texts are left alone.
struct EmbedOptions {
  const char* prompt = nullptr;
  const char* title = nullptr;
  bool truncate = false;
  bool plain_text = false;
  std::span<int64_t> tokens_kept = {};
  std::span<int64_t> tokens_dropped = {};
  std::span<const char* const> titles = {};
  std::span<ggufc_status> statuses = {};
  std::span<std::string> messages = {};
  bool skip_errors = false;
  bool allow_empty = false;
};

// Throws the thread's last error if the status is one.
inline void ThrowIfError(ggufc_status status) {
  if (status != GGUFC_OK) throw Error(status, ggufc_last_error());
}

// An opened model, empty after a move. Its methods may be called from several threads at a time.
class Model {
 public:
  // What `ggufc compile` generates: NAME_open.
  using OpenFunction = ggufc_status(const char* weights_path, const ggufc_options* options,
                                    ggufc_model** model);

  // `weights_path`: null to look in the usual places.
  explicit Model(OpenFunction* open, const char* weights_path = nullptr, const Options& options = {}) {
    ggufc_options c = GGUFC_OPTIONS_INIT;
    c.threads = options.threads;
    c.chunk_tokens = options.chunk_tokens;
    c.target = options.target;
    if (options.check_all) c.flags |= GGUFC_OPEN_CHECK_ALL;
    ThrowIfError(open(weights_path, &c, &model_));
  }
  // Takes over a handle, which may be null.
  explicit Model(ggufc_model* model) noexcept : model_(model) {}

  Model(Model&& other) noexcept : model_(std::exchange(other.model_, nullptr)) {}
  Model& operator=(Model&& other) noexcept {
    Model taken(std::move(other));  // closes what this one had
    std::swap(model_, taken.model_);
    return *this;
  }
  ~Model() { ggufc_close(model_); }

  ggufc_model* get() const noexcept { return model_; }
  ggufc_model* release() noexcept { return std::exchange(model_, nullptr); }
  explicit operator bool() const noexcept { return model_ != nullptr; }

  size_t dims() const noexcept { return ggufc_dims(model_); }
  size_t context_length() const noexcept { return ggufc_context_length(model_); }
  size_t vocab() const noexcept { return ggufc_vocab(model_); }
  int threads() const noexcept { return ggufc_threads(model_); }
  std::string_view name() const noexcept { return ggufc_name(model_); }
  std::string_view target() const noexcept { return ggufc_target(model_); }
  std::string_view fingerprint() const noexcept { return ggufc_fingerprint(model_); }

  // The vector of texts[i] goes to out[i * stride] and what follows; a stride of 0 is dims(). `out` has room for the
  // last vector.
  void Embed(std::span<const std::string_view> texts, std::span<float> out, const EmbedOptions& options = {},
             size_t stride = 0) const {
    const ggufc_embed_options c = Convert(options, texts.size());
    CheckRoom(texts.size(), out.size(), stride);
    std::vector<const char*> data(texts.size());
    std::vector<size_t> lengths(texts.size());
    std::ranges::transform(texts, data.begin(), [](std::string_view text) { return text.data(); });
    std::ranges::transform(texts, lengths.begin(), [](std::string_view text) { return text.size(); });
    ThrowUnlessSkipped(
        ggufc_embed(model_, data.data(), lengths.data(), texts.size(), &c, out.data(), stride));
  }
  // Row-major [texts][dims()].
  std::vector<float> Embed(std::span<const std::string_view> texts, const EmbedOptions& options = {}) const {
    std::vector<float> out(texts.size() * dims());
    Embed(texts, out, options);
    return out;
  }
  std::vector<float> Embed(std::string_view text, const EmbedOptions& options = {}) const {
    return Embed(std::span(&text, 1), options);
  }

  // Of token ids, taken as they are: all sequences one after another, and the number of ids of each.
  void EmbedIds(std::span<const int32_t> ids, std::span<const size_t> lengths, std::span<float> out,
                const EmbedOptions& options = {}, size_t stride = 0) const {
    const ggufc_embed_options c = Convert(options, lengths.size());
    CheckRoom(lengths.size(), out.size(), stride);
    size_t left = ids.size();
    for (const size_t length : lengths) {
      if (length > left) throw Error(GGUFC_INVALID_ARGUMENT, "the lengths add up to more ids than there are");
      left -= length;
    }
    if (left != 0) throw Error(GGUFC_INVALID_ARGUMENT, "the lengths add up to fewer ids than there are");
    ThrowUnlessSkipped(
        ggufc_embed_ids(model_, ids.data(), lengths.data(), lengths.size(), &c, out.data(), stride));
  }
  std::vector<float> EmbedIds(std::span<const int32_t> ids, std::span<const size_t> lengths,
                              const EmbedOptions& options = {}) const {
    std::vector<float> out(lengths.size() * dims());
    EmbedIds(ids, lengths, out, options);
    return out;
  }

  // The ids that Embed computes with. An empty text is fine here.
  std::vector<int32_t> Tokenize(std::string_view text, const EmbedOptions& options = {}) const {
    const ggufc_embed_options c = Convert(options, 1);
    // A token has about four bytes in running text, and at least one but for BOS and EOS: mostly one call is enough.
    std::vector<int32_t> ids(text.size() / 3 + 64);
    size_t count = 0;
    ggufc_status status =
        ggufc_tokenize(model_, text.data(), text.size(), &c, ids.data(), ids.size(), &count);
    if (status == GGUFC_TOO_LONG && count > ids.size()) {
      ids.resize(count);
      status = ggufc_tokenize(model_, text.data(), text.size(), &c, ids.data(), ids.size(), &count);
    }
    ThrowIfError(status);
    ids.resize(count);
    return ids;
  }

  // Returns the number of golden vectors that were computed anew and found equal.
  size_t Verify() const {
    size_t vectors = 0;
    ThrowIfError(ggufc_verify(model_, &vectors));
    return vectors;
  }

 private:
  static ggufc_embed_options Convert(const EmbedOptions& options, size_t count) {
    const auto check = [count](size_t size, const char* name) {
      if (size != 0 && size != count) {
        throw Error(GGUFC_INVALID_ARGUMENT, std::string(name) + " has " + std::to_string(size) +
                                                " entries for a batch of " + std::to_string(count));
      }
    };
    check(options.tokens_kept.size(), "tokens_kept");
    check(options.tokens_dropped.size(), "tokens_dropped");
    check(options.titles.size(), "titles");
    check(options.statuses.size(), "statuses");
    check(options.messages.size(), "messages");
    if (options.skip_errors && options.statuses.empty() && count != 0) {
      throw Error(GGUFC_INVALID_ARGUMENT, "skip_errors needs statuses");
    }
    ggufc_embed_options c = GGUFC_EMBED_OPTIONS_INIT;
    if (options.truncate) c.flags |= GGUFC_EMBED_TRUNCATE;
    if (options.plain_text) c.flags |= GGUFC_EMBED_PLAIN_TEXT;
    if (options.skip_errors) c.flags |= GGUFC_EMBED_SKIP_ERRORS;
    if (options.allow_empty) c.flags |= GGUFC_EMBED_ALLOW_EMPTY;
    c.prompt = options.prompt;
    c.title = options.title;
    c.tokens_kept = options.tokens_kept.empty() ? nullptr : options.tokens_kept.data();
    c.tokens_dropped = options.tokens_dropped.empty() ? nullptr : options.tokens_dropped.data();
    c.titles = options.titles.empty() ? nullptr : options.titles.data();
    c.statuses = options.statuses.empty() ? nullptr : options.statuses.data();
    if (options.skip_errors && !options.messages.empty()) {
      c.on_error = KeepMessage;
      c.on_error_context = options.messages.data();
    }
    return c;
  }

  // C code calls it, so no exception may leave; without memory for the message there is still the status.
  static void KeepMessage(void* messages, size_t index, ggufc_status, const char* message) noexcept try {
    static_cast<std::string*>(messages)[index] = message;
  } catch (...) {
  }

  static void ThrowUnlessSkipped(ggufc_status status) {
    if (status != GGUFC_SOME_FAILED) ThrowIfError(status);
  }

  // Also of an empty handle: dims() is 0 then, and the call will say what is wrong.
  void CheckRoom(size_t count, size_t room, size_t stride) const {
    const size_t step = stride == 0 ? dims() : stride;
    if (count == 0 || dims() == 0 || step < dims()) return;
    if (room < dims() || (room - dims()) / step < count - 1) {
      throw Error(GGUFC_INVALID_ARGUMENT, "out has room for " + std::to_string(room) + " floats, not for " +
                                              std::to_string(count) + " vectors");
    }
  }

  ggufc_model* model_ = nullptr;
};

}  // namespace cpp1
}  // namespace ggufc

#endif
