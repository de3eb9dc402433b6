// Writes binary and large seeds: fuzz_make_seeds FOLDER makes FOLDER/gguf/... and so on, one folder per target. Seeds that are
// small texts are in corpus/.
#include <elf.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "../runtime/test_image.h"
#include "fuzz_target.h"
#include "model_writer.h"
#include "runtime/store/model_card.h"
#include "runtime/store/program_format.h"
#include "runtime/text/tokenizer.h"

namespace ggufc::fuzz {
namespace {

using namespace ggufc::runtime;

class Seeds {
 public:
  explicit Seeds(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void Add(const std::string& target, std::string_view bytes) {
    const std::filesystem::path folder = folder_ / target;
    std::filesystem::create_directories(folder);
    std::ofstream out(folder / ("seed" + std::to_string(next_++)), std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    Require(out.good(), "a seed can be written");
  }
  void Add(const std::string& target, std::span<const uint8_t> bytes) {
    Add(target, AsText(bytes.data(), bytes.size()));
  }

 private:
  std::filesystem::path folder_;
  int next_ = 0;
};

// Bytes for the choices of ModelWriter, in its order. Missing choices are 0.
std::string Choices(std::initializer_list<int> bytes) {
  std::string choices;
  for (const int byte : bytes) choices += static_cast<char>(byte);
  return choices;
}

void AddModels(Seeds& seeds) {
  //                              layers dim ffn kv group head_dim vocab dense
  const std::string shapes[] = {Choices({0, 0, 0, 0, 0, 1, 9, 0}), Choices({0, 5, 5, 0, 2, 5, 9, 0}),
                                Choices({1, 8, 9, 1, 1, 5, 20, 1, 9}), Choices({2, 2, 4, 2, 0, 1, 3, 1, 0})};
  for (const std::string& shape : shapes) {
    Pieces input(reinterpret_cast<const uint8_t*>(shape.data()), shape.size());
    seeds.Add("gguf", ModelWriter(input, /*vocabulary=*/true).Write());
    for (const int target : {0, 1, 3}) {
      for (const int activations : {0, 1, 2})
        seeds.Add("model", Choices({target, activations, 0, 1}) + shape);
    }
    // Tensors of mixed types.
    seeds.Add("model", Choices({2, 0, 1, 0}) + shape +
                           Choices({0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 1, 2, 3, 1, 1, 2, 0, 3, 1}));
  }
}

std::vector<uint8_t> Tables(bool with_bytes) {
  std::vector<std::string> pieces = {"<pad>", "<eos>", "<bos>", "<unk>",   "\u2581", "a",
                                     "b",     "ab",    "aba",   "\u2581a", "<x>",    "  "};
  std::vector<int32_t> types = {3, 3, 3, 2, 1, 1, 1, 1, 1, 1, 4, 4};
  for (int byte = 0; with_bytes && byte < 256; ++byte) {
    char piece[8];
    std::snprintf(piece, sizeof piece, "<0x%02X>", static_cast<unsigned>(byte));
    pieces.emplace_back(piece);
    types.push_back(6);
  }
  std::vector<float> scores;
  for (size_t i = 0; i < pieces.size(); ++i) scores.push_back(-static_cast<float>(i));
  const std::vector<std::string_view> views(pieces.begin(), pieces.end());
  const Result<Tokenizer> tokenizer = Tokenizer::Create({.pieces = views,
                                                         .scores = scores,
                                                         .types = types,
                                                         .bos = 2,
                                                         .eos = 1,
                                                         .unknown = 3,
                                                         .add_bos = true,
                                                         .add_eos = true,
                                                         .add_space_prefix = with_bytes});
  Require(tokenizer.has_value(), "the vocabulary of the seeds is valid");
  return tokenizer->Serialize();
}

void AddTokenizers(Seeds& seeds) {
  // flags, unknown, bos, eos, count, then pieces: length and type, score, text.
  const std::string few = Choices({0, 0, 1, 2, 6, 0x52, 0}) + "<unk>" + Choices({0x33, 0}) + "<s>" +
                          Choices({0x11, 1}) + "a" + Choices({0x11, 1}) + "b" + Choices({0x21, 5}) + "ab" +
                          Choices({0x34, 0}) + "a a";
  seeds.Add("tokenizer", few + "ab a a <s>abba \xe2\x96\x81\xff");
  std::string with_bytes = few;
  with_bytes[0] = static_cast<char>(0xc4);
  seeds.Add("tokenizer", with_bytes + "<s>abab\xc3\xa9  a");
  std::string text = "<x>aba ab  \xff <eos>\n";
  text.resize(64, 'a');
  for (const bool byte_tokens : {false, true}) {
    const std::vector<uint8_t> tables = Tables(byte_tokens);
    seeds.Add("tokenizer_tables", text + std::string(AsText(tables.data(), tables.size())));
  }
}

void AddImages(Seeds& seeds) {
  ModelCard info;
  SetText(info.name, "a model");
  SetText(info.architecture, "gemma-embedding");
  SetText(info.activations, "i16");
  SetText(info.compiler_version, "0.1.0");
  runtime::SetText(info.numerics, "embed=1 gelu=1");
  info.normalize = 1;
  info.layers = 1;
  info.dims = info.full_dims = 2;
  info.vocab = 8;
  info.context_length = 16;
  info.table_row_bytes = 8;
  Program program;
  program.kernels = {"embed", "pool"};
  program.args = {{ArgKind::kIds, 0, 0, 0},
                  {ArgKind::kFile, 0, 0, 0},
                  {ArgKind::kArena, 0, 64, 0},
                  {ArgKind::kOutput, 0, 0, 0}};
  program.steps = {{.kernel = 0, .first_arg = 0, .arg_count = 3},
                   {.kernel = 1, .first_arg = 2, .arg_count = 2, .rows = Rows::kSequences}};
  program.arena_bytes_t = 128;
  program.weights_bytes = 64;
  program.file_bytes = 64;
  program.dims = 2;
  program.vocab = 8;
  program.context_length = 16;
  const GoldenVector golden[] = {{{1, 2, 3}, {0.6f, 0.8f}}, {{7}, {1, 0}}};

  TestImage image;
  image.Add(SectionKind::kModel, 0, SerializeModelCard(info));
  image.Add(SectionKind::kGolden, 0, SerializeGolden(golden));
  image.Add(SectionKind::kProgram, 5, SerializeProgram(program));
  image.Add(SectionKind::kWeights, 5, RandomBytes(64, 1));
  image.AddTables(RandomBytes(kTableChunkBytes + 64, 2));
  const std::vector<uint8_t> bytes = image.Finish();
  // The first byte selects whether hashes are corrected.
  for (const char first : {'\0', '\1'})
    seeds.Add("image", first + std::string(AsText(bytes.data(), bytes.size())));
  TestImage small;
  small.Add(SectionKind::kProgram, 5, SerializeProgram(program));
  const std::vector<uint8_t> small_bytes = small.Finish();
  seeds.Add("image", '\0' + std::string(AsText(small_bytes.data(), small_bytes.size())));
  for (const int kind : {0, 1, 2}) {
    const std::vector<uint8_t> parts[] = {SerializeProgram(program), SerializeModelCard(info),
                                          SerializeGolden(golden)};
    const std::vector<uint8_t>& part = parts[kind];
    seeds.Add("image_parts", static_cast<char>(kind) + std::string(AsText(part.data(), part.size())));
  }
}

// An object with one symbol, model_open.
void AddElf(Seeds& seeds) {
  constexpr char kNames[] = "\0model_open";
  struct File {
    Elf64_Ehdr header = {};
    Elf64_Shdr sections[3] = {};
    Elf64_Sym symbols[2] = {};
    char names[16] = {};
  } file;
  std::memcpy(file.header.e_ident, ELFMAG, SELFMAG);
  file.header.e_ident[EI_CLASS] = ELFCLASS64;
  file.header.e_ident[EI_DATA] = ELFDATA2LSB;
  file.header.e_type = ET_REL;
  file.header.e_machine = EM_X86_64;
  file.header.e_shoff = offsetof(File, sections);
  file.header.e_shnum = 3;
  file.sections[1].sh_type = SHT_SYMTAB;
  file.sections[1].sh_offset = offsetof(File, symbols);
  file.sections[1].sh_size = sizeof file.symbols;
  file.sections[1].sh_link = 2;
  file.sections[2].sh_type = SHT_STRTAB;
  file.sections[2].sh_offset = offsetof(File, names);
  file.sections[2].sh_size = sizeof file.names;
  file.symbols[1].st_name = 1;
  file.symbols[1].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
  file.symbols[1].st_shndx = 1;
  std::memcpy(file.names, kNames, sizeof kNames);
  seeds.Add("elf", {reinterpret_cast<const char*>(&file), sizeof file});
}

}  // namespace
}  // namespace ggufc::fuzz

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  std::filesystem::remove_all(argv[1]);
  ggufc::fuzz::Seeds seeds(argv[1]);
  ggufc::fuzz::AddModels(seeds);
  ggufc::fuzz::AddTokenizers(seeds);
  ggufc::fuzz::AddImages(seeds);
  ggufc::fuzz::AddElf(seeds);
  return 0;
}
