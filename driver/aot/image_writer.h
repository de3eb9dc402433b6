// Writes an image (runtime/store/image_format.h) as a stream: sections one after another, each in pieces of any size that are
// hashed while writing. Memory use does not depend on the sizes. Equal sections give equal bytes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/store/image_format.h"
#include "support/hash.h"
#include "support/os/output_file.h"
#include "support/result.h"

namespace ggufc::driver {

struct PlannedSection {
  runtime::SectionKind kind;
  uint64_t id = 0;
  uint64_t bytes = 0;  // at least 1
};

// The size of an image with these sections.
uint64_t ImageBytes(std::span<const PlannedSection> sections);

class ImageWriter {
 public:
  // The image becomes the next ImageBytes(sections) bytes of `file`, a regular file. `base` bytes have been written to it,
  // which must be a multiple of runtime::kSectionAlign. `sections`: 1 to kMaxSections in the order of writing, no two with
  // the same kind and id. `file` must outlive the writer.
  static Result<ImageWriter> Begin(OutputFile& file, uint64_t base,
                                   const runtime::FingerprintBytes& fingerprint,
                                   std::span<const PlannedSection> sections);

  // Writes the next bytes of the current section. When a section is complete the next one becomes current; the bytes of one
  // call must belong to one section.
  Status Write(std::span<const uint8_t> bytes);
  // Writes a whole section.
  Status WriteSection(runtime::SectionKind kind, std::span<const uint8_t> bytes);

  // Writes header and section table after all sections. The image is valid only then.
  Status Finish();

 private:
  ImageWriter(OutputFile& file, uint64_t base, const runtime::FingerprintBytes& fingerprint)
      : file_(&file), base_(base), fingerprint_(fingerprint) {}
  Status WriteZeros(uint64_t count);

  OutputFile* file_;
  uint64_t base_;
  runtime::FingerprintBytes fingerprint_;
  std::vector<runtime::SectionEntry> sections_;
  size_t current_ = 0;
  uint64_t written_ = 0;  // bytes of the current section
  Hash64Stream hash_;
};

}  // namespace ggufc::driver
