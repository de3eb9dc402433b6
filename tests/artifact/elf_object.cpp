#include "elf_object.h"

#include <elf.h>

#include <cstring>

#include "support/check.h"

namespace ggufc::testing {
namespace {

template <typename T>
std::vector<T> Table(std::span<const uint8_t> bytes, uint64_t offset, uint64_t count) {
  CHECK(offset + count * sizeof(T) <= bytes.size(), "{} entries at {}", count, offset);
  std::vector<T> table(count);
  if (count > 0) std::memcpy(table.data(), bytes.data() + offset, count * sizeof(T));
  return table;
}

}  // namespace

ElfObject::ElfObject(std::span<const uint8_t> bytes) {
  const auto header = Table<Elf64_Ehdr>(bytes, 0, 1).front();
  CHECK(std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_type == ET_REL, "no object");
  const auto sections = Table<Elf64_Shdr>(bytes, header.e_shoff, header.e_shnum);
  // Of each section, the places that relocations change.
  std::map<uint64_t, std::vector<uint64_t>> relocated;
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_RELA) continue;
    for (const auto& rela :
         Table<Elf64_Rela>(bytes, section.sh_offset, section.sh_size / sizeof(Elf64_Rela))) {
      relocated[section.sh_info].push_back(rela.r_offset);
    }
  }
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_SYMTAB) continue;
    const char* names = reinterpret_cast<const char*>(bytes.data()) + sections[section.sh_link].sh_offset;
    for (const auto& symbol :
         Table<Elf64_Sym>(bytes, section.sh_offset, section.sh_size / sizeof(Elf64_Sym))) {
      const std::string name = names + symbol.st_name;
      if (name.empty() || ELF64_ST_TYPE(symbol.st_info) == STT_FILE) continue;
      const bool local = ELF64_ST_BIND(symbol.st_info) == STB_LOCAL;
      symbols_[name] = {symbol.st_shndx != SHN_UNDEF, local, symbol.st_size};
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      ObjectFunction& function = functions_[name];
      function.local = local;
      function.code =
          Table<uint8_t>(bytes, sections[symbol.st_shndx].sh_offset + symbol.st_value, symbol.st_size);
      for (const uint64_t at : relocated[symbol.st_shndx]) {
        if (at >= symbol.st_value && at < symbol.st_value + symbol.st_size) {
          function.relocated.push_back(at - symbol.st_value);
        }
      }
    }
  }
}

}  // namespace ggufc::testing
