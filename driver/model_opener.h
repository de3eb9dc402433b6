// From a model file and options to something that embeds, by way of the cache where there is one. What is cached and what
// is compiled just now ends in the same runtime::Embedder.
//
// A model that has an entry is not looked at any more: the file is mapped for its embedding table, a memo says which
// contents it has (file_memo.h), contents and options say which entry it is (cache_key.h), and the entry has all the rest.
// Trouble with the cache never is trouble with the model: a damaged entry is made again, and what cannot be read or
// written is told once and gone without.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/cache/cache_entry.h"
#include "driver/cache/cache_folder.h"
#include "driver/compile.h"
#include "driver/fingerprint.h"
#include "runtime/api/embedder.h"
#include "runtime/exec/executor.h"
#include "runtime/text/tokenizer.h"
#include "support/result.h"

namespace ggufc::driver {

struct ModelOpenerOptions {
  CompileOptions compile;
  std::string cache_folder;  // empty: no cache
  uint64_t cache_bytes = kDefaultCacheBytes;
  // Without a cache: read the whole file for its fingerprint and the hashes that Embedder::Verify compares. Otherwise
  // the fingerprint is all zeros, and there is nothing to compare. (With a cache there are both.)
  bool hash_file = false;
  // What is wrong with the cache; at most once. May be empty.
  std::function<void(std::string_view)> warn = {};
};

enum class CacheUse : uint8_t { kOff, kMiss, kHit };

// What opening and compiling took, in seconds, and gave.
struct OpenReport {
  CacheUse cache = CacheUse::kOff;
  bool stored = false;
  double hash = 0;   // of the model file
  double read = 0;   // of the entry
  double store = 0;  // of a new one
  CompileTimes compile;
  uint64_t code_bytes = 0;
};

struct LoadedProgram;

// Not for concurrent calls.
class ModelOpener {
 public:
  // Reads the entry, or else the model file's header.
  static Result<std::unique_ptr<ModelOpener>> Open(const std::string& path, ModelOpenerOptions options);
  ModelOpener(const ModelOpener&) = delete;
  ModelOpener& operator=(const ModelOpener&) = delete;

  // About the model, the same whether it is cached or not.
  const std::vector<std::string>& warnings() const;
  int64_t vocab() const;
  int64_t context_length() const;
  int64_t full_dims() const;  // of an embedding that is not cut short
  bool cached() const { return cached_ != nullptr; }
  std::span<const uint8_t> bytes() const;  // of the model file
  // Made on first use, where it is not cached. Lives as long as this and as each embedder.
  Result<const runtime::Tokenizer*> tokenizer();

  // Compiles what was not in the cache, and stores it. A model whose vocabulary is unusable gives an embedder for token
  // ids, and is not stored. Errors name the model file; what is wrong with it is ErrorKind::kBadFile.
  Result<std::unique_ptr<runtime::Embedder>> MakeEmbedder(const runtime::ExecutorOptions& executor);

  // Of all so far.
  const OpenReport& report() const { return report_; }

 private:
  ModelOpener(std::string path, ModelOpenerOptions options)
      : path_(std::move(path)), options_(std::move(options)) {}
  void OpenCache();
  Status OpenFile();
  Status HashContents(const FileIdentity& file);
  void FindEntry(const CacheFolder& folder, const Hash128& contents, uint64_t model_bytes);
  void WarnOnce(std::string_view message);
  Result<std::unique_ptr<runtime::Embedder>> EmbedderOfEntry(const runtime::ExecutorOptions& executor);
  Result<std::unique_ptr<runtime::Embedder>> CompileAndStore(const runtime::ExecutorOptions& executor);
  Status Store(const CacheFolder& folder, const CacheKey& key, const LoadedProgram& loaded,
               const runtime::FingerprintBytes& fingerprint);

  const std::string path_;
  ModelOpenerOptions options_;
  OpenReport report_;
  bool warned_ = false;
  std::optional<CacheFolder> folder_;     // a cache that can be used
  std::optional<FileContents> contents_;  // of the model file
  bool settled_ = true;                   // when they were hashed (file_memo.h)
  std::optional<CacheKey> key_;
  // The model, or its mapped file and what the cache has of it.
  std::shared_ptr<SourceModel> model_;
  std::shared_ptr<const MappedFile> file_;
  std::shared_ptr<const CachedProgram> cached_;
  std::shared_ptr<const runtime::Tokenizer> tokenizer_;  // of one of them, once it was asked for
};

}  // namespace ggufc::driver
