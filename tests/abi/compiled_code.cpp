#include "compiled_code.h"

#include <cstring>
#include <fstream>

#include "driver/fingerprint.h"
#include "frontend/gguf/gguf_reader.h"
#include "runtime/exec/weight_packer.h"
#include "runtime/store/program_format.h"
#include "support/hash.h"

namespace ggufc::testing {

using runtime::SectionKind;

runtime::PageMemory BuildImage(const ImageParts& parts) {
  struct Section {
    SectionKind kind;
    uint64_t id;
    std::vector<uint8_t> bytes;
  };
  std::vector<Section> sections;
  sections.push_back({SectionKind::kModel, 0, runtime::SerializeModelCard(parts.info)});
  sections.push_back({SectionKind::kTokenizer, 0, parts.tokenizer});
  for (const auto& [layout, weights] : parts.weights)
    sections.push_back({SectionKind::kWeights, layout, weights});
  sections.push_back({SectionKind::kTables, 0, parts.tables});
  std::vector<uint8_t> hashes;
  for (size_t begin = 0; begin < parts.tables.size(); begin += runtime::kTableChunkBytes) {
    const size_t bytes = std::min<size_t>(runtime::kTableChunkBytes, parts.tables.size() - begin);
    const uint64_t hash = Hash64(std::span(parts.tables).subspan(begin, bytes));
    const auto* const raw = reinterpret_cast<const uint8_t*>(&hash);
    hashes.insert(hashes.end(), raw, raw + sizeof(hash));
  }
  sections.push_back({SectionKind::kTableHashes, 0, hashes});
  if (!parts.golden.empty()) {
    sections.push_back({SectionKind::kGolden, 0, runtime::SerializeGolden(parts.golden)});
  }

  std::vector<runtime::SectionEntry> entries(sections.size());
  uint64_t end = sizeof(runtime::ImageHeader) + entries.size() * sizeof(runtime::SectionEntry);
  for (size_t i = 0; i < sections.size(); ++i) {
    entries[i].kind = static_cast<uint32_t>(sections[i].kind);
    entries[i].id = sections[i].id;
    entries[i].offset = runtime::AlignSection(end);
    entries[i].bytes = sections[i].bytes.size();
    entries[i].hash = Hash64(sections[i].bytes);
    end = entries[i].offset + entries[i].bytes;
  }
  runtime::ImageHeader header;
  header.sections = static_cast<uint32_t>(sections.size());
  header.fingerprint = parts.fingerprint;
  header.file_bytes = runtime::AlignSection(end);
  header.hash = runtime::HashOfHeader(header, entries);

  auto image = Value(runtime::PageMemory::Allocate(static_cast<int64_t>(header.file_bytes), "image"));
  std::memcpy(image.data(), &header, sizeof(header));
  std::memcpy(image.data() + sizeof(header), entries.data(), entries.size() * sizeof(entries[0]));
  for (size_t i = 0; i < sections.size(); ++i) {
    std::memcpy(image.data() + entries[i].offset, sections[i].bytes.data(), sections[i].bytes.size());
  }
  return image;
}

CompiledCode::CompiledCode(const std::string& model, const CodeOptions& options) {
  model_ = Value(driver::SourceModel::Open(model.find('/') == std::string::npos ? DataPath(model) : model));
  const frontend::GgufFile& file = model_->file();
  const frontend::Hparams& config = model_->config();
  driver::CompileOptions compile;
  compile.activations = options.activations;
  parts.fingerprint = Value(runtime::ParseFingerprint(Value(driver::Fingerprint(*model_, compile))));

  runtime::SetText(parts.info.name, "a tiny model");
  runtime::SetText(parts.info.architecture, config.architecture);
  runtime::SetText(parts.info.activations, driver::ActivationsName(options.activations));
  runtime::SetText(parts.info.compiler_version, "0.1.0");
  runtime::SetText(parts.info.numerics, Value(driver::NumericsOf(*model_, compile)));
  parts.info.normalize = 1;
  parts.info.layers = config.layers;
  parts.info.dims = parts.info.full_dims = config.output_dim;
  parts.info.vocab = config.vocab;
  parts.info.context_length = config.context_length;
  // The whole model file as the tables: the offsets of a program that was compiled just in time fit them as they are.
  const frontend::Tensor* const table = Value(file.GetTensor("token_embd.weight"));
  parts.info.table_offset = table->data.data() - file.bytes().data();
  parts.info.table_row_bytes = static_cast<int64_t>(table->data.size()) / config.vocab;
  parts.tables.assign(file.bytes().begin(), file.bytes().end());
  parts.tokenizer = Value(model_->tokenizer())->Serialize();

  code = {.magic = {},
          .version = GGUFC_CODE_VERSION,
          .target_count = 0,
          .fingerprint = {},
          .name = "tiny",
          .targets = nullptr,
          .image = nullptr,
          .image_bytes = 0};
  std::memcpy(code.magic, GGUFC_CODE_MAGIC, sizeof(code.magic));
  std::ranges::copy(parts.fingerprint, code.fingerprint);
  for (const std::string& name : options.targets) {
    compile.target = Value(codegen::FindTarget(name));
    driver::CompiledProgram compiled = Value(driver::CompileProgram(*model_, compile));
    AddTarget(compiled);
    embedder_ = Value(driver::MakeEmbedder(model_, std::move(compiled), {.threads = 1}));
  }
  code.targets = targets.data();
  code.target_count = static_cast<uint32_t>(targets.size());
  parts.golden = {{{2, 1}, Reference(std::vector<int32_t>{2, 1})},
                  {{2, 300, 301, 302, 1}, Reference(std::vector<int32_t>{2, 300, 301, 302, 1})}};
  Embed();
}

void CompiledCode::AddTarget(const driver::CompiledProgram& compiled) {
  auto own = std::make_unique<Target>();
  own->name = compiled.options.target->name();
  own->program = runtime::SerializeProgram(compiled.built.program);
  own->code = std::make_unique<codegen::LoadedCode>(Value(codegen::LoadedCode::Load(compiled.object)));
  for (const std::string& kernel : compiled.built.program.kernels) {
    own->kernels.push_back(reinterpret_cast<ggufc_kernel_fn>(Value(own->code->Lookup(kernel))));
  }
  const uint64_t layout = 0xa000 + targets.size();
  std::vector<uint8_t>& weights = parts.weights[layout];
  weights.resize(static_cast<size_t>(compiled.built.program.weights_bytes));
  for (const runtime::PackJob& job : compiled.built.jobs) runtime::Pack(job, weights.data() + job.offset);
  targets.push_back({.name = own->name.c_str(),
                     .features = codegen::RequiredFeatures(*compiled.options.target),
                     .layout = layout,
                     .program = own->program.data(),
                     .program_bytes = own->program.size(),
                     .kernels = own->kernels.data(),
                     .kernel_count = own->kernels.size()});
  own_.push_back(std::move(own));
}

void CompiledCode::Embed() {
  image_ = BuildImage(parts);
  code.image = image_.data();
  code.image_bytes = static_cast<uint64_t>(image_.size());
}

void CompiledCode::WriteSidecar(const std::string& path) {
  Embed();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(image_.data()), image_.size());
  CHECK(file.flush().good(), "{}", path);
  code.image = nullptr;
  code.image_bytes = 0;
}

std::vector<float> CompiledCode::Reference(const std::vector<int32_t>& ids) {
  std::vector<float> out(dims());
  const auto length = static_cast<int32_t>(ids.size());
  const Status status = embedder_->Run(ids, std::span(&length, 1), out.data());
  CHECK(status.has_value(), "{}", status.error().message);
  return out;
}

std::vector<float> CompiledCode::Reference(std::string_view text) { return Reference(Ids(text)); }

std::vector<int32_t> CompiledCode::Ids(std::string_view text) {
  std::vector<int32_t> ids;
  const Status status = Value(model_->tokenizer())->Encode(text, ids);
  CHECK(status.has_value(), "{}", status.error().message);
  return ids;
}

std::span<uint8_t> CompiledCode::Row(int32_t id) {
  const auto bytes = static_cast<size_t>(parts.info.table_row_bytes);
  return std::span(parts.tables)
      .subspan(static_cast<size_t>(parts.info.table_offset) + static_cast<size_t>(id) * bytes, bytes);
}

std::span<uint8_t> CompiledCode::RowInImage(int32_t id) {
  const std::span<const uint8_t> row = Row(id);
  const auto found = std::search(image().begin(), image().end(), row.begin(), row.end());
  CHECK(found != image().end());
  return image().subspan(static_cast<size_t>(found - image().begin()), row.size());
}

Handle Open(const ggufc_code& code, const ggufc_options& options) {
  ggufc_model* model = nullptr;
  const ggufc_status status = ggufc_open_code(&code, nullptr, &options, &model);
  EXPECT_EQ(status, GGUFC_OK) << ggufc_last_error();
  return Handle(model);
}

Handle OpenThreads(const ggufc_code& code, int threads) {
  ggufc_options options = GGUFC_OPTIONS_INIT;
  options.threads = threads;
  return Open(code, options);
}

std::vector<float> Embed(ggufc_model* model, const std::vector<std::string>& texts,
                         const ggufc_embed_options& options) {
  std::vector<const char*> data;
  std::vector<size_t> lengths;
  for (const std::string& text : texts) {
    data.push_back(text.data());
    lengths.push_back(text.size());
  }
  std::vector<float> out(texts.size() * ggufc_dims(model));
  const ggufc_status status =
      ggufc_embed(model, data.data(), lengths.data(), texts.size(), &options, out.data(), 0);
  EXPECT_EQ(status, GGUFC_OK) << ggufc_last_error();
  return out;
}

}  // namespace ggufc::testing
