// Emits the object file of a model that is compiled ahead of time: the kernels of several targets, and the descriptor
// through which the runtime finds them (runtime/api/code.h).
//
//   NAME_code   ggufc_code, hidden: fingerprint, targets with their serialised programs and kernel pointers
//   NAME_open   ggufc_status NAME_open(const char*, const ggufc_options*, ggufc_model**): ggufc_open_code(&NAME_code, ...)
//   main        with ArtifactCode::main: ggufc_main(&NAME_code, argc, argv)
//
// ggufc_open_code and ggufc_main are the only undefined symbols. Kernels are local symbols such as "avx2.ffn_down". The
// machine code of each function equals that of EmitObject for its target alone. Equal inputs give equal bytes.
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
  const ir::Module* module = nullptr;  // at the loop stage; must pass ir::Verify
  std::vector<std::string> kernels;    // functions of the module, in the order of the program's kernels
  std::vector<uint8_t> program;        // the result of runtime::SerializeProgram
  uint64_t layout = 0;                 // id of the weights section that the program reads
};

struct ArtifactCode {
  std::string name;  // NAME, a C identifier
  std::array<uint8_t, 16> fingerprint{};
  std::vector<ArtifactTarget> targets;  // least capable first, without duplicates
  uint64_t image_bytes = 0;             // bytes of weights in the object; 0: weights in a separate file
  bool main = false;                    // define main()
};

// The section of embedded weights, aligned to 4096 bytes. Its name marks large read-only data, which linkers place after
// everything that code reaches with 32-bit offsets.
inline constexpr const char* kImageSection = ".lrodata.ggufc";

// An ELF object (x86-64, position independent). If image_bytes is not 0, the section kImageSection has one byte, so that
// 300 MB of weights do not pass through LLVM; ReserveImage enlarges it.
Result<std::vector<uint8_t>> EmitArtifactObject(const ArtifactCode& code);

// Pads the object to a multiple of 4096 bytes and makes kImageSection refer to the `image_bytes` bytes after it. The object
// is valid only once these bytes are appended.
void ReserveImage(std::vector<uint8_t>& object, uint64_t image_bytes);

// LLVM IR as the input of instruction selection, and assembly (AT&T syntax), both without the image.
Result<std::string> PrintArtifactLlvm(const ArtifactCode& code);
Result<std::string> PrintArtifactAssembly(const ArtifactCode& code);

}  // namespace ggufc::codegen
