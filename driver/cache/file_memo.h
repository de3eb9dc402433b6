// A memo in the cache folder records the contents hash of a model file, because hashing 334 MB takes longer than all other
// work at the start. It applies to one file in one state (FileIdentity); changing the file changes its times.
//
// The file system's clock is coarse: a file can change twice within one tick. So a memo is written only for a settled file,
// one that was not changed for kSettledNanoseconds (git treats its index alike). If the times of a settled file are the
// same later, so are its contents.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

#include "driver/cache/cache_folder.h"
#include "driver/fingerprint.h"
#include "support/hash.h"
#include "support/os/mapped_file.h"
#include "support/result.h"

namespace ggufc::driver {

inline constexpr int64_t kSettledNanoseconds = 2'000'000'000;

// The contents of the memo file, little endian.
struct FileMemo {
  std::array<char, 8> magic = {'G', 'G', 'U', 'F', 'C', 'M', 'E', 'M'};
  uint64_t version = 2;
  uint64_t device = 0, inode = 0, bytes = 0;
  int64_t modified = 0, changed = 0;
  uint64_t contents_high = 0, contents_low = 0;
  uint64_t tensors_high = 0, tensors_low = 0;
  uint64_t hash = 0;  // Hash64 of all preceding bytes
};
static_assert(sizeof(FileMemo) == 96 && std::has_unique_object_representations_v<FileMemo>);

// `now`: nanoseconds since 1970.
bool IsSettled(const FileIdentity& file, int64_t now);

FileMemo MakeMemo(const FileContents& contents);
// The hashes that a memo records for `file`; nullopt if it is damaged or is about another file or state.
std::optional<FileContents> ReadMemo(std::span<const uint8_t> memo, const FileIdentity& file);

// The same from the folder's memo for `file`; nullopt also if there is none or it cannot be read.
std::optional<FileContents> FindMemo(const CacheFolder& folder, const FileIdentity& file);
// Writes the memo of a file. Does nothing if the file is not settled.
Status KeepMemo(const CacheFolder& folder, const FileContents& contents, int64_t now);

}  // namespace ggufc::driver
