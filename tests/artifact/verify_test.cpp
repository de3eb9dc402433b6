// `ggufc verify`: what is good is called good, and every kind of damage has its message. The runtime finds the same damage
// when a program opens the model.
#include <elf.h>
#include <gmock/gmock.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <random>

#include "artifact_test.h"
#include "runtime/store/image_format.h"

namespace ggufc::testing {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class Verify : public ArtifactTest {
 protected:
  Outcome Run(const Arguments& arguments) const {
    Arguments all = {"verify"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return RunGgufc(all);
  }
  template <typename Matcher>
  void ExpectGood(const Arguments& arguments, const Matcher& says) const {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.out, says);
  }
  template <typename Matcher>
  void ExpectBad(const Arguments& arguments, const Matcher& says) const {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.status, 1) << outcome.out;
    EXPECT_THAT(outcome.err, AllOf(StartsWith("ggufc: "), says));
  }
};

TEST_F(Verify, GoodArtifacts) {
  for (const char* weights : {"sidecar", "embed"}) {
    SCOPED_TRACE(weights);
    Compile(model_, "tiny", {"--weights", weights, "--activations", "i8", "--dims", "64"});
    Compile(
        model_, "libtiny",
        {"--weights", weights, "--activations", "i8", "--dims", "64", "--emit", "shared", "--name", "tiny"});
    Compile(model_, "tiny", {"--weights", weights, "--activations", "i8", "--dims", "64", "--emit", "exe"});
    const auto all = AllOf(HasSubstr("weights undamaged (7 sections"), HasSubstr("fingerprint "));
    ExpectGood({File("tiny.o")}, AllOf(all, HasSubstr("4 golden vectors equal on generic")));
    ExpectGood({File("tiny.o"), model_}, AllOf(all, HasSubstr("compiled from " + model_)));
#ifndef GGUFC_SANITIZE
    ExpectGood({File("libtiny.so"), model_}, AllOf(all, HasSubstr("4 golden vectors equal on generic")));
#endif
    ExpectGood({File("tiny"), model_}, AllOf(all, HasSubstr("4 golden vectors equal on generic")));
    if (std::string_view(weights) == "sidecar") {
      ExpectGood({File("tiny.weights"), model_}, all);
      std::filesystem::rename(File("tiny.weights"), File("w"));
      ExpectBad({File("tiny.o")}, HasSubstr(File("tiny.weights")));
      ExpectGood({File("tiny.o"), "--weights", File("w")}, all);
    }
  }
}

TEST_F(Verify, OtherModels) {
  Compile(model_, "tiny", {"--target", "generic"});
  ExpectBad({File("tiny.weights"), DataPath("tiny-f32.gguf")}, HasSubstr("it is another model"));
  ExpectBad({File("tiny.o"), DataPath("tiny-nodense.gguf")}, HasSubstr("it is another model"));
  // The same model with other options is another model to the code.
  Compile(model_, "other", {"--target", "generic", "--no-normalize"});
  ExpectBad({File("tiny.o"), "--weights", File("other.weights")}, HasSubstr("fingerprint"));
  // Weights that were packed for other targets: the fingerprint is the same, the arrangement is not.
  Compile(model_, "vnni", {"--target", "avx512vnni", "--activations", "i8"});
  Compile(model_, "plain", {"--target", "generic", "--activations", "i8"});
  ExpectBad({File("plain.o"), "--weights", File("vnni.weights")},
            HasSubstr("no weights in the layout of target generic"));
}

// Somebody's program with a model in it is not started with flags that it may take for something else.
TEST_F(Verify, OtherProgramsAreNotRun) {
  Compile(model_, "model", {"--target", "generic", "--weights", "embed"});
  ExpectBad({Link(File("model.o"))},
            AllOf(HasSubstr("weights undamaged"), HasSubstr("no program of --emit exe")));
}

TEST_F(Verify, NoArtifacts) {
  ExpectBad({File("missing")}, HasSubstr("cannot open"));
  ExpectBad({model_}, HasSubstr(model_));
  WriteFile(File("empty"), "");
  ExpectBad({File("empty")}, HasSubstr("empty"));
  WriteFile(File("text"), "hello");
  ExpectBad({File("text")}, HasSubstr(File("text")));
  ExpectBad({GgufcBinary()}, HasSubstr("no model of ggufc"));
  Compile(model_, "tiny", {"--target", "generic"});
  const std::string object = ReadFile(File("tiny.o"));
  std::mt19937_64 random(3);
  for (int i = 0; i < 60; ++i) {
    WriteFile(File("cut.o"), std::string_view(object).substr(0, 4 + random() % (object.size() - 4)));
    const Outcome outcome = Run({File("cut.o"), "--weights", File("tiny.weights")});
    // A cut that takes only what nobody reads is none.
    EXPECT_THAT(outcome.status, AnyOf(0, 1)) << outcome.err;
  }
  EXPECT_EQ(Run({}).status, 2);
  EXPECT_EQ(Run({"a", "b", "c"}).status, 2);
}

// An ELF object of `tables` section headers that all are one table of symbols, of functions whose names begin at `starts`
// in `names`.
std::string ElfWith(const std::string& names, const std::vector<uint32_t>& starts, uint16_t tables = 1) {
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_REL;
  header.e_machine = EM_X86_64;
  header.e_shoff = sizeof(header);
  header.e_shnum = static_cast<uint16_t>(tables + 1);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  sections[0].sh_type = SHT_STRTAB;
  sections[0].sh_offset = sizeof(header) + sections.size() * sizeof(Elf64_Shdr);
  sections[0].sh_size = names.size();
  for (uint16_t i = 1; i <= tables; ++i) {
    sections[i].sh_type = SHT_SYMTAB;
    sections[i].sh_offset = sections[0].sh_offset + names.size();
    sections[i].sh_size = starts.size() * sizeof(Elf64_Sym);
  }
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  bytes.append(reinterpret_cast<const char*>(sections.data()), sections.size() * sizeof(Elf64_Shdr));
  bytes += names;
  for (const uint32_t start : starts) {
    Elf64_Sym symbol = {};
    symbol.st_name = start;
    symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    symbol.st_shndx = 1;
    bytes.append(reinterpret_cast<const char*>(&symbol), sizeof(symbol));
  }
  return bytes;
}

TEST_F(Verify, HostileSymbolsAreNoNames) {
  const std::string object = File("bad.o");
  using namespace std::string_literals;
  for (const std::string& name :
       {"../../etc/passwd_open"s, "a\x1b[31mb_open"s, "a\nb_open"s, "1a_open"s, "_open"s, "\u00e9_open"s,
        "ggufc_x_open"s, std::string(65, 'a') + "_open"}) {
    SCOPED_TRACE(name);
    WriteFile(object, ElfWith(name + '\0', {0}));
    ExpectBad({object}, HasSubstr("it defines no NAME_open"));
  }
  WriteFile(object, ElfWith(std::string(64, 'a') + "_open" + '\0', {0}));
  ExpectBad({object}, HasSubstr(std::string(64, 'a') + ".weights: cannot open"));
  // More than are told of.
  std::string names;
  std::vector<uint32_t> starts;
  for (int i = 0; i < 100; ++i) {
    starts.push_back(static_cast<uint32_t>(names.size()));
    names += "m" + std::to_string(i) + "_open" + '\0';
  }
  WriteFile(object, ElfWith(names, starts));
  ExpectBad({object}, AllOf(HasSubstr("several models: m0, m1, "), HasSubstr(", m63 and more (--name")));
}

// One long name with a symbol at each of its bytes, in many tables: 20 GB of names a table, if each were read.
TEST_F(Verify, HostileSymbolTablesTakeNoTime) {
  const std::string object = File("bad.o");
  const std::string names = std::string(200'000, 'a') + "_open" + '\0';
  std::vector<uint32_t> starts(200'000);
  std::iota(starts.begin(), starts.end(), 0);
  WriteFile(object, ElfWith(names, starts));
  const auto begin = std::chrono::steady_clock::now();
  ExpectBad({object}, HasSubstr("several models: " + std::string(64, 'a') + ", "));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  WriteFile(object, ElfWith(names, starts, 60'000));
  ExpectBad({object}, HasSubstr("ELF: section 2: another symbol table of type 2 (1 of a type is allowed)"));
}

// What a program says of damaged weights.
class Damage : public Verify {
 protected:
  void SetUp() override {
    Verify::SetUp();
    Compile(model_, "model", {"--target", "generic,native"});
    program_ = Link(File("model.o"));
    good_ = ReadFile(File("model.weights"));
    ASSERT_EQ(RunProgram(program_, {"1", "-", "text"}).status, 0);
  }

  // Both the program and verify refuse these bytes; `says` of the program's message.
  template <typename Matcher>
  void ExpectRefused(std::string_view bytes, const Matcher& says, bool when_opened = true) const {
    WriteFile(File("model.weights"), bytes);
    const Outcome verify = Run({File("model.weights")});
    EXPECT_EQ(verify.status, 1);
    EXPECT_THAT(verify.err, AllOf(HasSubstr("model.weights"), says));
    // With a text, and verifying everything.
    Outcome outcome = RunProgram(program_, when_opened ? Arguments{"1", "-", "text"} : Arguments{"1", "-"});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, AllOf(StartsWith("GGUFC_"), HasSubstr("model.weights"), says));
  }

  std::vector<runtime::SectionEntry> Sections() const {
    runtime::ImageHeader header;
    std::memcpy(&header, good_.data(), sizeof(header));
    std::vector<runtime::SectionEntry> sections(header.sections);
    std::memcpy(sections.data(), good_.data() + sizeof(header),
                sections.size() * sizeof(runtime::SectionEntry));
    return sections;
  }

  std::string program_, good_;
};

TEST_F(Damage, Missing) {
  std::filesystem::remove(File("model.weights"));
  const Outcome outcome = RunProgram(program_, {"1", "-", "text"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, AllOf(StartsWith("GGUFC_IO: "), HasSubstr(File("model.weights"))));
  EXPECT_THAT(RunProgram(program_, {"1", File("nowhere"), "text"}).err,
              AllOf(StartsWith("GGUFC_IO: "), HasSubstr(File("nowhere"))));
}

TEST_F(Damage, Truncated) {
  std::mt19937_64 random(1);
  std::vector<size_t> lengths = {0, 1, 8, 63, 64, 4095, 4096, good_.size() - 4096, good_.size() - 1};
  for (const auto& section : Sections())
    lengths.insert(lengths.end(), {section.offset, section.offset + section.bytes});
  while (lengths.size() < 60) lengths.push_back(random() % good_.size());
  for (const size_t length : lengths) {
    // The last section may end where the file does.
    if (length == good_.size()) continue;
    SCOPED_TRACE(length);
    ExpectRefused(std::string_view(good_).substr(0, length), Not(IsEmpty()));
    if (HasFailure()) return;
  }
}

TEST_F(Damage, FlippedBits) {
  std::mt19937_64 random(2);
  for (const auto& section : Sections()) {
    const bool tables = section.kind == static_cast<uint32_t>(runtime::SectionKind::kTables);
    for (int i = 0; i < 4; ++i) {
      std::string bytes = good_;
      const size_t at = section.offset + (i == 0 ? 0 : i == 1 ? section.bytes - 1 : random() % section.bytes);
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
      SCOPED_TRACE(fmt::format("section {} byte {}", section.kind, at - section.offset));
      // A row of the table is compared when a token first needs it.
      ExpectRefused(bytes, HasSubstr(runtime::SectionName(static_cast<runtime::SectionKind>(section.kind))),
                    !tables);
    }
  }
  for (int i = 0; i < 20; ++i) {
    std::string bytes = good_;
    const size_t at =
        random() % (sizeof(runtime::ImageHeader) + Sections().size() * sizeof(runtime::SectionEntry));
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
    SCOPED_TRACE(fmt::format("header byte {}", at));
    ExpectRefused(bytes, HasSubstr(": "));
  }
}

TEST_F(Damage, NewerVersion) {
  std::string bytes = good_;
  bytes[offsetof(runtime::ImageHeader, version)] = 3;
  ExpectRefused(bytes, HasSubstr("version 3"));
}

TEST_F(Damage, AnotherModelsWeights) {
  Compile(DataPath("tiny-f32.gguf"), "model.other", {"--name", "f32", "--target", "generic"});
  const Outcome outcome = RunProgram(program_, {"1", File("f32.weights"), "text"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, AllOf(StartsWith("GGUFC_MISMATCH: "), HasSubstr("fingerprint")));
}

}  // namespace
}  // namespace ggufc::testing
