// An image (NAME.weights, or a cache entry) and the contents of its sections. A fuzzer rarely finds correct hashes. With an
// even first byte the hashes are corrected before the image is opened, because contents with correct hashes must be handled
// safely too.
#include <algorithm>
#include <cstring>
#include <vector>

#include "../../runtime/test_image.h"
#include "fuzz_target.h"
#include "runtime/store/image.h"
#include "runtime/store/model_card.h"
#include "runtime/store/program_format.h"
#include "runtime/text/tokenizer.h"
#include "support/hash.h"

namespace ggufc::fuzz {
namespace {

using namespace ggufc::runtime;

void CorrectHashes(std::span<uint8_t> bytes) {
  ImageHeader header;
  if (bytes.size() < sizeof header) return;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.file_bytes = bytes.size();
  const size_t room = (bytes.size() - sizeof header) / sizeof(SectionEntry);
  header.sections = static_cast<uint32_t>(std::min<size_t>({header.sections, room, kMaxSections}));
  std::vector<SectionEntry> sections(header.sections);
  if (!sections.empty())
    std::memcpy(sections.data(), bytes.data() + sizeof header, sections.size() * sizeof(SectionEntry));
  // First the section with the hashes of the table's chunks, because the hash of that section depends on it.
  for (const SectionEntry& hashes : sections) {
    if (hashes.kind != static_cast<uint32_t>(SectionKind::kTableHashes)) continue;
    for (const SectionEntry& table : sections) {
      if (table.kind != static_cast<uint32_t>(SectionKind::kTables)) continue;
      for (uint64_t chunk = 0; chunk < hashes.bytes / 8 && chunk * kTableChunkBytes < table.bytes; ++chunk) {
        const uint64_t begin = chunk * kTableChunkBytes,
                       size = std::min(kTableChunkBytes, table.bytes - begin);
        if (table.offset > bytes.size() || begin + size > bytes.size() - table.offset) break;
        if (hashes.offset > bytes.size() || (chunk + 1) * 8 > bytes.size() - hashes.offset) break;
        const uint64_t hash = Hash64(bytes.subspan(table.offset + begin, size));
        std::memcpy(bytes.data() + hashes.offset + chunk * 8, &hash, sizeof hash);
      }
    }
  }
  for (SectionEntry& section : sections) {
    if (section.offset <= bytes.size() && section.bytes <= bytes.size() - section.offset)
      section.hash = Hash64(bytes.subspan(section.offset, section.bytes));
  }
  header.hash = HashOfHeader(header, sections);
  std::memcpy(bytes.data(), &header, sizeof header);
  if (!sections.empty())
    std::memcpy(bytes.data() + sizeof header, sections.data(), sections.size() * sizeof(SectionEntry));
}

void ReadSection(SectionKind kind, std::span<const uint8_t> bytes, const Result<ModelCard>& info) {
  switch (kind) {
    case SectionKind::kProgram:
      if (const Result<Program> program = ParseProgram(bytes); program) {
        const std::vector<uint8_t> again = SerializeProgram(*program);
        Require(std::ranges::equal(again, bytes), "serialising a program gives the same bytes");
      } else {
        RequireMessage(program.error().message);
      }
      return;
    case SectionKind::kGolden:
      if (!info) return;
      if (const Result<std::vector<GoldenVector>> golden = ParseGolden(bytes, *info); golden) {
        Require(std::ranges::equal(SerializeGolden(*golden), bytes),
                "serialising golden vectors gives the same bytes");
      } else {
        RequireMessage(golden.error().message);
      }
      return;
    case SectionKind::kTokenizer:
      if (const Result<Tokenizer> tokenizer = Tokenizer::FromBytes(bytes); tokenizer) {
        std::vector<int32_t> ids;
        static_cast<void>(tokenizer->Encode("Some text.", ids));
      } else {
        RequireMessage(tokenizer.error().message);
      }
      return;
    default:
      return;
  }
}

void Open(std::span<const uint8_t> bytes) {
  const Result<Image> image = Image::FromMemory(bytes, "image");
  if (!image) {
    RequireMessage(image.error().message, "image: ");
    return;
  }
  const Status all = image->CheckAll();
  if (!all) RequireMessage(all.error().message, "image: ");
  Result<ModelCard> info = Err("no model section");
  for (const SectionEntry& section : image->sections()) {
    const auto kind = static_cast<SectionKind>(section.kind);
    const Result<std::span<const uint8_t>> content = image->Get(kind, section.id);
    if (!content) {
      Require(!all.has_value(), "sections of an undamaged image can be read");
      RequireMessage(content.error().message, "image: ");
      continue;
    }
    Require(content->size() == section.bytes, "a section has its stated size");
    if (kind == SectionKind::kModel) {
      info = ParseModelCard(*content);
      if (!info) RequireMessage(info.error().message);
    }
    if (kind == SectionKind::kTables) {
      static constexpr int64_t kPlaces[] = {-1, 0, 1, 65535, 65536, INT64_MAX};
      for (const int64_t offset : kPlaces) {
        for (const int64_t count : kPlaces) {
          if (const Status checked = image->CheckTables(offset, count); !checked)
            RequireMessage(checked.error().message, "image: ");
        }
      }
    }
    ReadSection(kind, *content, info);
  }
}

}  // namespace
}  // namespace ggufc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ggufc::fuzz;
  if (size == 0) return 0;
  const ggufc::runtime::AlignedBytes image({data + 1, size - 1});
  if (data[0] % 2 == 0) CorrectHashes(image.span());
  Open(image.span());
  return 0;
}
