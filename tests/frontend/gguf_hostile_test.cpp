// Invalid files are refused with an exact message; no file makes the reader crash.
#include <gmock/gmock.h>

#include <ctime>
#include <functional>
#include <random>

#include "frontend/gguf/gguf_reader.h"
#include "frontend/gguf/tensor_data.h"
#include "frontend/tokenizer/vocabulary.h"
#include "test_files.h"
#include "test_paths.h"

namespace ggufc::frontend {
namespace {

constexpr uint64_t kHuge = ~uint64_t{0};

struct BadFile {
  const char* name;
  std::function<RawGguf()> make;
  const char* message;  // the message after "PATH: "; a trailing ... stands for any text
};

void PrintTo(const BadFile& file, std::ostream* out) { *out << file.name; }

const BadFile kBadFiles[] = {
    {"ThreeBytes", [] { return RawGguf().Put<uint8_t>('G').Put<uint8_t>('G').Put<uint8_t>('U'); },
     "3 bytes are too few for a GGUF file"},
    {"Magic",
     [] { return RawGguf().Put<uint32_t>(0x46554746).Put<uint32_t>(3).Put<uint64_t>(0).Put<uint64_t>(0); },
     "not a GGUF file (it does not begin with \"GGUF\")"},
    {"MagicOnly", [] { return RawGguf().Put(kGgufMagic); }, "the file ends in the header (at byte 4 of 4)"},
    {"Version1", [] { return RawGguf().Header(0, 0, 1); }, "GGUF version 1 (2 and 3 are known)"},
    {"Version4", [] { return RawGguf().Header(0, 0, 4); }, "GGUF version 4 (2 and 3 are known)"},
    {"BigEndian", [] { return RawGguf().Header(0, 0, 0x03000000); },
     "a big-endian GGUF file (only little endian is read)"},
    {"NoCounts", [] { return RawGguf().Put(kGgufMagic).Put<uint32_t>(3); },
     "the file ends in the header (at byte 8 of 8)"},
    {"TensorCountLimit", [] { return RawGguf().Header(65537, 0); }, "header: 65537 tensors (limit 65536)"},
    {"TensorCountHuge", [] { return RawGguf().Header(kHuge, 0); },
     "header: 18446744073709551615 tensors (limit 65536)"},
    {"TensorCountBytes", [] { return RawGguf().Header(2, 0).Data(32); },
     "header: 2 tensors do not fit in the 40 bytes left"},
    {"EntryCountLimit", [] { return RawGguf().Header(0, 1 << 20); },
     "header: 1048576 metadata entries (limit 65536)"},
    {"EntryCountBytes", [] { return RawGguf().Header(0, 9); },
     "header: 9 metadata entries do not fit in the 0 bytes left"},
    {"KeyLength", [] { return RawGguf().Header(0, 1).Put(kHuge).Data(64); },
     "metadata entry 0 of 1: the file ends in the key (at byte 32 of 96)"},
    {"KeyEmpty", [] { return RawGguf().Header(0, 1).Text("").Put<uint32_t>(4).Put<uint32_t>(4).Data(0); },
     "metadata entry 0 of 1: key of 0 bytes (1 to 65535 are allowed)"},
    {"KeyTooLong",
     [] { return RawGguf().Header(0, 1).Text(std::string(65536, 'k')).Put<uint32_t>(4).Put<uint32_t>(4); },
     "metadata entry 0 of 1: key of 65536 bytes (1 to 65535 are allowed)"},
    {"KeyTwice", [] { return RawGguf().Header(0, 2).Entry<uint8_t>("k", 1).Entry<uint8_t>("k", 2); },
     "key 'k' appears twice"},
    {"KeysTwice",
     [] {
       return RawGguf()
           .Header(0, 5)
           .Entry<uint8_t>("a", 1)
           .Entry<uint8_t>("z", 2)
           .Entry<uint8_t>("z", 2)
           .Entry<uint8_t>("a", 2)
           .Entry<uint8_t>("m", 2);
     },
     "key 'z' appears twice"},
    {"KeyWithControlBytes", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("\x1b[2J", 1); },
     "metadata entry 0 of 1: key '\\x1b[2J': U+001B at byte 0 is a control character"},
    {"KeyWithNul", [] { return RawGguf().Header(0, 1).Entry<uint32_t>(std::string("ab\0c", 4), 1); },
     "metadata entry 0 of 1: key 'ab\\x00c': U+0000 at byte 2 is a control character"},
    {"KeyWithDelete", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("a\x7f", 1); },
     "metadata entry 0 of 1: key 'a\\x7f': U+007F at byte 1 is a control character"},
    {"KeyWithC1", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("a\xc2\x9b", 1); },
     "metadata entry 0 of 1: key 'a\\xc2\\x9b': U+009B at byte 1 is a control character"},
    {"KeyNotUtf8", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("key\xff", 1); },
     "metadata entry 0 of 1: key 'key\\xff': byte 0xff at 3 is not UTF-8"},
    {"KeyOverlong", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("\xc0\xaf", 1); },
     "metadata entry 0 of 1: key '\\xc0\\xaf': byte 0xc0 at 0 is not UTF-8"},
    {"KeySurrogate", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("\xed\xa0\x80", 1); },
     "metadata entry 0 of 1: key '\\xed\\xa0\\x80': byte 0xed at 0 is not UTF-8"},
    {"KeyCutInACharacter", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("\xe2\x96", 1); },
     "metadata entry 0 of 1: key '\\xe2\\x96': byte 0xe2 at 0 is not UTF-8"},
    {"ValueTypeMissing", [] { return RawGguf().Header(0, 1).Text("kkkk").Put<uint16_t>(0); },
     "metadata entry 0 of 1: the file ends in the value type (at byte 36 of 38)"},
    {"SecondKeyMissing", [] { return RawGguf().Header(0, 2).Entry<uint64_t>("k", 1).Put<uint64_t>(1); },
     "metadata entry 1 of 2: the file ends in the key (at byte 53 of 53)"},
    {"ValueTypeHuge", [] { return RawGguf().Header(0, 1).Text("k").Put<uint32_t>(~0u).Put<uint64_t>(0); },
     "key 'k': unknown value type 4294967295"},
    {"ValueType", [] { return RawGguf().Header(0, 1).Text("k").Put<uint32_t>(13).Put<uint64_t>(0); },
     "key 'k': unknown value type 13"},
    {"ValueMissing", [] { return RawGguf().Header(0, 1).Text("kk").Put(ValueType::kF64).Put<uint32_t>(0); },
     "key 'kk': 1 values of type f64 do not fit in the 4 bytes left"},
    {"Bool", [] { return RawGguf().Header(0, 1).Text("k").Put(ValueType::kBool).Put<uint8_t>(2); },
     "key 'k': a bool holds 2 (0 and 1 are allowed)"},
    {"BoolArray",
     [] {
       return RawGguf()
           .Header(0, 1)
           .Text("k")
           .Put(ValueType::kArray)
           .Put(ValueType::kBool)
           .Put<uint64_t>(2)
           .Put<uint8_t>(1)
           .Put<uint8_t>(255);
     },
     "key 'k': a bool holds 255 (0 and 1 are allowed)"},
    {"StringPastEnd",
     [] { return RawGguf().Header(0, 1).Text("k").Put(ValueType::kString).Put<uint64_t>(1); },
     "key 'k': the file ends in the string 0 of 1 (at byte 45 of 45)"},
    {"StringHuge", [] { return RawGguf().Header(0, 1).Text("k").Put(ValueType::kString).Put(kHuge); },
     "key 'k': the file ends in the string 0 of 1 (at byte 45 of 45)"},
    {"ArrayHeader", [] { return RawGguf().Header(0, 1).Text("k").Put(ValueType::kArray).Put<uint32_t>(4); },
     "key 'k': the file ends in the array's header..."},
    {"ArrayOfArrays",
     [] {
       return RawGguf().Header(0, 1).Text("k").Put(ValueType::kArray).Put(ValueType::kArray).Put<uint64_t>(1);
     },
     "key 'k': nested arrays are not read"},
    {"ArrayElementType",
     [] {
       return RawGguf().Header(0, 1).Text("k").Put(ValueType::kArray).Put<uint32_t>(99).Put<uint64_t>(1);
     },
     "key 'k': unknown array element type 99"},
    {"ArrayOverflow",
     [] {
       return RawGguf().Header(0, 1).Text("k").Put(ValueType::kArray).Put(ValueType::kU64).Put(kHuge / 8 + 1);
     },
     "key 'k': 2305843009213693952 values of type u64 do not fit in the 0 bytes left"},
    {"ArrayOneTooMany",
     [] {
       return RawGguf()
           .Header(0, 1)
           .Text("k")
           .Put(ValueType::kArray)
           .Put(ValueType::kU16)
           .Put<uint64_t>(3)
           .Put<uint32_t>(0)
           .Put<uint8_t>(0);
     },
     "key 'k': 3 values of type u16 do not fit in the 5 bytes left"},
    {"StringArrayCount",
     [] {
       return RawGguf()
           .Header(0, 1)
           .Text("k")
           .Put(ValueType::kArray)
           .Put(ValueType::kString)
           .Put<uint64_t>(1 << 30)
           .Put<uint64_t>(0);
     },
     "key 'k': 1073741824 strings do not fit in the 8 bytes left"},
    {"StringArrayShort",
     [] {
       return RawGguf()
           .Header(0, 1)
           .Text("k")
           .Put(ValueType::kArray)
           .Put(ValueType::kString)
           .Put<uint64_t>(2)
           .Text("01234567");
     },
     "key 'k': the file ends in the string 1 of 2 (at byte 65 of 65)"},
    {"AlignmentThree", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("general.alignment", 24); },
     "key 'general.alignment': 24 (a power of two from 8 to 65536 is expected)"},
    {"AlignmentZero", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("general.alignment", 0); },
     "key 'general.alignment': 0 (a power of two from 8 to 65536 is expected)"},
    {"AlignmentSmall", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("general.alignment", 4); },
     "key 'general.alignment': 4 (a power of two from 8 to 65536 is expected)"},
    {"AlignmentLarge", [] { return RawGguf().Header(0, 1).Entry<uint64_t>("general.alignment", 131072); },
     "key 'general.alignment': 131072 (a power of two from 8 to 65536 is expected)"},
    {"AlignmentType", [] { return RawGguf().Header(0, 1).Entry<float>("general.alignment", 32); },
     "key 'general.alignment' is of type f32 (an integer is expected)"},
    {"TensorNameEmpty", [] { return RawGguf().Header(1, 0).TensorInfo("", {4}, 0, 0).Data(16); },
     "tensor 0 of 1: name of 0 bytes (1 to 64 are allowed)"},
    {"TensorNameLong",
     [] { return RawGguf().Header(1, 0).TensorInfo(std::string(65, 'n'), {4}, 0, 0).Data(16); },
     "tensor 0 of 1: name of 65 bytes (1 to 64 are allowed)"},
    {"TensorTwice",
     [] { return RawGguf().Header(2, 0).TensorInfo("t", {4}, 0, 0).TensorInfo("t", {4}, 0, 32).Data(64); },
     "tensor 't' appears twice"},
    {"TensorNameNotUtf8", [] { return RawGguf().Header(1, 0).TensorInfo("t\x80", {4}, 0, 0).Data(16); },
     "tensor 0 of 1: name 't\\x80': byte 0x80 at 1 is not UTF-8"},
    {"TensorNameWithNul",
     [] { return RawGguf().Header(1, 0).TensorInfo(std::string("t\0x", 3), {4}, 0, 0).Data(16); },
     "tensor 0 of 1: name 't\\x00x': U+0000 at byte 1 is a control character"},
    {"TensorNamePastEnd", [] { return RawGguf().Header(1, 0).Put<uint64_t>(64).Data(32); },
     "tensor 0 of 1: the file ends in the name (at byte 32 of 64)"},
    {"RankMissing", [] { return RawGguf().Header(1, 0).Text(std::string(27, 't')).Put<uint16_t>(0); },
     "tensor 'ttttttttttttttttttttttttttt': the file ends in the rank (at byte 59 of 61)"},
    {"ShapeMissing",
     [] { return RawGguf().Header(1, 0).Text("tttttt").Put<uint32_t>(3).Put<uint64_t>(1).Put<uint64_t>(1); },
     "tensor 'tttttt': the file ends in the shape (at byte 58 of 58)"},
    {"RankHuge", [] { return RawGguf().Header(1, 0).Text("tttttttt").Put<uint32_t>(~0u).Data(64); },
     "tensor 'tttttttt': rank 4294967295 (1 to 4 are allowed)"},
    {"TensorsAtOnePlace",
     [] { return RawGguf().Header(2, 0).TensorInfo("a", {4}, 0, 32).TensorInfo("b", {4}, 0, 32).Data(64); },
     "tensors 'a' (bytes 128 to 143 of the file) and 'b' (from byte 128 on) overlap"},
    {"TensorsOverlap",
     [] { return RawGguf().Header(2, 0).TensorInfo("a", {9}, 0, 0).TensorInfo("b", {4}, 0, 32).Data(64); },
     "tensors 'a' (bytes 96 to 131 of the file) and 'b' (from byte 128 on) overlap"},
    {"TensorsOverlapBackwards",
     [] { return RawGguf().Header(2, 0).TensorInfo("a", {4}, 0, 32).TensorInfo("b", {9}, 0, 0).Data(64); },
     "tensors 'b' (bytes 96 to 131 of the file) and 'a' (from byte 128 on) overlap"},
    {"RankZero", [] { return RawGguf().Header(1, 0).TensorInfo("t", {}, 0, 0).Data(64); },
     "tensor 't': rank 0 (1 to 4 are allowed)"},
    {"RankFive", [] { return RawGguf().Header(1, 0).TensorInfo("t", {1, 1, 1, 1, 1}, 0, 0).Data(64); },
     "tensor 't': rank 5 (1 to 4 are allowed)"},
    {"DimZero", [] { return RawGguf().Header(1, 0).TensorInfo("t", {4, 0}, 0, 0).Data(64); },
     "tensor 't': dimension 1 is 0"},
    {"ElementsOverflow", [] { return RawGguf().Header(1, 0).TensorInfo("t", {kHuge, 2}, 0, 0).Data(64); },
     "tensor 't': the number of elements does not fit in 64 bits"},
    {"SizeOverflow", [] { return RawGguf().Header(1, 0).TensorInfo("t", {kHuge / 2}, 0, 0).Data(64); },
     "tensor 't': its size does not fit in 64 bits"},
    {"Q4KRow", [] { return RawGguf().Header(1, 0).TensorInfo("t", {128, 2}, 12, 0).Data(256); },
     "tensor 't': rows of 128 values (type q4_k needs a multiple of 256)"},
    {"Q4KOneByteShort", [] { return RawGguf().Header(1, 0).TensorInfo("t", {256}, 12, 0).Data(143); },
     "tensor 't': 144 bytes at offset 0 of the data (byte 64 of the file) reach past the end of the file "
     "(207 "
     "bytes)"},
    {"Q4KSizeOverflow",
     [] { return RawGguf().Header(1, 0).TensorInfo("t", {kHuge / 256 * 256}, 28, 0).Data(64); },
     "tensor 't': its size does not fit in 64 bits"},
    {"UnknownTypeWithoutData", [] { return RawGguf().Header(1, 0).TensorInfo("t", {256}, 4711, 0).Data(0); },
     "tensor 't': 1 bytes at offset 0 of the data (byte 64 of the file) reach past the end of the file (64 "
     "bytes)"},
    {"UnknownTypePastEnd", [] { return RawGguf().Header(1, 0).TensorInfo("t", {256}, 4711, 64).Data(64); },
     "tensor 't': 1 bytes at offset 64 of the data..."},
    {"UnknownTypeOverflow",
     [] { return RawGguf().Header(1, 0).TensorInfo("t", {256}, 4711, kHuge - 31).Data(64); },
     "tensor 't': 1 bytes at offset 18446744073709551584 of the data..."},
    {"UnknownTypeUnaligned", [] { return RawGguf().Header(1, 0).TensorInfo("t", {4}, 4711, 16).Data(64); },
     "tensor 't': offset 16 is not a multiple of the alignment 32"},
    {"UnknownTypeElements", [] { return RawGguf().Header(1, 0).TensorInfo("t", {kHuge, 2}, 99, 0).Data(64); },
     "tensor 't': the number of elements does not fit in 64 bits"},
    {"UnknownTypesAtOnePlace",
     [] { return RawGguf().Header(2, 0).TensorInfo("a", {4}, 99, 0).TensorInfo("b", {4}, 98, 0).Data(64); },
     "tensors 'a' (bytes 96 to 96 of the file) and 'b' (from byte 96 on) overlap"},
    {"UnknownTypeInsideAnother",
     [] { return RawGguf().Header(2, 0).TensorInfo("a", {9}, 0, 0).TensorInfo("b", {4}, 99, 32).Data(64); },
     "tensors 'a' (bytes 96 to 131 of the file) and 'b' (from byte 128 on) overlap"},
    {"Q8Row", [] { return RawGguf().Header(1, 0).TensorInfo("t", {48, 2}, 8, 0).Data(256); },
     "tensor 't': rows of 48 values (type q8_0 needs a multiple of 32)"},
    {"OffsetUnaligned", [] { return RawGguf().Header(1, 0).TensorInfo("t", {4}, 0, 16).Data(64); },
     "tensor 't': offset 16 is not a multiple of the alignment 32"},
    {"DataOneByteShort", [] { return RawGguf().Header(1, 0).TensorInfo("t", {4, 2}, 0, 0).Data(31); },
     "tensor 't': 32 bytes at offset 0 of the data (byte 96 of the file) reach past the end of the file (127 "
     "bytes)"},
    {"DataMissing", [] { return RawGguf().Header(1, 0).TensorInfo("t", {4, 2}, 0, 0); },
     "tensor 't': 32 bytes at offset 0 of the data (byte 96 of the file) reach past..."},
    {"OffsetPastEnd",
     [] { return RawGguf().Header(1, 0).TensorInfo("t", {1}, 0, uint64_t{1} << 40).Data(64); },
     "tensor 't': 4 bytes at offset 1099511627776 of the data..."},
    {"OffsetOverflow", [] { return RawGguf().Header(1, 0).TensorInfo("t", {1}, 0, kHuge - 31).Data(64); },
     "tensor 't': 4 bytes at offset 18446744073709551584 of the data..."},
    {"InfoShort",
     [] {
       return RawGguf()
           .Header(1, 0)
           .Text("tensor")
           .Put<uint32_t>(1)
           .Put<uint64_t>(4)
           .Put<uint32_t>(0)
           .Put<uint32_t>(0);
     },
     "tensor 'tensor': the file ends in the type and offset..."},
};

class Hostile : public ::testing::TestWithParam<BadFile> {};

TEST_P(Hostile, IsRefused) {
  const TempDirectory directory;
  const std::string path = directory.File("bad.gguf");
  WriteFile(path, GetParam().make().bytes());
  const Result<GgufFile> file = GgufFile::Open(path);
  ASSERT_FALSE(file);
  std::string_view message = GetParam().message;
  if (message.ends_with("...")) {
    message.remove_suffix(3);
    EXPECT_THAT(file.error().message, ::testing::StartsWith(path + ": " + std::string(message)));
  } else {
    EXPECT_EQ(file.error().message, path + ": " + std::string(message));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Hostile, ::testing::ValuesIn(kBadFiles),
                         [](const auto& info) { return std::string(info.param.name); });

// Values exactly at the limits that the table above exceeds.
const BadFile kGoodFiles[] = {
    {"Empty", [] { return RawGguf().Header(0, 0); }, ""},
    {"Version2", [] { return RawGguf().Header(0, 0, 2); }, ""},
    {"EntryCountBytes", [] { return RawGguf().Header(0, 1).Entry<uint8_t>("k", 1); }, ""},
    {"EntryCountLimit",
     [] {
       RawGguf file = RawGguf().Header(0, 65536);
       for (int i = 0; i < 65536; ++i) file.Entry<uint8_t>(std::to_string(i), 1);
       return file;
     },
     ""},
    {"TensorCountLimit",
     [] {
       RawGguf file = RawGguf().Header(65536, 0);
       for (uint64_t i = 0; i < 65536; ++i) file.TensorInfo(std::to_string(i), {1}, 0, 32 * i);
       return file.Data(65536 * 32);
     },
     ""},
    {"KeyLongest", [] { return RawGguf().Header(0, 1).Entry<uint32_t>(std::string(65535, 'k'), 1); }, ""},
    {"KeyUtf8", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("\u00e9\u2581\U0001f600", 1); }, ""},
    {"StringAnyBytes",
     [] {
       return RawGguf().Header(0, 1).Text("k").Put(ValueType::kString).Text(std::string("\xff\0\x1b", 3));
     },
     ""},
    {"StringToTheEnd", [] { return RawGguf().Header(0, 1).Text("k").Put(ValueType::kString).Text("x"); }, ""},
    {"ArrayToTheEnd",
     [] {
       return RawGguf()
           .Header(0, 1)
           .Text("k")
           .Put(ValueType::kArray)
           .Put(ValueType::kU16)
           .Put<uint64_t>(2)
           .Put<uint32_t>(0);
     },
     ""},
    {"ArrayEmpty",
     [] {
       return RawGguf().Header(0, 1).Text("k").Put(ValueType::kArray).Put(ValueType::kU16).Put<uint64_t>(0);
     },
     ""},
    {"AlignmentLeast", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("general.alignment", 8); }, ""},
    {"AlignmentMost", [] { return RawGguf().Header(0, 1).Entry<uint32_t>("general.alignment", 65536); }, ""},
    {"TensorNameLongest",
     [] { return RawGguf().Header(1, 0).TensorInfo(std::string(64, 'n'), {4}, 0, 0).Data(16); }, ""},
    {"RankOne", [] { return RawGguf().Header(1, 0).TensorInfo("t", {4}, 0, 0).Data(16); }, ""},
    {"RankFour", [] { return RawGguf().Header(1, 0).TensorInfo("t", {1, 1, 1, 4}, 0, 0).Data(16); }, ""},
    {"Q8Row", [] { return RawGguf().Header(1, 0).TensorInfo("t", {64, 2}, 8, 0).Data(4 * 34); }, ""},
    {"DataToTheEnd", [] { return RawGguf().Header(1, 0).TensorInfo("t", {4, 2}, 0, 0).Data(32); }, ""},
    {"TensorsSideBySide",
     [] { return RawGguf().Header(2, 0).TensorInfo("a", {4}, 0, 32).TensorInfo("b", {8}, 0, 0).Data(64); },
     ""},
};

class AtTheLimit : public ::testing::TestWithParam<BadFile> {};

TEST_P(AtTheLimit, IsAccepted) {
  const TempDirectory directory;
  const std::string path = directory.File("good.gguf");
  WriteFile(path, GetParam().make().bytes());
  const Result<GgufFile> file = GgufFile::Open(path);
  EXPECT_TRUE(file) << file.error().message;
}

INSTANTIATE_TEST_SUITE_P(All, AtTheLimit, ::testing::ValuesIn(kGoodFiles),
                         [](const auto& info) { return std::string(info.param.name); });

// Names that the standard library's hash of strings (libstdc++: MurmurHash64A with a fixed seed) sends to one number. It
// mixes in block after block of 8 bytes, which can be undone: the second block of a name is the one that leads from where
// the first ends to one and the same state, when it happens to be printable, as one in 2,800 is.
std::vector<std::string> CollidingNames(size_t count) {
  constexpr uint64_t kFactor = 0xc6a4a7935bd1e995u, kInverse = 0x5f7a0ea7e59b19bdu, kState = 1;
  static_assert(kFactor * kInverse == 1);
  const auto fold = [](uint64_t x) { return x ^ (x >> 47); };  // its own inverse
  const auto is_printable = [](uint64_t block) {
    for (int i = 0; i < 64; i += 8) {
      if ((block >> i & 255) < 0x20 || (block >> i & 255) > 0x7e) return false;
    }
    return true;
  };
  std::vector<std::string> names;
  for (uint64_t i = 0; names.size() < count; ++i) {
    uint64_t first = 0x3030303030303030u;
    for (int digit = 0; digit < 8; ++digit) first += (i >> (6 * digit) & 63) << (8 * digit);
    const uint64_t state = (0xc70f6907u ^ (16 * kFactor) ^ (fold(first * kFactor) * kFactor)) * kFactor;
    const uint64_t second = fold((state ^ kState) * kInverse) * kInverse;
    if (!is_printable(second)) continue;
    std::string name(16, '\0');
    std::memcpy(name.data(), &first, 8);
    std::memcpy(name.data() + 8, &second, 8);
    names.push_back(std::move(name));
  }
  return names;
}

// In a hash table 32,768 colliding names would take 2^29 comparisons, almost 3 s.
TEST(HostileFile, NamesWithEqualHashesAreFast) {
  std::vector<std::string> names = CollidingNames(32768);
  for (const std::string& name : names) {
    ASSERT_EQ(std::hash<std::string_view>()(name), std::hash<std::string_view>()(names[0]));
  }
  RawGguf keys = RawGguf().Header(0, names.size()), tensors = RawGguf().Header(names.size(), 0);
  for (size_t i = 0; i < names.size(); ++i) {
    keys.Entry<uint8_t>(names[i], 1);
    tensors.TensorInfo(names[i], {1}, 0, 32 * i);
  }
  tensors.Data(32 * names.size());
  const TempDirectory directory;
  WriteFile(directory.File("keys.gguf"), keys.bytes());
  WriteFile(directory.File("tensors.gguf"), tensors.bytes());
  const std::clock_t begin = std::clock();
  const Result<GgufFile> with_keys = GgufFile::Open(directory.File("keys.gguf"));
  const Result<GgufFile> with_tensors = GgufFile::Open(directory.File("tensors.gguf"));
  EXPECT_LT(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, 2);
  ASSERT_TRUE(with_keys) << with_keys.error().message;
  ASSERT_TRUE(with_tensors) << with_tensors.error().message;
  for (size_t i = 0; i < names.size(); ++i) {
    ASSERT_EQ(with_keys->Find(names[i]), &with_keys->metadata()[i]);
    ASSERT_EQ(with_tensors->FindTensor(names[i]), &with_tensors->tensors()[i]);
  }
  EXPECT_EQ(with_keys->Find(names[0] + "x"), nullptr);
  EXPECT_EQ(with_tensors->FindTensor("~"), nullptr);
}

TEST(HostileFile, DoesNotExist) {
  EXPECT_FALSE(GgufFile::Open("/nonexistent/model.gguf"));
  EXPECT_FALSE(GgufFile::Open("/"));
}

// Reads everything through the accessors; under a sanitizer this finds views that leave the mapping.
void ReadEverything(const GgufFile& file) {
  for (const MetadataEntry& entry : file.metadata()) {
    EXPECT_FALSE(ValueText(entry, 1 << 20).empty());
    (void)file.GetU32(entry.key);
    (void)file.GetF32Array(entry.key);
    (void)file.GetI32Array(entry.key);
  }
  for (const Tensor& tensor : file.tensors()) {
    ASSERT_FALSE(tensor.data.empty());
    volatile uint8_t ends = tensor.data.front();
    ends = tensor.data.back();
    (void)ends;
    if (!IsSupportedType(tensor.type)) continue;
    std::vector<float> row(tensor.row_length());
    DequantizeRow(tensor, 0, row.data());
    DequantizeRow(tensor, tensor.rows() - 1, row.data());
    (void)CheckFinite(file, tensor);
  }
  (void)LoadVocabulary(file);
}

TEST(HostileFile, Truncated) {
  const std::string whole = ReadFile(DataPath("tiny-nodense.gguf"));
  const TempDirectory directory;
  const std::string path = directory.File("cut.gguf");
  // All lengths below 300, 600 lengths spread over the file, and one byte less than all data needs.
  std::vector<size_t> lengths;
  for (size_t i = 1; i < 300; ++i) lengths.push_back(i);
  for (size_t i = 1; i <= 600; ++i) lengths.push_back(i * (whole.size() - 1) / 600);
  const Result<GgufFile> intact = GgufFile::Open(DataPath("tiny-nodense.gguf"));
  ASSERT_TRUE(intact);
  const Tensor& last = intact->tensors().back();
  const auto needed = static_cast<size_t>(last.data.data() + last.data.size() - intact->bytes().data());
  lengths.push_back(needed - 1);
  for (const size_t length : lengths) {
    WriteFile(path, std::string_view(whole).substr(0, length));
    const Result<GgufFile> file = GgufFile::Open(path);
    EXPECT_EQ(file.has_value(), length >= needed)
        << "cut to " << length << " of " << whole.size() << " bytes";
  }
}

TEST(HostileFile, RandomlyChanged) {
  const std::string whole = ReadFile(DataPath("tiny-nodense.gguf"));
  const TempDirectory directory;
  const std::string path = directory.File("changed.gguf");
  const Result<GgufFile> intact = GgufFile::Open(DataPath("tiny-nodense.gguf"));
  ASSERT_TRUE(intact);
  const auto header = static_cast<size_t>(intact->tensors()[0].data.data() - intact->bytes().data());
  constexpr uint64_t kSeed = 20240731;
  std::mt19937_64 random(kSeed);
  int opened = 0;
  constexpr int kRounds = 1500;
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(::testing::Message() << "seed " << kSeed << ", round " << round);
    std::string bytes = whole.substr(0, header + 4096 * (random() % 8));
    bytes.resize(whole.size());  // most of the data section is zeros; its contents do not matter here
    for (uint64_t changes = 1 + random() % 4; changes > 0; --changes) {
      // Half of the changes hit the first 1200 bytes (the keys) or the last 2000 (the tensor list).
      const size_t at = random() % 2 != 0   ? random() % header
                        : random() % 2 != 0 ? random() % 1200
                                            : header - 1 - random() % 2000;
      bytes[at] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    }
    WriteFile(path, bytes);
    const Result<GgufFile> file = GgufFile::Open(path);
    if (!file) {
      EXPECT_THAT(file.error().message, ::testing::StartsWith(path + ": "));
      continue;
    }
    ++opened;
    ReadEverything(*file);
  }
  // Both outcomes must occur.
  EXPECT_GT(opened, kRounds / 20);
  EXPECT_LT(opened, kRounds);
}

}  // namespace
}  // namespace ggufc::frontend
