// The object file of a model that is compiled ahead of time: kernels of several targets, and the data through which
// the runtime finds them (runtime/api/code.h).
//
//   NAME_code   ggufc_code, hidden: fingerprint, targets with their serialised programs and kernel pointers
//   NAME_open   ggufc_status NAME_open(const char*, const ggufc_options*, ggufc_model**): ggufc_open_code(&NAME_code, ...)
//   main        if asked for: ggufc_main(&NAME_code, argc, argv)
//
// ggufc_open_code and ggufc_main are all that is undefined. Kernels are local symbols, "avx2.ffn_down". Each function's
// machine code is what EmitObject makes for its target alone. Equal inputs give equal bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "codegen/target.h"
#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::codegen {

struct ArtifactTarget {
  const Target* target = nullptr;
  const ir::Module* module = nullptr;  // passes ir::Verify, at the loop stage
  std::vector<std::string> kernels;    // functions of the module, in the order of the program's kernels
  std::vector<uint8_t> program;        // runtime::SerializeProgram
  uint64_t layout = 0;                 // id of the weights section that the program reads
};

struct ArtifactCode {
  std::string name;  // NAME, a C identifier
  std::array<uint8_t, 16> fingerprint{};
  std::vector<ArtifactTarget> targets;  // least capable first, each target once
  uint64_t image_bytes = 0;             // weights in the object; 0: in a file of their own
  bool main = false;
};

// The section that holds embedded weights, 4096-byte aligned. Its name makes it large read-only data to linkers, which
// put it behind everything that code reaches with 32-bit offsets.
inline constexpr const char* kImageSection = ".lrodata.ggufc";

// An ELF object (x86-64, position independent). With image_bytes its section kImageSection holds one byte, so that 300 MB
// need not pass through LLVM: ReserveImage makes room.
Result<std::vector<uint8_t>> EmitArtifactObject(const ArtifactCode& code);

// Pads the object to a multiple of 4096 and lets kImageSection be the `image_bytes` that are to follow. Without them it
// is no object any more.
void ReserveImage(std::vector<uint8_t>& object, uint64_t image_bytes);

// LLVM IR as it goes into instruction selection, and assembly (AT&T syntax). Without the image.
Result<std::string> PrintArtifactLlvm(const ArtifactCode& code);
Result<std::string> PrintArtifactAssembly(const ArtifactCode& code);

}  // namespace ggufc::codegen
