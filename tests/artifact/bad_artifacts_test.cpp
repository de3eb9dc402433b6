// Weights of an ahead-of-time model that are wrong in one place, with hashes that are right: what a forger would write, or
// a writer with a bug. `ggufc verify` says what is wrong, and a program with such weights refuses them when it opens them.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstring>
#include <functional>

#include "artifact_test.h"
#include "runtime/store/image_format.h"
#include "runtime/store/model_card.h"
#include "runtime/text/tokenizer_tables.h"
#include "support/hash.h"

namespace ggufc::testing {
namespace {

using runtime::ImageHeader;
using runtime::ModelCard;
using runtime::SectionEntry;
using runtime::SectionKind;
using runtime::TokenizerHeader;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A file of weights, taken apart.
struct Weights {
  ImageHeader header;
  std::vector<SectionEntry> entries;
  std::string bytes;

  explicit Weights(std::string file) : bytes(std::move(file)) {
    std::memcpy(&header, bytes.data(), sizeof header);
    entries.resize(header.sections);
    std::memcpy(entries.data(), bytes.data() + sizeof header, entries.size() * sizeof(SectionEntry));
  }

  SectionEntry& Entry(SectionKind kind) {
    const auto found = std::ranges::find(entries, static_cast<uint32_t>(kind), &SectionEntry::kind);
    return *found;
  }
  // A value in a section, to be changed in place.
  template <typename T>
  void Change(SectionKind kind, size_t at, const std::function<void(T&)>& change) {
    T value;
    char* const place = bytes.data() + Entry(kind).offset + at;
    std::memcpy(&value, place, sizeof value);
    change(value);
    std::memcpy(place, &value, sizeof value);
  }
  template <typename T>
  void Put(SectionKind kind, size_t at, T value) {
    Change<T>(kind, at, [&](T& there) { there = value; });
  }

  // The header, the table and their hash. `sections`: the hashes of the sections, too, where they lie within the file.
  std::string Sealed(bool sections) {
    for (SectionEntry& entry : entries) {
      if (!sections || entry.offset > bytes.size() || entry.bytes > bytes.size() - entry.offset) continue;
      entry.hash = Hash64({reinterpret_cast<const uint8_t*>(bytes.data()) + entry.offset, entry.bytes});
    }
    header.hash = HashOfHeader(header, entries);
    std::string file = bytes;
    std::memcpy(file.data(), &header, sizeof header);
    std::memcpy(file.data() + sizeof header, entries.data(), entries.size() * sizeof(SectionEntry));
    return file;
  }
};

struct Case {
  const char* name;
  std::function<void(Weights&)> change;
  std::string message;      // behind the file's name
  bool sections = true;     // whether hashes of sections are made right
  bool when_opened = true;  // false: only a look at everything finds it
};

void ChangeInfo(Weights& w, const std::function<void(ModelCard&)>& change) {
  w.Change<ModelCard>(SectionKind::kModel, 0, change);
}
void ChangeTokenizer(Weights& w, const std::function<void(TokenizerHeader&)>& change) {
  w.Change<TokenizerHeader>(SectionKind::kTokenizer, 0, change);
}

const Case kCases[] = {
    {"Magic", [](Weights& w) { w.header.magic[7] = 'X'; }, "header: not a ggufc image"},
    {"VersionZero", [](Weights& w) { w.header.version = 0; },
     "header: image version 0, but this program reads version 2"},
    {"VersionThree", [](Weights& w) { w.header.version = 3; },
     "header: image version 3, but this program reads version 2; the file comes from a newer ggufc"},
    {"NoSections", [](Weights& w) { w.header.sections = 0; }, "header: 0 sections (1 to 64 are allowed)"},
    {"TooManySections", [](Weights& w) { w.header.sections = 65; },
     "header: 65 sections (1 to 64 are allowed)"},
    {"FileShorter", [](Weights& w) { w.header.file_bytes += 4096; }, "it is cut short"},
    {"FileLonger", [](Weights& w) { w.bytes.resize(w.bytes.size() + 4096); }, "it has something appended"},
    {"HeaderReserved", [](Weights& w) { w.header.zero[1] = 1; }, "header: reserved bytes are not 0"},
    {"KindUnknown", [](Weights& w) { w.entries[0].kind = 10; }, "section 0 of 6: unknown kind 10"},
    {"EntryReserved", [](Weights& w) { w.entries[1].zeros[0] = 1; },
     "section 1 of 6: reserved bytes are not 0"},
    {"IdOfModel", [](Weights& w) { w.Entry(SectionKind::kModel).id = 1; }, "its id must be 0"},
    {"OffsetUnaligned", [](Weights& w) { w.entries[0].offset += 8; }, "not a multiple of 4096"},
    {"OffsetInHeader", [](Weights& w) { w.entries[0].offset = 0; },
     "offset 0 lies before 448, the end of the section before it"},
    {"Overlap", [](Weights& w) { w.entries[2].offset = w.entries[1].offset; },
     "the end of the section before it"},
    {"SectionEmpty", [](Weights& w) { w.entries[0].bytes = 0; }, "it is empty"},
    {"SectionPastEnd", [](Weights& w) { w.entries.back().bytes += 4096; }, "lie outside the file of"},
    {"SectionHuge", [](Weights& w) { w.entries.back().bytes = ~uint64_t{0}; },
     "18446744073709551615 bytes at offset"},
    {"SectionTwice",
     [](Weights& w) { w.Entry(SectionKind::kGolden).kind = static_cast<uint32_t>(SectionKind::kModel); },
     "model section: the image has it twice"},
    {"TablesWithoutHashes",
     [](Weights& w) {
       SectionEntry& entry = w.Entry(SectionKind::kTableHashes);
       entry.kind = static_cast<uint32_t>(SectionKind::kCode);
     },
     "a tables section, but no table hashes section"},
    {"FewTableHashes", [](Weights& w) { w.Entry(SectionKind::kTableHashes).bytes -= 8; },
     "table hashes section:"},
    {"SectionHash", [](Weights& w) { ++w.Entry(SectionKind::kTokenizer).hash; },
     "tokenizer section: the hash of its", false},
    {"TableChunk",
     [](Weights& w) { w.Change<uint64_t>(SectionKind::kTableHashes, 0, [](uint64_t& hash) { ++hash; }); },
     "tables section:", true, false},
    {"GapNotZero", [](Weights& w) { w.bytes[512] = 1; }, "are not 0", true, false},

    {"DimsZero", [](Weights& w) { ChangeInfo(w, [](ModelCard& i) { i.dims = 0; }); },
     "dims: 0 (1 to 128 are allowed)"},
    {"DimsAboveFull", [](Weights& w) { ChangeInfo(w, [](ModelCard& i) { i.dims = 129; }); },
     "dims: 129 (1 to 128 are allowed)"},
    {"VocabHuge", [](Weights& w) { ChangeInfo(w, [](ModelCard& i) { i.vocab = int64_t{1} << 40; }); },
     "vocab: 1099511627776 (1 to 16777216 are allowed)"},
    {"ContextNegative", [](Weights& w) { ChangeInfo(w, [](ModelCard& i) { i.context_length = -1; }); },
     "context_length: -1 (1 to 33554432 are allowed)"},
    {"NameUnended",
     [](Weights& w) { ChangeInfo(w, [](ModelCard& i) { std::memset(i.name, 'n', sizeof i.name); }); },
     "name: does not end in a zero"},
    {"NameWithEscape", [](Weights& w) { ChangeInfo(w, [](ModelCard& i) { i.name[0] = '\x1b'; }); },
     "name: byte 0x1b at 0 is not printable UTF-8"},

    {"TokenizerMagic", [](Weights& w) { ChangeTokenizer(w, [](TokenizerHeader& h) { h.magic[0] = 'g'; }); },
     "header: no tokenizer tables"},
    {"TokenizerVersion", [](Weights& w) { ChangeTokenizer(w, [](TokenizerHeader& h) { h.version = 9; }); },
     "header: version 9 (this program reads 2)"},
    {"TokenizerTokens", [](Weights& w) { ChangeTokenizer(w, [](TokenizerHeader& h) { h.tokens = ~0u; }); },
     "header: 4294967295 tokens (1 to 16777216 are allowed)"},
    {"TokenizerMoreTokens",
     [](Weights& w) { ChangeTokenizer(w, [](TokenizerHeader& h) { h.tokens += 1024; }); }, "tokenizer: "},
    {"TokenizerBos", [](Weights& w) { ChangeTokenizer(w, [](TokenizerHeader& h) { h.bos = h.tokens; }); },
     "header: BOS is token 640 of 640"},
    {"TokenizerSlots", [](Weights& w) { ChangeTokenizer(w, [](TokenizerHeader& h) { h.slots -= 1; }); },
     "slots, not a power of two"},
    {"TokenizerByteToken",
     [](Weights& w) { w.Put<int32_t>(SectionKind::kTokenizer, sizeof(TokenizerHeader), 640); },
     "byte 0x00: token 640 of 640"},

    {"GoldenCount", [](Weights& w) { w.Put<uint32_t>(SectionKind::kGolden, 0, 9); }, "golden"},
    {"GoldenDims", [](Weights& w) { w.Put<uint32_t>(SectionKind::kGolden, 4, 64); },
     "dims: 64, but the model's embeddings have 128"},
    {"GoldenLength", [](Weights& w) { w.Put<uint32_t>(SectionKind::kGolden, 8, 0); }, "golden"},
    {"GoldenNan",
     [](Weights& w) {
       w.Put<uint32_t>(SectionKind::kGolden, w.Entry(SectionKind::kGolden).bytes - 4, 0x7fc00000u);
     },
     "embeddings: a value is not finite"},
};

class BadArtifacts : public ArtifactTest {};

TEST_F(BadArtifacts, AreRefused) {
  Compile(model_, "model", {"--target", "generic"});
  const std::string program = Link(File("model.o")), good = ReadFile(File("model.weights"));
  ASSERT_EQ(RunProgram(program, {"1", "-", "text"}).status, 0);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    Weights weights(good);
    c.change(weights);
    WriteFile(File("model.weights"), weights.Sealed(c.sections));
    const Outcome verify = RunGgufc({"verify", File("model.weights")});
    EXPECT_EQ(verify.status, 1);
    EXPECT_THAT(verify.err,
                AllOf(StartsWith("ggufc: " + File("model.weights") + ": "), HasSubstr(c.message)));
    if (!c.when_opened) continue;
    const Outcome run = RunProgram(program, {"1", "-", "text"});
    EXPECT_EQ(run.status, 1);
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, AllOf(StartsWith("GGUFC_"), HasSubstr("model.weights: "), HasSubstr(c.message)));
  }
}

// The same forgeries at random: any byte of any section but the weights, behind hashes that fit. What is taken runs; what
// it computes is another matter.
TEST_F(BadArtifacts, AtRandom) {
  Compile(model_, "model", {"--target", "generic"});
  const std::string program = Link(File("model.o")), good = ReadFile(File("model.weights"));
  uint64_t state = 20240901;
  const auto below = [&](uint64_t limit) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % limit;
  };
  int refused = 0;
  constexpr int kRounds = 40;
  for (int round = 0; round < kRounds; ++round) {
    Weights weights(good);
    constexpr SectionKind kKinds[] = {SectionKind::kModel, SectionKind::kTokenizer, SectionKind::kGolden};
    const SectionEntry& section = weights.Entry(kKinds[below(3)]);
    // Half of them where the counts are.
    const uint64_t at =
        section.offset + below(round % 2 == 0 ? section.bytes : std::min<uint64_t>(section.bytes, 64));
    weights.bytes[at] = static_cast<char>(weights.bytes[at] ^ (1 << below(8)));
    SCOPED_TRACE(fmt::format("round {}, section {}, byte {}", round, section.kind, at - section.offset));
    WriteFile(File("model.weights"), weights.Sealed(true));
    const Outcome verify = RunGgufc({"verify", File("model.weights")});
    const Outcome run = RunProgram(program, {"1", "-", "text"});
    ASSERT_LE(verify.status, 1) << verify.err;
    ASSERT_LE(run.status, 1) << run.err;
    refused += run.status;
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, kRounds);
}

}  // namespace
}  // namespace ggufc::testing
