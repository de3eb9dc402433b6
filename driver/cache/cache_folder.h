// The folder of a cache, and the files in it by name, size and age; what they hold is the matter of cache_entry.h and
// file_memo.h. Entries hold machine code that will be run. So the folder, and each file that is read, must belong to
// this user and be writable by nobody else: whatever is there was put there by this user.
//
// Any number of processes may use one folder at a time, and there is no lock: a file appears whole under its name
// (support/os/output_file.h), and one that is removed stays for those who have it open.
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

// The folder may be any that the user names, with files of other programs in it. Those of the cache are told by their
// whole names; whatever else lies there is left alone.
//
//   kEntry      kEntryDigits lower-case hex digits and kEntrySuffix
//   kMemo       kMemoDigits of them and kMemoSuffix
//   kTemporary  one of the two and what OutputFile appends while it writes: ".PROCESS-ATTEMPT.tmp"
enum class CacheFile : uint8_t { kEntry, kMemo, kTemporary };
inline constexpr std::string_view kEntrySuffix = ".entry";
inline constexpr std::string_view kMemoSuffix = ".memo";
inline constexpr size_t kEntryDigits = 32;
inline constexpr size_t kMemoDigits = 16;

// Nothing where the cache gives no file such a name.
std::optional<CacheFile> CacheFileOf(std::string_view name);

// A temporary file that has not been written to for this long belongs to a process that died.
inline constexpr int64_t kStaleSeconds = 600;
// A memo is tiny, but one is made for each file that ever was a model.
inline constexpr size_t kMaxMemos = 256;

// ggufc below $XDG_CACHE_HOME, or below .cache in $HOME; empty where neither is an absolute path. The arguments are the
// values of the two, null where they are not set.
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

  // Makes the folder where it is missing, and those that it lies in, for this user alone.
  static Result<CacheFolder> Open(const std::string& path);
  // Nothing where there is no folder.
  static Result<std::optional<CacheFolder>> OpenExisting(const std::string& path);

  const std::string& path() const { return path_; }
  std::string PathOf(std::string_view name) const;

  // Nothing where there is no such file.
  Result<std::optional<MappedFile>> Read(std::string_view name) const;
  // Replaces what has that name when it is finished.
  Result<OutputFile> Write(std::string_view name) const;
  // It is the most recently used one now.
  void MarkUsed(std::string_view name) const;
  void Remove(std::string_view name) const;

  // Those of one kind, the least recently used first.
  Result<std::vector<File>> Files(CacheFile kind) const;

  // Removes entries, the least recently used first and `keep` never, until all have at most `limit` bytes; memos in
  // excess; and what processes that died have left.
  Status Trim(uint64_t limit, std::string_view keep) const;
  // Removes all files of the cache.
  Result<Removed> Clear() const;

 private:
  explicit CacheFolder(std::string path) : path_(std::move(path)) {}
  Status CheckOwner() const;

  std::string path_;
};

}  // namespace ggufc::driver
