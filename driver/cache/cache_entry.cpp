#include "driver/cache/cache_entry.h"

#include <algorithm>
#include <array>
#include <utility>

#include "driver/aot/image_writer.h"
#include "driver/compile.h"
#include "runtime/api/embedder.h"
#include "runtime/store/byte_io.h"
#include "runtime/store/chunked_table.h"
#include "runtime/store/program_format.h"

namespace ggufc::driver {
namespace {

using runtime::SectionKind;

constexpr std::array<char, 8> kMagic = {'G', 'G', 'U', 'F', 'C', 'E', 'N', 'T'};
// The id of sections that have one per layout; an entry has a single layout.
constexpr uint64_t kNoLayout = 0;

void PutText(runtime::ByteWriter& writer, std::string_view text) {
  text = text.substr(0, kMaxEntryTextBytes);
  writer.Put(static_cast<uint32_t>(text.size()));
  writer.PutAll(text);
}

Status GetText(runtime::ByteReader& reader, std::string_view field, std::string& text) {
  uint32_t length = 0;
  RETURN_IF_ERROR(reader.Get(field, length));
  if (length > kMaxEntryTextBytes) {
    return Err("{}: {} bytes (at most {} are allowed)", field, length, kMaxEntryTextBytes);
  }
  if (length > reader.left()) return Err("{}: {} bytes, but only {} are left", field, length, reader.left());
  text.resize(length);
  return reader.GetAll(field, text);
}

Result<EntryInfo> ReadInfo(std::span<const uint8_t> bytes) {
  runtime::ByteReader reader(bytes);
  std::array<char, 8> magic = {};
  uint32_t version = 0, warnings = 0;
  EntryInfo info;
  RETURN_IF_ERROR(reader.GetAll("magic", magic));
  if (magic != kMagic) return Err("magic: not a cache entry");
  RETURN_IF_ERROR(reader.Get("version", version));
  if (version != kEntryVersion) return Err("version {} ({} is known)", version, kEntryVersion);
  RETURN_IF_ERROR(reader.Get("warnings", warnings));
  if (warnings > kMaxEntryWarnings) {
    return Err("warnings: {} ({} are allowed)", warnings, kMaxEntryWarnings);
  }
  RETURN_IF_ERROR(GetText(reader, "key", info.key));
  RETURN_IF_ERROR(GetText(reader, "model", info.model));
  RETURN_IF_ERROR(GetText(reader, "target", info.target));
  for (uint32_t i = 0; i < warnings; ++i) {
    RETURN_IF_ERROR(GetText(reader, "warning", info.warnings.emplace_back()));
  }
  if (reader.left() != 0) return Err("{} bytes after the last warning, expected none", reader.left());
  return info;
}

std::vector<PlannedSection> SectionsOf(const EntryParts& parts) {
  return {{SectionKind::kEntry, 0, parts.info.size()},
          {SectionKind::kModel, 0, parts.model.size()},
          {SectionKind::kTokenizer, 0, parts.tokenizer.size()},
          {SectionKind::kProgram, kNoLayout, parts.program.size()},
          {SectionKind::kCode, kNoLayout, parts.code.size()},
          {SectionKind::kTableHashes, 0, parts.table_hashes.size_bytes()},
          {SectionKind::kWeights, kNoLayout, parts.weights.size()}};
}

// The hashes are used in place as 64-bit numbers; sections are page-aligned.
Result<std::span<const uint64_t>> HashesIn(const runtime::Image& image, const runtime::ModelCard& info) {
  ASSIGN_OR_RETURN(const auto bytes, image.Get(SectionKind::kTableHashes));
  const uint64_t table = static_cast<uint64_t>(info.vocab) * static_cast<uint64_t>(info.table_row_bytes);
  const uint64_t chunks = runtime::ChunksOf(table, runtime::kTableChunkBytes);
  if (bytes.size() != chunks * sizeof(uint64_t)) {
    return Err("table hashes: {} bytes, expected {} for a table of {}", bytes.size(),
               chunks * sizeof(uint64_t), table);
  }
  return std::span(reinterpret_cast<const uint64_t*>(bytes.data()), static_cast<size_t>(chunks));
}

Result<std::unique_ptr<CachedProgram>> ReadParts(runtime::Image image, const CacheKey& key,
                                                 uint64_t model_bytes) {
  ASSIGN_OR_RETURN(EntryInfo entry, ReadEntryInfo(image));
  if (entry.key != key.text) return Err("the entry belongs to another model or to other options");
  ASSIGN_OR_RETURN(const auto model, image.Get(SectionKind::kModel));
  ASSIGN_OR_RETURN(const runtime::ModelCard info, runtime::ParseModelCard(model));
  RETURN_IF_ERROR(runtime::CheckTableFits(info, static_cast<int64_t>(model_bytes)));
  ASSIGN_OR_RETURN(const auto table_hashes, HashesIn(image, info));
  ASSIGN_OR_RETURN(const auto tables, image.Get(SectionKind::kTokenizer));
  ASSIGN_OR_RETURN(runtime::Tokenizer tokenizer, runtime::Tokenizer::FromBytes(tables));
  ASSIGN_OR_RETURN(const auto steps, image.Get(SectionKind::kProgram, kNoLayout));
  ASSIGN_OR_RETURN(runtime::Program program, runtime::ParseProgram(steps));
  ASSIGN_OR_RETURN(const auto weights, image.Get(SectionKind::kWeights, kNoLayout));
  RETURN_IF_ERROR(runtime::CheckTogether(info, program, &tokenizer));
  const int64_t tokens = std::max(runtime::ExecutorOptions().chunk_tokens, program.context_length);
  RETURN_IF_ERROR(runtime::ValidateProgram(program, static_cast<int64_t>(weights.size()),
                                           static_cast<int64_t>(model_bytes), tokens));
  ASSIGN_OR_RETURN(const auto object, image.Get(SectionKind::kCode, kNoLayout));
  ASSIGN_OR_RETURN(codegen::LoadedCode code, codegen::LoadedCode::Load(object));
  ASSIGN_OR_RETURN(std::vector<runtime::KernelFn> kernels, LookupKernels(code, program));
  return std::make_unique<CachedProgram>(CachedProgram{.image = std::move(image),
                                                       .entry = std::move(entry),
                                                       .info = info,
                                                       .tokenizer = std::move(tokenizer),
                                                       .program = std::move(program),
                                                       .code = std::move(code),
                                                       .kernels = std::move(kernels),
                                                       .weights = weights,
                                                       .table_hashes = table_hashes,
                                                       .code_bytes = object.size()});
}

}  // namespace

std::vector<uint8_t> SerializeEntryInfo(const EntryInfo& info) {
  const std::span warnings =
      std::span(info.warnings).first(std::min<size_t>(info.warnings.size(), kMaxEntryWarnings));
  runtime::ByteWriter writer;
  writer.PutAll(kMagic);
  writer.Put(kEntryVersion);
  writer.Put(static_cast<uint32_t>(warnings.size()));
  PutText(writer, info.key);
  PutText(writer, info.model);
  PutText(writer, info.target);
  for (const std::string& warning : warnings) PutText(writer, warning);
  return writer.Take();
}

Result<EntryInfo> ParseEntryInfo(std::span<const uint8_t> bytes) {
  return WithContext("entry", WithKind(ErrorKind::kBadFile, ReadInfo(bytes)));
}

uint64_t EntryBytes(const EntryParts& parts) { return ImageBytes(SectionsOf(parts)); }

Status WriteEntry(OutputFile& file, const EntryParts& parts) {
  const std::vector<PlannedSection> sections = SectionsOf(parts);
  ASSIGN_OR_RETURN(ImageWriter writer, ImageWriter::Begin(file, 0, parts.fingerprint, sections));
  const auto* const hashes = reinterpret_cast<const uint8_t*>(parts.table_hashes.data());
  RETURN_IF_ERROR(writer.WriteSection(SectionKind::kEntry, parts.info));
  RETURN_IF_ERROR(writer.WriteSection(SectionKind::kModel, parts.model));
  RETURN_IF_ERROR(writer.WriteSection(SectionKind::kTokenizer, parts.tokenizer));
  RETURN_IF_ERROR(writer.WriteSection(SectionKind::kProgram, parts.program));
  RETURN_IF_ERROR(writer.WriteSection(SectionKind::kCode, parts.code));
  RETURN_IF_ERROR(writer.WriteSection(SectionKind::kTableHashes, {hashes, parts.table_hashes.size_bytes()}));
  RETURN_IF_ERROR(writer.WriteSection(SectionKind::kWeights, parts.weights));
  return writer.Finish();
}

Result<EntryInfo> ReadEntryInfo(const runtime::Image& image) {
  ASSIGN_OR_RETURN(const auto bytes, image.Get(SectionKind::kEntry));
  return ParseEntryInfo(bytes);
}

Result<std::unique_ptr<CachedProgram>> ReadEntry(MappedFile file, const CacheKey& key, uint64_t model_bytes) {
  const std::string path = file.path();
  ASSIGN_OR_RETURN(runtime::Image image, runtime::Image::FromFile(std::move(file)));
  Result<std::unique_ptr<CachedProgram>> read =
      WithKind(ErrorKind::kBadFile, ReadParts(std::move(image), key, model_bytes));
  // Most messages start with the path already.
  if (read || read.error().message.starts_with(path)) return read;
  return WithContext(path, std::move(read));
}

}  // namespace ggufc::driver
