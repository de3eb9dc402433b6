#include "runtime/store/image.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/exec/memory.h"
#include "support/hash.h"

namespace ggufc::runtime {
namespace {

constexpr ErrorKind kBad = ErrorKind::kBadFile;

// "weights section", "weights section 00c0ffee00000001".
std::string Describe(SectionKind kind, uint64_t id) {
  return id == 0 ? fmt::format("{} section", SectionName(kind))
                 : fmt::format("{} section {:016x}", SectionName(kind), id);
}
std::string Describe(const SectionEntry& section) {
  return Describe(static_cast<SectionKind>(section.kind), section.id);
}

bool HasId(SectionKind kind) {
  return kind == SectionKind::kWeights || kind == SectionKind::kProgram || kind == SectionKind::kCode;
}

bool IsZero(std::span<const uint8_t> bytes) {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

}  // namespace

Result<Image> Image::Open(const std::string& path) {
  ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
  return FromFile(std::move(file));
}

Result<Image> Image::FromFile(MappedFile file) {
  const std::span<const uint8_t> bytes = file.bytes();
  ASSIGN_OR_RETURN(Image image, Parse(bytes, file.path()));
  image.file_ = std::move(file);
  return image;
}

Result<Image> Image::FromMemory(std::span<const uint8_t> bytes, std::string name) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % kMemoryAlign != 0) {
    return Err("{}: the image is at address {}, expected a multiple of {}", name, fmt::ptr(bytes.data()),
               kMemoryAlign);
  }
  return Parse(bytes, std::move(name));
}

Result<Image> Image::Parse(std::span<const uint8_t> bytes, std::string name) {
  ImageHeader header;
  if (bytes.size() < sizeof(header)) {
    return Err(kBad, "{}: {} bytes, too short for a header of {}", name, bytes.size(), sizeof(header));
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != kImageMagic) return Err(kBad, "{}: header: not a ggufc image", name);
  if (header.version != kImageVersion) {
    return Err(kBad, "{}: header: image version {}, but this program reads version {}{}", name,
               header.version, kImageVersion,
               header.version > kImageVersion ? "; the file comes from a newer ggufc" : "");
  }
  if (header.sections < 1 || header.sections > kMaxSections) {
    return Err(kBad, "{}: header: {} sections (1 to {} are allowed)", name, header.sections, kMaxSections);
  }
  Image image;
  image.sections_.resize(header.sections);
  const std::span<SectionEntry> sections = image.sections_;
  if (bytes.size() - sizeof(header) < sections.size_bytes()) {
    return Err(kBad, "{}: {} bytes, too short for a table of {} sections; the file is cut short", name,
               bytes.size(), header.sections);
  }
  std::memcpy(sections.data(), bytes.data() + sizeof(header), sections.size_bytes());
  if (const uint64_t hash = HashOfHeader(header, sections); hash != header.hash) {
    return Err(kBad, "{}: header: its hash is {:016x}, expected {:016x}; the file is damaged", name, hash,
               header.hash);
  }
  if (header.file_bytes != bytes.size()) {
    return Err(kBad, "{}: the file has {} bytes, expected {}; it {}", name, bytes.size(), header.file_bytes,
               bytes.size() < header.file_bytes ? "is cut short" : "has something appended");
  }
  // The hash was right, so errors from here on come from a faulty or hostile writer.
  if (header.zero != decltype(header.zero){}) return Err(kBad, "{}: header: reserved bytes are not 0", name);
  image.bytes_ = bytes;
  image.fingerprint_ = header.fingerprint;
  image.name_ = std::move(name);
  RETURN_IF_ERROR(WithContext(image.name_, WithKind(kBad, image.CheckEntries(header.file_bytes))));
  RETURN_IF_ERROR(image.InitTables());
  return image;
}

Status Image::CheckEntries(uint64_t file_bytes) const {
  uint64_t end = sizeof(ImageHeader) + sections_.size() * sizeof(SectionEntry);
  for (size_t i = 0; i < sections_.size(); ++i) {
    RETURN_IF_ERROR(WithContext(fmt::format("section {} of {}", i, sections_.size()), CheckEntry(i, end)));
    end = sections_[i].offset + sections_[i].bytes;
  }
  if (AlignSection(end) != file_bytes) {
    return Err("header: the file has {} bytes, but the last section ends at {}", file_bytes, end);
  }
  return {};
}

// `end_before`: the end of the section before it, or of the table of sections.
Status Image::CheckEntry(size_t i, uint64_t end_before) const {
  const SectionEntry& section = sections_[i];
  const auto kind = static_cast<SectionKind>(section.kind);
  if (kind < SectionKind::kModel || kind > SectionKind::kEntry) return Err("unknown kind {}", section.kind);
  if (section.zero != 0 || section.zeros != decltype(section.zeros){}) return Err("reserved bytes are not 0");
  if (section.id != 0 && !HasId(kind)) return Err("{}: its id must be 0", Describe(section));
  if (section.offset % kSectionAlign != 0) {
    return Err("{}: offset {} is not a multiple of {}", Describe(section), section.offset, kSectionAlign);
  }
  if (section.offset < end_before) {
    return Err("{}: offset {} lies before {}, the end of the section before it", Describe(section),
               section.offset, end_before);
  }
  if (section.bytes == 0) return Err("{}: it is empty", Describe(section));
  if (section.offset >= bytes_.size() || section.bytes > bytes_.size() - section.offset) {
    return Err("{}: {} bytes at offset {} lie outside the file of {}", Describe(section), section.bytes,
               section.offset, bytes_.size());
  }
  for (size_t j = 0; j < i; ++j) {
    if (sections_[j].kind == section.kind && sections_[j].id == section.id) {
      return Err("{}: the image has it twice", Describe(section));
    }
  }
  return {};
}

Status Image::InitTables() {
  const SectionEntry* const tables = Find(SectionKind::kTables, 0);
  const bool has_hashes = Has(SectionKind::kTableHashes);
  if (tables == nullptr && (!has_hashes || Has(SectionKind::kEntry))) return {};
  if (tables == nullptr || !has_hashes) {
    return Err(kBad, "{}: has a {}, but no {}", name_,
               Describe(has_hashes ? SectionKind::kTableHashes : SectionKind::kTables, 0),
               Describe(has_hashes ? SectionKind::kTables : SectionKind::kTableHashes, 0));
  }
  ASSIGN_OR_RETURN(const auto hashes, Get(SectionKind::kTableHashes));
  const uint64_t chunks = ChunksOf(tables->bytes, kTableChunkBytes);
  if (hashes.size() != chunks * sizeof(uint64_t)) {
    return Err(kBad, "{}: {}: {} bytes, expected {} for the {} bytes of the tables", name_,
               Describe(SectionKind::kTableHashes, 0), hashes.size(), chunks * sizeof(uint64_t),
               tables->bytes);
  }
  tables_ = ChunkedTable(BytesOf(*tables),
                         {reinterpret_cast<const uint64_t*>(hashes.data()), static_cast<size_t>(chunks)},
                         fmt::format("{}: {}", name_, Describe(SectionKind::kTables, 0)));
  return {};
}

const SectionEntry* Image::Find(SectionKind kind, uint64_t id) const {
  for (const SectionEntry& section : sections_) {
    if (static_cast<SectionKind>(section.kind) == kind && section.id == id) return &section;
  }
  return nullptr;
}

std::span<const uint8_t> Image::BytesOf(const SectionEntry& section) const {
  return bytes_.subspan(section.offset, section.bytes);
}

Result<std::span<const uint8_t>> Image::CheckedBytes(const SectionEntry& section) const {
  const std::span<const uint8_t> bytes = BytesOf(section);
  RETURN_IF_ERROR(WithContext(fmt::format("{}: {}", name_, Describe(section)), PopulatePages(bytes)));
  if (const uint64_t hash = Hash64(bytes); hash != section.hash) {
    return Err(kBad, "{}: {}: the hash of its {} bytes is {:016x}, expected {:016x}; the file is damaged",
               name_, Describe(section), bytes.size(), hash, section.hash);
  }
  return bytes;
}

Result<std::span<const uint8_t>> Image::Get(SectionKind kind, uint64_t id) const {
  const SectionEntry* const section = Find(kind, id);
  if (section == nullptr) return Err(kBad, "{}: there is no {}", name_, Describe(kind, id));
  if (kind == SectionKind::kTables) return BytesOf(*section);
  return CheckedBytes(*section);
}

Status Image::CheckAll() const {
  uint64_t end = sizeof(ImageHeader) + sections_.size() * sizeof(SectionEntry);
  const auto check_gap = [&](uint64_t next) -> Status {
    if (IsZero(bytes_.subspan(end, next - end))) return {};
    return Err(kBad, "{}: bytes {} to {} belong to no section and are not 0; the file is damaged", name_, end,
               next);
  };
  for (const SectionEntry& section : sections_) {
    RETURN_IF_ERROR(check_gap(section.offset));
    RETURN_IF_ERROR(CheckedBytes(section));
    end = section.offset + section.bytes;
  }
  RETURN_IF_ERROR(check_gap(bytes_.size()));
  return tables_.CheckAll();
}

}  // namespace ggufc::runtime
