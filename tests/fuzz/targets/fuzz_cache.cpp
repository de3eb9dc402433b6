// What the cache's files hold besides an image (fuzz_image.cpp): the first byte says which. Even: what an entry is the result
// of, odd: a memo about a file.
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
      fuzz::Require(std::ranges::equal(SerializeEntryInfo(*info), bytes), "an entry's info has one spelling");
    } else {
      fuzz::RequireMessage(info.error().message, "entry: ");
    }
    return 0;
  }
  const FileIdentity file = {.device = 1, .inode = 2, .bytes = 3, .modified = 4, .changed = 5};
  if (const std::optional<FileContents> contents = ReadMemo(bytes, file); contents) {
    const FileMemo memo = MakeMemo(*contents);
    fuzz::Require(bytes.size() == sizeof(memo) && std::memcmp(bytes.data(), &memo, sizeof(memo)) == 0,
                  "a memo has one spelling");
  }
  return 0;
}
