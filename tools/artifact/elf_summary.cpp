#include "tools/artifact/elf_summary.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace ggufc::tools {
namespace {

// A value at any place of the file, or an error where it would lie outside.
template <typename T>
Result<T> ReadAt(std::span<const uint8_t> bytes, uint64_t offset, const char* what) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) {
    return Err("ELF: {} at {} lies outside the {} bytes of the file", what, offset, bytes.size());
  }
  T value = {};
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

Result<std::span<const uint8_t>> SectionBytes(std::span<const uint8_t> bytes, const Elf64_Shdr& section) {
  if (section.sh_offset > bytes.size() || section.sh_size > bytes.size() - section.sh_offset) {
    return Err("ELF: a section of {} bytes at {} lies outside the {} bytes of the file", section.sh_size,
               section.sh_offset, bytes.size());
  }
  return bytes.subspan(section.sh_offset, section.sh_size);
}

constexpr std::string_view kSuffix = "_open";

// What can be a NAME: a C identifier. It goes into messages and paths, so nothing else will do.
bool IsName(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return !name.empty() && name.size() <= kMaxModelName && !digit(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || digit(c); });
}

// The name that begins at `start`; empty where it is longer than any that is looked for. Any number of symbols can begin
// anywhere in one long name: what is read of each has a bound.
std::string_view NameAt(std::span<const uint8_t> names, uint64_t start) {
  constexpr size_t kLongest = kMaxModelName + kSuffix.size();
  const auto* begin = reinterpret_cast<const char*>(names.data()) + start;
  const size_t length = strnlen(begin, std::min<size_t>(kLongest + 1, names.size() - start));
  return length > kLongest ? std::string_view() : std::string_view(begin, length);
}

void TakeName(std::string_view name, ElfSummary& summary) {
  if (name == "ggufc_main") summary.runs_itself = true;
  if (!name.ends_with(kSuffix) || name.starts_with("ggufc")) return;
  name.remove_suffix(kSuffix.size());
  if (!IsName(name) || std::ranges::find(summary.models, name) != summary.models.end()) return;
  if (summary.models.size() < kMaxModels) {
    summary.models.emplace_back(name);
  } else {
    summary.has_more = true;
  }
}

Status TakeModels(std::span<const uint8_t> symbols, std::span<const uint8_t> names, ElfSummary& summary) {
  for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= symbols.size(); at += sizeof(Elf64_Sym)) {
    ASSIGN_OR_RETURN(const auto symbol, ReadAt<Elf64_Sym>(symbols, at, "a symbol"));
    if (ELF64_ST_BIND(symbol.st_info) != STB_GLOBAL || ELF64_ST_TYPE(symbol.st_info) != STT_FUNC ||
        symbol.st_shndx == SHN_UNDEF) {
      continue;
    }
    if (symbol.st_name >= names.size()) {
      return Err("ELF: the name of a symbol at {} lies outside the {} bytes of names", symbol.st_name,
                 names.size());
    }
    TakeName(NameAt(names, symbol.st_name), summary);
  }
  return {};
}

}  // namespace

bool IsElf(std::span<const uint8_t> bytes) {
  return bytes.size() >= SELFMAG && std::memcmp(bytes.data(), ELFMAG, SELFMAG) == 0;
}

Result<ElfSummary> SummarizeElf(std::span<const uint8_t> bytes) {
  ASSIGN_OR_RETURN(const auto header, ReadAt<Elf64_Ehdr>(bytes, 0, "the header"));
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64) {
    return Err("ELF: class {}, byte order {}, machine {} (x86-64 has 2, 1, 62)", header.e_ident[EI_CLASS],
               header.e_ident[EI_DATA], header.e_machine);
  }
  ElfSummary summary;
  if (header.e_type == ET_DYN) {
    summary.kind = ElfKind::kShared;
    for (uint64_t i = 0; i < header.e_phnum; ++i) {
      ASSIGN_OR_RETURN(const auto segment, ReadAt<Elf64_Phdr>(bytes, header.e_phoff + i * sizeof(Elf64_Phdr),
                                                              "a program header"));
      if (segment.p_type == PT_INTERP) summary.kind = ElfKind::kExecutable;
    }
  } else if (header.e_type == ET_EXEC) {
    summary.kind = ElfKind::kExecutable;
  } else if (header.e_type != ET_REL) {
    return Err("ELF: type {} (1: object, 2: executable, 3: shared)", header.e_type);
  }
  const auto section_at = [&](uint64_t index) {
    return ReadAt<Elf64_Shdr>(bytes, header.e_shoff + index * sizeof(Elf64_Shdr), "a section header");
  };
  bool has_symbols = false, has_dynamic = false;
  for (uint64_t i = 0; i < header.e_shnum; ++i) {
    ASSIGN_OR_RETURN(const auto section, section_at(i));
    if (section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM) continue;
    // The format allows one of each. Without that, each of 65,535 sections could be the whole file.
    if (std::exchange(section.sh_type == SHT_SYMTAB ? has_symbols : has_dynamic, true)) {
      return Err("ELF: section {}: another symbol table of type {} (1 of a type is allowed)", i,
                 section.sh_type);
    }
    ASSIGN_OR_RETURN(const auto names_section, section_at(section.sh_link));
    ASSIGN_OR_RETURN(const auto symbols, SectionBytes(bytes, section));
    ASSIGN_OR_RETURN(const auto names, SectionBytes(bytes, names_section));
    RETURN_IF_ERROR(TakeModels(symbols, names, summary));
  }
  return summary;
}

}  // namespace ggufc::tools
