#include "driver/cache/file_memo.h"

#include <algorithm>
#include <cstring>

namespace ggufc::driver {
namespace {

std::span<const uint8_t> BytesOf(const FileMemo& memo) {
  return {reinterpret_cast<const uint8_t*>(&memo), sizeof(memo)};
}

uint64_t HashOf(const FileMemo& memo) { return Hash64(BytesOf(memo).first(offsetof(FileMemo, hash))); }

std::string MemoName(const FileIdentity& file) {
  const std::array<uint64_t, 2> which = {file.device, file.inode};
  const auto bytes = std::as_bytes(std::span(which));
  return fmt::format("{:016x}{}", Hash64({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}),
                     kMemoSuffix);
}

}  // namespace

bool IsSettled(const FileIdentity& file, int64_t now) {
  return std::max(file.modified, file.changed) <= now - kSettledNanoseconds;
}

FileMemo MakeMemo(const FileContents& contents) {
  FileMemo memo;
  memo.device = contents.file.device;
  memo.inode = contents.file.inode;
  memo.bytes = contents.file.bytes;
  memo.modified = contents.file.modified;
  memo.changed = contents.file.changed;
  memo.contents_high = contents.hash.high;
  memo.contents_low = contents.hash.low;
  memo.tensors_high = contents.tensors.high;
  memo.tensors_low = contents.tensors.low;
  memo.hash = HashOf(memo);
  return memo;
}

std::optional<FileContents> ReadMemo(std::span<const uint8_t> memo, const FileIdentity& file) {
  FileMemo read;
  if (memo.size() != sizeof(read)) return std::nullopt;
  std::memcpy(&read, memo.data(), sizeof(read));
  // Make the memo of `file` with these hashes and compare all bytes.
  const FileContents contents = {
      {read.contents_high, read.contents_low}, file, {read.tensors_high, read.tensors_low}};
  const FileMemo expected = MakeMemo(contents);
  if (!std::ranges::equal(memo, BytesOf(expected))) return std::nullopt;
  return contents;
}

std::optional<FileContents> FindMemo(const CacheFolder& folder, const FileIdentity& file) {
  const Result<std::optional<MappedFile>> read = folder.Read(MemoName(file));
  if (!read) return std::nullopt;
  const std::optional<MappedFile>& memo = *read;
  return memo ? ReadMemo(memo->bytes(), file) : std::nullopt;
}

Status KeepMemo(const CacheFolder& folder, const FileContents& contents, int64_t now) {
  if (!IsSettled(contents.file, now)) return {};
  const FileMemo memo = MakeMemo(contents);
  ASSIGN_OR_RETURN(OutputFile file, folder.Write(MemoName(contents.file)));
  RETURN_IF_ERROR(file.Write({reinterpret_cast<const char*>(&memo), sizeof(memo)}));
  return file.Finish();
}

}  // namespace ggufc::driver
