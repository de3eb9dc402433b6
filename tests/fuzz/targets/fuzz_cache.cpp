// Contents of the cache's files other than images (fuzz_image.cpp). An even first byte selects the info of an entry, an odd
// one a memo about a file.
#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "driver/cache/cache_entry.h"
#include "driver/cache/file_memo.h"
#include "fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ggufc;
  using namespace ggufc::driver;
  if (size == 0) return 0;
  const std::span<const uint8_t> bytes(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    if (const Result<EntryInfo> info = ParseEntryInfo(bytes); info) {
      fuzz::Require(std::ranges::equal(SerializeEntryInfo(*info), bytes),
                    "serialising an entry's info gives the same bytes");
    } else {
      fuzz::RequireMessage(info.error().message, "entry: ");
    }
    return 0;
  }
  const FileIdentity file = {.device = 1, .inode = 2, .bytes = 3, .modified = 4, .changed = 5};
  if (const std::optional<FileContents> contents = ReadMemo(bytes, file); contents) {
    const FileMemo memo = MakeMemo(*contents);
    fuzz::Require(bytes.size() == sizeof(memo) && std::memcmp(bytes.data(), &memo, sizeof(memo)) == 0,
                  "making the memo again gives the same bytes");
  }
  return 0;
}
