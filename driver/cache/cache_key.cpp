#include "driver/cache/cache_key.h"

#include <elf.h>
#include <link.h>

#include <cstring>

#include "codegen/jit.h"
#include "driver/cache/cache_folder.h"
#include "runtime/api/ggufc.h"
#include "runtime/sys/cpu_features.h"

namespace ggufc::driver {
namespace {

constexpr uint64_t kNoteAlign = 4;

uint64_t AlignNote(uint64_t bytes) { return (bytes + kNoteAlign - 1) / kNoteAlign * kNoteAlign; }

bool Contains(const dl_phdr_info& object, uintptr_t address) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = object.dlpi_phdr[i];
    if (segment.p_type == PT_LOAD && address - (object.dlpi_addr + segment.p_vaddr) < segment.p_memsz) {
      return true;
    }
  }
  return false;
}

// The build id in the notes of a segment, as hex digits; empty if there is none.
std::string BuildIdIn(const uint8_t* notes, uint64_t bytes) {
  while (bytes >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes, sizeof(note));
    const uint64_t contents = sizeof(note) + AlignNote(note.n_namesz);
    const uint64_t whole = contents + AlignNote(note.n_descsz);
    if (whole > bytes) return {};
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
        std::memcmp(notes + sizeof(note), "GNU", sizeof("GNU")) == 0) {
      std::string id;
      for (uint64_t i = 0; i < note.n_descsz; ++i) id += fmt::format("{:02x}", notes[contents + i]);
      return id;
    }
    notes += whole;
    bytes -= whole;
  }
  return {};
}

// The build id of the program or shared library that contains `address`; empty if it has none.
std::string BuildIdAt(const void* address) {
  struct Search {
    uintptr_t address = 0;
    std::string id;
  } search{.address = reinterpret_cast<uintptr_t>(address), .id = {}};
  dl_iterate_phdr(
      [](dl_phdr_info* object, size_t, void* data) {
        auto& s = *static_cast<Search*>(data);
        if (!Contains(*object, s.address)) return 0;
        for (int i = 0; i < object->dlpi_phnum && s.id.empty(); ++i) {
          const ElfW(Phdr)& segment = object->dlpi_phdr[i];
          if (segment.p_type != PT_NOTE) continue;
          s.id = BuildIdIn(reinterpret_cast<const uint8_t*>(object->dlpi_addr + segment.p_vaddr),
                           segment.p_memsz);
        }
        return 1;
      },
      &search);
  return search.id;
}

}  // namespace

std::string CacheKey::FileName() const { return HashText128(text).Text() + std::string(kEntrySuffix); }

Result<std::string> CompilerIdentity() {
  const std::string own = BuildIdAt(reinterpret_cast<const void*>(&CompilerIdentity));
  const std::string llvm = BuildIdAt(codegen::BackendCode());
  if (own.empty() || llvm.empty()) {
    return Err(
        "{} was linked without a build id (linker option --build-id); the cache cannot distinguish its code "
        "from "
        "that of other builds",
        own.empty() ? "this compiler" : "LLVM");
  }
  return fmt::format("ggufc {} build {} llvm {}", ggufc_version(), own, llvm);
}

CacheKey MakeCacheKey(const Hash128& contents, const CompileOptions& options, const std::string& compiler) {
  return {fmt::format(
      "{}\nmodel {}\ncpu {:016x} target {}\nactivations {} dims {} normalize {} replace {} prefix {}",
      compiler, contents.Text(), runtime::HostCpuFeatures(), options.target->name(),
      ActivationsName(options.activations), options.dims, options.normalize, options.emit.replace_intrinsics,
      options.emit.symbol_prefix)};
}

}  // namespace ggufc::driver
