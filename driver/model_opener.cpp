#include "driver/model_opener.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

#include "codegen/target.h"
#include "driver/cache/file_memo.h"
#include "driver/loaded_program.h"
#include "runtime/store/chunked_table.h"
#include "runtime/store/program_format.h"
#include "support/check.h"
#include "support/os/file_size_signal.h"

namespace ggufc::driver {
namespace {

using runtime::Embedder;
using runtime::EmbedderParts;

int64_t NanosecondsNow() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

std::string AbsolutePath(const std::string& path) {
  char* const real = realpath(path.c_str(), nullptr);
  std::string absolute = real != nullptr ? real : path;
  std::free(real);
  return absolute;
}

}  // namespace

Result<std::unique_ptr<ModelOpener>> ModelOpener::Open(const std::string& path, ModelOpenerOptions options) {
  std::unique_ptr<ModelOpener> opened(new ModelOpener(path, std::move(options)));
  if (opened->options_.compile.target == nullptr) opened->options_.compile.target = &codegen::NativeTarget();
  opened->OpenCache();
  RETURN_IF_ERROR(opened->OpenFile());
  return opened;
}

void ModelOpener::WarnOnce(std::string_view message) {
  if (!std::exchange(warned_, true) && options_.warn) options_.warn(fmt::format("cache: {}", message));
}

void ModelOpener::OpenCache() {
  if (options_.cache_folder.empty()) return;
  Result<CacheFolder> folder = CacheFolder::Open(options_.cache_folder);
  if (folder) {
    folder_ = std::move(*folder);
  } else {
    WarnOnce(fmt::format("{}; going on without it", folder.error().message));
  }
}

// A file with a memo and an entry is only mapped. Any other is looked at before it is read for its hash: most files that
// are no models are refused there.
Status ModelOpener::OpenFile() {
  ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path_));
  const FileIdentity identity = file.identity();
  if (folder_) contents_ = FindMemo(*folder_, identity);
  if (folder_ && contents_) FindEntry(*folder_, contents_->hash, file.bytes().size());
  if (cached_) {
    file_ = std::make_shared<const MappedFile>(std::move(file));
    return {};
  }
  ASSIGN_OR_RETURN(model_, SourceModel::Read(std::move(file)));
  if (contents_ || !(folder_ || options_.hash_file)) return {};
  RETURN_IF_ERROR(HashContents(identity));
  if (folder_ && contents_) FindEntry(*folder_, contents_->hash, model_->file().bytes().size());
  return {};
}

Status ModelOpener::HashContents(const FileIdentity& file) {
  Stopwatch watch;
  const Result<FileContents> contents = HashFile(path_, model_.get());
  watch.AddTo(report_.hash);
  if (!contents || contents->file != file) {
    // The mapping may be of either state: no name fits it.
    const std::string why =
        contents ? fmt::format("{}: the file was replaced", path_) : contents.error().message;
    if (options_.hash_file) return Err(ErrorKind::kIo, "{}", why);
    WarnOnce(fmt::format("{}; going on without it", why));
    folder_.reset();
    return {};
  }
  contents_ = *contents;
  if (!folder_) return {};
  const int64_t now = NanosecondsNow();
  settled_ = IsSettled(contents->file, now);
  const NoFileSizeSignal no_signal;
  if (const Status kept = KeepMemo(*folder_, *contents, now); !kept) {
    WarnOnce(fmt::format("{}; going on without it", kept.error().message));
  }
  return {};
}

void ModelOpener::FindEntry(const CacheFolder& folder, const Hash128& contents, uint64_t model_bytes) {
  const Result<std::string> compiler = CompilerIdentity();
  if (!compiler) {
    WarnOnce(fmt::format("{}; going on without it", compiler.error().message));
    folder_.reset();
    return;
  }
  report_.cache = CacheUse::kMiss;
  const CacheKey& key = key_.emplace(MakeCacheKey(contents, options_.compile, *compiler));
  Stopwatch watch;
  const auto read = [&]() -> Result<std::unique_ptr<CachedProgram>> {
    ASSIGN_OR_RETURN(std::optional<MappedFile> file, folder.Read(key.FileName()));
    if (!file) return nullptr;
    return ReadEntry(std::move(*file), key, model_bytes);
  };
  Result<std::unique_ptr<CachedProgram>> entry = read();
  watch.AddTo(report_.read);
  if (!entry) {
    WarnOnce(fmt::format("{}; the model is compiled again", entry.error().message));
    // What could not be read, for want of memory or of rights, may be good.
    const ErrorKind kind = entry.error().kind;
    if (kind == ErrorKind::kBadFile || kind == ErrorKind::kMismatch) folder.Remove(key.FileName());
  } else if (*entry) {
    cached_ = std::move(*entry);
    report_.cache = CacheUse::kHit;
    report_.code_bytes = cached_->code_bytes;
    folder.MarkUsed(key.FileName());
  }
}

const std::vector<std::string>& ModelOpener::warnings() const {
  return cached_ ? cached_->entry.warnings : model_->warnings();
}

int64_t ModelOpener::vocab() const { return cached_ ? cached_->info.vocab : model_->config().vocab; }

int64_t ModelOpener::context_length() const {
  return cached_ ? cached_->info.context_length : model_->config().context_length;
}

int64_t ModelOpener::full_dims() const {
  return cached_ ? cached_->info.full_dims : model_->config().output_dim;
}

std::span<const uint8_t> ModelOpener::bytes() const {
  return model_ ? model_->file().bytes() : file_->bytes();
}

Result<const runtime::Tokenizer*> ModelOpener::tokenizer() {
  if (!tokenizer_ && cached_) {
    tokenizer_ = std::shared_ptr<const runtime::Tokenizer>(cached_, &cached_->tokenizer);
  } else if (!tokenizer_) {
    ASSIGN_OR_RETURN(const runtime::Tokenizer* const tokenizer, model_->tokenizer());
    tokenizer_ = std::shared_ptr<const runtime::Tokenizer>(model_, tokenizer);
  }
  return tokenizer_.get();
}

Result<std::unique_ptr<Embedder>> ModelOpener::MakeEmbedder(const runtime::ExecutorOptions& executor) {
  const codegen::Target& target = *options_.compile.target;
  if (!codegen::HostRuns(target)) {
    return Err(ErrorKind::kUnsupportedCpu,
               "{}: target {}: this machine cannot run its code (the best it runs is {})", path_,
               target.name(), codegen::NativeTarget().name());
  }
  Result<std::unique_ptr<Embedder>> embedder =
      cached_ ? EmbedderOfEntry(executor) : CompileAndStore(executor);
  // Most errors name the file already.
  if (embedder || embedder.error().message.starts_with(path_ + ": ")) return embedder;
  return WithContext(path_, std::move(embedder));
}

Result<std::unique_ptr<Embedder>> ModelOpener::EmbedderOfEntry(const runtime::ExecutorOptions& executor) {
  struct Kept {
    std::shared_ptr<const CachedProgram> cached;
    std::shared_ptr<const void> file;
    runtime::ChunkedTable table;
  };
  ASSIGN_OR_RETURN(const runtime::Tokenizer* const tokenizer, this->tokenizer());
  const auto kept = std::make_shared<Kept>();
  kept->cached = cached_;
  kept->file = model_ ? std::shared_ptr<const void>(model_) : file_;
  const runtime::ModelCard& info = cached_->info;
  kept->table = runtime::ChunkedTable(TableIn(bytes(), info), cached_->table_hashes, TableName(path_));
  EmbedderParts parts;
  parts.info = info;
  parts.fingerprint = cached_->image.fingerprint();
  parts.target = options_.compile.target->name();
  parts.tokenizer = std::shared_ptr<const runtime::Tokenizer>(cached_, tokenizer);
  parts.program = cached_->program;
  parts.kernels = cached_->kernels;
  parts.weights = cached_->weights;
  parts.tables = bytes();
  parts.check_tables = CheckOf(kept->table, info.table_offset);
  parts.check_all = [kept = kept.get()]() -> Status {
    RETURN_IF_ERROR(kept->cached->image.CheckAll());
    return kept->table.CheckAll();
  };
  parts.keep_alive = kept;
  return Embedder::Create(std::move(parts), executor);
}

Result<std::unique_ptr<Embedder>> ModelOpener::CompileAndStore(const runtime::ExecutorOptions& executor) {
  ASSIGN_OR_RETURN(const std::shared_ptr<LoadedProgram> loaded,
                   LoadedProgram::Make(model_, options_.compile, contents_.has_value()));
  report_.hash += loaded->hash_seconds;
  report_.code_bytes = loaded->compiled.object.size();
  report_.compile = loaded->compiled.times;
  if (folder_ && key_ && !tokenizer_) {
    if (const auto tokenizer = this->tokenizer(); !tokenizer) {
      WarnOnce(fmt::format("{}; the model is not stored", tokenizer.error().message));
      folder_.reset();
    }
  }
  runtime::FingerprintBytes fingerprint = {};
  if (contents_) {
    ASSIGN_OR_RETURN(const std::string text,
                     Fingerprint(*model_, options_.compile, loaded->compiled.numerics, contents_->tensors));
    ASSIGN_OR_RETURN(fingerprint, runtime::ParseFingerprint(text));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Embedder> embedder,
                   driver::MakeEmbedder(loaded, tokenizer_, fingerprint, executor));
  if (folder_ && key_) {
    Stopwatch watch;
    if (const Status stored = Store(*folder_, *key_, *loaded, fingerprint); !stored) {
      WarnOnce(fmt::format("{}; the model is not stored", stored.error().message));
    }
    watch.AddTo(report_.store);
  }
  return embedder;
}

Status ModelOpener::Store(const CacheFolder& folder, const CacheKey& key, const LoadedProgram& loaded,
                          const runtime::FingerprintBytes& fingerprint) {
  EntryParts parts;
  parts.fingerprint = fingerprint;
  parts.info = SerializeEntryInfo({.key = key.text,
                                   .model = AbsolutePath(path_),
                                   .target = std::string(options_.compile.target->name()),
                                   .warnings = model_->warnings()});
  parts.model = runtime::SerializeModelCard(loaded.info);
  parts.tokenizer = tokenizer_->Serialize();
  parts.program = runtime::SerializeProgram(loaded.compiled.built.program);
  parts.code = loaded.compiled.object;
  parts.table_hashes = loaded.table_hashes;
  parts.weights = loaded.weights.bytes();
  if (const uint64_t bytes = EntryBytes(parts); bytes > options_.cache_bytes) {
    return Err("{} bytes are more than the {} that the cache may have", bytes, options_.cache_bytes);
  }
  // What has come out is of the file whose hash is in the key only if nobody wrote to it meanwhile.
  struct stat info = {};
  if (stat(path_.c_str(), &info) != 0 || IdentityOf(info) != model_->file().identity()) {
    return Err("{}: the file was changed while it was compiled", path_);
  }
  // Where the times do not tell that, the contents do.
  if (!settled_) {
    ASSIGN_OR_RETURN(const FileContents now, HashFile(path_));
    if (now.file != model_->file().identity() || !contents_ || now.hash != contents_->hash) {
      return Err("{}: the file was changed while it was compiled", path_);
    }
  }
  const NoFileSizeSignal no_signal;
  const std::string name = key.FileName();
  ASSIGN_OR_RETURN(OutputFile file, folder.Write(name));
  RETURN_IF_ERROR(WriteEntry(file, parts));
  RETURN_IF_ERROR(file.Finish());
  folder.MarkUsed(name);
  report_.stored = true;
  return folder.Trim(options_.cache_bytes, name);
}

}  // namespace ggufc::driver
