// The folder of a cache: its files by name, size and age. Their contents are described in cache_entry.h and file_memo.h.
// Entries contain machine code that will run, so the folder and each file that is read must belong to this user and be
// writable by nobody else.
//
// Any number of processes may use one folder at the same time without a lock: a file appears complete under its name
// (support/os/output_file.h), and a removed file stays readable for processes that have it open.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/os/mapped_file.h"
#include "support/os/output_file.h"
#include "support/result.h"

namespace ggufc::driver {

inline constexpr uint64_t kDefaultCacheBytes = uint64_t{8} << 30;

// The user may name any folder, also one with files of other programs. Files of the cache are recognised by their whole
// names; other files are never touched.
//
//   kEntry      kEntryDigits lower-case hex digits and kEntrySuffix
//   kMemo       kMemoDigits lower-case hex digits and kMemoSuffix
//   kTemporary  one of these names and the suffix of an unfinished OutputFile: ".PROCESS-ATTEMPT.tmp"
enum class CacheFile : uint8_t { kEntry, kMemo, kTemporary };
inline constexpr std::string_view kEntrySuffix = ".entry";
inline constexpr std::string_view kMemoSuffix = ".memo";
inline constexpr size_t kEntryDigits = 32;
inline constexpr size_t kMemoDigits = 16;

// The kind of a cache file by its name; nullopt for other names.
std::optional<CacheFile> CacheFileOf(std::string_view name);

// A temporary file that was not written to for this long is left over from a process that died.
inline constexpr int64_t kStaleSeconds = 600;
// Memos are tiny, but every model file gets one.
inline constexpr size_t kMaxMemos = 256;

// $XDG_CACHE_HOME/ggufc, or else $HOME/.cache/ggufc; empty if neither variable is an absolute path. The arguments are the
// values of the two variables, null if not set.
std::string DefaultCacheFolder(const char* xdg_cache_home, const char* home);

class CacheFolder {
 public:
  struct File {
    std::string name;
    uint64_t bytes = 0;
    int64_t used = 0;  // nanoseconds since 1970
  };
  struct Removed {
    size_t entries = 0;
    uint64_t bytes = 0;  // of all files
  };

  // Creates the folder and missing parents, accessible by this user alone.
  static Result<CacheFolder> Open(const std::string& path);
  // nullopt if the folder does not exist.
  static Result<std::optional<CacheFolder>> OpenExisting(const std::string& path);

  const std::string& path() const { return path_; }
  std::string PathOf(std::string_view name) const;

  // nullopt if the file does not exist.
  Result<std::optional<MappedFile>> Read(std::string_view name) const;
  // The file replaces an existing one of that name at OutputFile::Finish.
  Result<OutputFile> Write(std::string_view name) const;
  // Makes the file the most recently used one.
  void MarkUsed(std::string_view name) const;
  void Remove(std::string_view name) const;

  // The files of one kind, least recently used first.
  Result<std::vector<File>> Files(CacheFile kind) const;

  // Evicts entries, least recently used first and never `keep`, until all entries have at most `limit` bytes. Also removes
  // memos above kMaxMemos and stale temporary files.
  Status Trim(uint64_t limit, std::string_view keep) const;
  // Removes all files of the cache.
  Result<Removed> Clear() const;

 private:
  explicit CacheFolder(std::string path) : path_(std::move(path)) {}
  Status CheckOwner() const;

  std::string path_;
};

}  // namespace ggufc::driver
