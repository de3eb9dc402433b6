#include "driver/aot/image_writer.h"

#include <algorithm>
#include <array>
#include <string>

#include "support/check.h"

namespace ggufc::driver {
namespace {

using runtime::AlignSection;
using runtime::ImageHeader;
using runtime::SectionEntry;

std::string_view View(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

uint64_t HeaderBytes(size_t sections) {
  return AlignSection(sizeof(ImageHeader) + sections * sizeof(SectionEntry));
}

}  // namespace

uint64_t ImageBytes(std::span<const PlannedSection> sections) {
  uint64_t bytes = HeaderBytes(sections.size());
  for (const PlannedSection& section : sections) bytes += AlignSection(section.bytes);
  return bytes;
}

Result<ImageWriter> ImageWriter::Begin(OutputFile& file, uint64_t base,
                                       const runtime::FingerprintBytes& fingerprint,
                                       std::span<const PlannedSection> sections) {
  CHECK(file.seekable() && base % runtime::kSectionAlign == 0 && !sections.empty() &&
            sections.size() <= runtime::kMaxSections,
        "{} sections at byte {}", sections.size(), base);
  ImageWriter writer(file, base, fingerprint);
  uint64_t offset = HeaderBytes(sections.size());
  for (const PlannedSection& planned : sections) {
    CHECK(planned.bytes > 0, "section {} is empty", runtime::SectionName(planned.kind));
    SectionEntry& entry = writer.sections_.emplace_back();
    entry.kind = static_cast<uint32_t>(planned.kind);
    entry.id = planned.id;
    entry.offset = offset;
    entry.bytes = planned.bytes;
    offset += AlignSection(planned.bytes);
  }
  RETURN_IF_ERROR(writer.WriteZeros(HeaderBytes(sections.size())));
  return writer;
}

Status ImageWriter::WriteZeros(uint64_t count) {
  static constexpr std::array<uint8_t, runtime::kSectionAlign> kZeros = {};
  while (count > 0) {
    const uint64_t piece = std::min<uint64_t>(count, kZeros.size());
    RETURN_IF_ERROR(file_->Write(View(std::span(kZeros).first(piece))));
    count -= piece;
  }
  return {};
}

Status ImageWriter::Write(std::span<const uint8_t> bytes) {
  CHECK(current_ < sections_.size() && bytes.size() <= sections_[current_].bytes - written_,
        "{} bytes after {} bytes of section {}", bytes.size(), written_, current_);
  // OutputFile copies the bytes of a call, so large pieces would double the memory.
  constexpr size_t kPiece = size_t{1} << 18;
  hash_.Update(bytes);
  written_ += bytes.size();
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), kPiece))) {
    RETURN_IF_ERROR(file_->Write(View(bytes.first(std::min(bytes.size(), kPiece)))));
  }
  SectionEntry& entry = sections_[current_];
  if (written_ < entry.bytes) return {};
  entry.hash = hash_.Digest();
  hash_ = Hash64Stream();
  written_ = 0;
  ++current_;
  return WriteZeros(AlignSection(entry.bytes) - entry.bytes);
}

Status ImageWriter::WriteSection(runtime::SectionKind kind, std::span<const uint8_t> bytes) {
  CHECK(written_ == 0 && current_ < sections_.size() && sections_[current_].bytes == bytes.size() &&
            sections_[current_].kind == static_cast<uint32_t>(kind),
        "section {} is not the next one, or does not have {} bytes", runtime::SectionName(kind),
        bytes.size());
  return Write(bytes);
}

Status ImageWriter::Finish() {
  CHECK(current_ == sections_.size(), "{} of {} sections are written", current_, sections_.size());
  ImageHeader header;
  header.sections = static_cast<uint32_t>(sections_.size());
  header.fingerprint = fingerprint_;
  header.file_bytes = sections_.back().offset + AlignSection(sections_.back().bytes);
  header.hash = HashOfHeader(header, sections_);
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  bytes.append(reinterpret_cast<const char*>(sections_.data()), sections_.size() * sizeof(SectionEntry));
  return file_->WriteAt(static_cast<int64_t>(base_), bytes);
}

}  // namespace ggufc::driver
