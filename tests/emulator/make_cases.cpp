// make_cases DATA OUT: compiles the tiny golden models for avx512vnni, computes the expected outputs on this machine
// with generic code, and writes the inputs of emulator_program: OUT/cases.bin, OUT/kernel_table.cpp and one object per
// case.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>

#include "case_file.h"
#include "driver/loaded_program.h"

namespace ggufc::emulator {
namespace {

struct Source {
  const char* name;  // of the case, its object file and the prefix of its symbols
  const char* model;
  ir::Scalar activations;
};

constexpr Source kSources[] = {
    {"q8_0_i16", "tiny-q8_0.gguf", ir::Scalar::kQ16},
    {"q8_0_i8", "tiny-q8_0.gguf", ir::Scalar::kQ8},
    {"q8_0_i7", "tiny-q8_0.gguf", ir::Scalar::kQ7},
    {"f32", "tiny-f32.gguf", ir::Scalar::kQ16},
};

// Covers every height of a register tile up to 12, and more than one row block: 60 tokens are five tiles of 12 in two
// row blocks.
std::vector<std::vector<int32_t>> Lengths() { return {{1}, {2, 3, 5}, {7, 4, 6}, {9, 8}, {10, 11}, {60}}; }

Status WriteFile(const std::string& path, const void* data, size_t size) {
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  file.close();
  if (!file) return Err("{}: cannot write", path);
  return {};
}

Result<Case> MakeCase(const Source& source, const std::string& data, const std::string& out,
                      std::string& table) {
  ASSIGN_OR_RETURN(const auto model, driver::SourceModel::Open(data + "/" + source.model));
  driver::CompileOptions options;
  options.activations = source.activations;
  options.emit.symbol_prefix = std::string(source.name) + ".";
  ASSIGN_OR_RETURN(options.target, codegen::FindTarget("avx512vnni"));
  ASSIGN_OR_RETURN(const driver::CompiledProgram compiled, driver::CompileProgram(*model, options));
  RETURN_IF_ERROR(
      WriteFile(fmt::format("{}/{}.o", out, source.name), compiled.object.data(), compiled.object.size()));

  Case made;
  made.name = source.name;
  made.program = compiled.built.program;
  made.weights.resize(static_cast<size_t>(made.program.weights_bytes));
  for (const runtime::PackJob& job : compiled.built.jobs)
    runtime::Pack(job, made.weights.data() + job.offset);
  made.file.assign(model->file().bytes().begin(), model->file().bytes().end());
  for (const std::string& symbol : made.program.kernels) {
    const size_t index = static_cast<size_t>(std::count(table.begin(), table.end(), '\n'));
    table += fmt::format("{}\t{}\n", index, symbol);
  }

  ASSIGN_OR_RETURN(options.target, codegen::FindTarget("generic"));
  ASSIGN_OR_RETURN(driver::CompiledProgram generic, driver::CompileProgram(*model, options));
  ASSIGN_OR_RETURN(const auto embedder, driver::MakeEmbedder(model, std::move(generic), {.threads = 1}));
  std::mt19937_64 random(1);
  for (const auto& lengths : Lengths()) {
    Batch batch;
    batch.lengths = lengths;
    int64_t tokens = 0;
    for (const int32_t length : lengths) tokens += length;
    for (int64_t i = 0; i < tokens; ++i) {
      batch.ids.push_back(static_cast<int32_t>(random() % static_cast<uint64_t>(made.program.vocab)));
    }
    batch.expected.resize(lengths.size() * static_cast<size_t>(made.program.dims));
    RETURN_IF_ERROR(embedder->Run(batch.ids, batch.lengths, batch.expected.data()));
    made.batches.push_back(std::move(batch));
  }
  return made;
}

// The definition of KernelTable, from lines of "index <tab> symbol".
std::string TableSource(const std::string& table) {
  std::string declarations, entries;
  for (size_t at = 0; at < table.size();) {
    const size_t tab = table.find('\t', at), end = table.find('\n', at);
    const std::string index = table.substr(at, tab - at), symbol = table.substr(tab + 1, end - tab - 1);
    declarations += fmt::format(
        "extern \"C\" void kernel_{}(void* const*, void*, int64_t, int64_t, int64_t, int64_t) "
        "__asm__(\"{}\");\n",
        index, symbol);
    entries += fmt::format("      {{\"{}\", &kernel_{}}},\n", symbol, index);
    at = end + 1;
  }
  return fmt::format(
      "#include \"kernel_table.h\"\n\n{}\nnamespace ggufc::emulator {{\n\nstd::span<const KernelEntry> "
      "KernelTable() {{\n"
      "  static const KernelEntry entries[] = {{\n{}  }};\n  return entries;\n}}\n\n}}  // namespace "
      "ggufc::emulator\n",
      declarations, entries);
}

Status Make(const std::string& data, const std::string& out) {
  std::vector<Case> cases;
  std::string table;
  for (const Source& source : kSources) {
    ASSIGN_OR_RETURN(Case made, MakeCase(source, data, out, table));
    cases.push_back(std::move(made));
  }
  const std::string text = TableSource(table);
  RETURN_IF_ERROR(WriteFile(out + "/kernel_table.cpp", text.data(), text.size()));
  return WriteCases(out + "/cases.bin", cases);
}

}  // namespace
}  // namespace ggufc::emulator

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: make_cases DATA OUT\n", stderr);
    return 2;
  }
  if (const ggufc::Status status = ggufc::emulator::Make(argv[1], argv[2]); !status) {
    fmt::print(stderr, "make_cases: {}\n", status.error().message);
    return 1;
  }
  return 0;
}
