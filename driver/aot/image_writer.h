// Writes an image (runtime/store/image_format.h) as a stream: sections one after another, each in pieces of any size, hashed on
// their way; memory does not depend on their sizes. Equal sections give equal bytes.
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

// The size of an image with these sections, which is known before any of them is.
uint64_t ImageBytes(std::span<const PlannedSection> sections);

class ImageWriter {
 public:
  // The image becomes the next ImageBytes(sections) bytes of `file`, a regular file to which `base` bytes have been
  // written, a multiple of runtime::kSectionAlign. The sections: in the order in which they will be written, 1 to
  // kMaxSections, no two with the same kind and id. `file` must outlive the writer.
  static Result<ImageWriter> Begin(OutputFile& file, uint64_t base,
                                   const runtime::FingerprintBytes& fingerprint,
                                   std::span<const PlannedSection> sections);

  // The next bytes of the section that is being written. A section is followed by the next one as soon as it has all
  // of its bytes; a call does not cross that border.
  Status Write(std::span<const uint8_t> bytes);
  // All of a section at once.
  Status WriteSection(runtime::SectionKind kind, std::span<const uint8_t> bytes);

  // All sections have been written: header and table go to their place. The image is none before that.
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
  uint64_t written_ = 0;  // of the current section
  Hash64Stream hash_;
};

}  // namespace ggufc::driver
