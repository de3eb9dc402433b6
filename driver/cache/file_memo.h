// A memo in the cache's folder says which contents a model file had: reading 334 MB for their hash takes longer than
// everything else at the start. It is about one file in one state (FileIdentity); who changes the file changes its
// times.
//
// Times of files are as coarse as the clock of the file system: a file can change twice in one tick. So a memo is made
// only of a file that has been left alone for kSettledNanoseconds, as git does with its index. A file like that is settled:
// if its times are the same later, so are its contents.
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

// The file: little endian, as it is.
struct FileMemo {
  std::array<char, 8> magic = {'G', 'G', 'U', 'F', 'C', 'M', 'E', 'M'};
  uint64_t version = 2;
  uint64_t device = 0, inode = 0, bytes = 0;
  int64_t modified = 0, changed = 0;
  uint64_t contents_high = 0, contents_low = 0;
  uint64_t tensors_high = 0, tensors_low = 0;
  uint64_t hash = 0;  // Hash64 of all before it
};
static_assert(sizeof(FileMemo) == 96 && std::has_unique_object_representations_v<FileMemo>);

// `now`: nanoseconds since 1970.
bool IsSettled(const FileIdentity& file, int64_t now);

FileMemo MakeMemo(const FileContents& contents);
// What a memo says of `file`; nothing where it is damaged, or of another file or state.
std::optional<FileContents> ReadMemo(std::span<const uint8_t> memo, const FileIdentity& file);

// Of the folder's memos. What cannot be read is not there.
std::optional<FileContents> FindMemo(const CacheFolder& folder, const FileIdentity& file);
// Does nothing where the file is not settled.
Status KeepMemo(const CacheFolder& folder, const FileContents& contents, int64_t now);

}  // namespace ggufc::driver
