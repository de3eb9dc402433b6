// The reader reads what the writer wrote; the golden files open.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "frontend/gguf/gguf_reader.h"
#include "frontend/gguf/gguf_writer.h"
#include "test_files.h"
#include "test_paths.h"

namespace ggufc::frontend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <typename T>
std::string Message(const Result<T>& result) {
  return result ? std::string("(no error)") : result.error().message;
}

TEST(GgufRoundTrip, EveryValueType) {
  const TempDirectory directory;
  const std::string path = directory.File("values.gguf");
  Result<GgufWriter> writer = GgufWriter::Create(path);
  ASSERT_TRUE(writer) << Message(writer);
  ASSERT_TRUE(writer->Add<uint8_t>("u8", 200));
  ASSERT_TRUE(writer->Add<int8_t>("i8", -100));
  ASSERT_TRUE(writer->Add<uint16_t>("u16", 60000));
  ASSERT_TRUE(writer->Add<int16_t>("i16", -30000));
  ASSERT_TRUE(writer->Add<uint32_t>("u32", 4000000000u));
  ASSERT_TRUE(writer->Add<int32_t>("i32", -2000000000));
  ASSERT_TRUE(writer->Add<uint64_t>("u64", std::numeric_limits<uint64_t>::max()));
  ASSERT_TRUE(writer->Add<int64_t>("i64", std::numeric_limits<int64_t>::min()));
  ASSERT_TRUE(writer->Add<float>("f32", 0.1f));
  ASSERT_TRUE(writer->Add<double>("f64", 0.25));
  ASSERT_TRUE(writer->Add<bool>("yes", true));
  ASSERT_TRUE(writer->Add<bool>("no", false));
  ASSERT_TRUE(writer->AddString("text", "caf\u00e9"));
  ASSERT_TRUE(writer->AddString("empty", ""));
  const std::vector<float> floats = {1.5f, -0.0f, 3e38f};
  const std::vector<int32_t> ints = {1, -2, 3};
  const std::vector<int8_t> bytes = {-128, 127};
  const std::vector<uint64_t> longs = {1, uint64_t{1} << 40};
  const std::vector<std::string> strings = {"", "a", "\u2581the"};
  ASSERT_TRUE(writer->AddArray<float>("floats", floats));
  ASSERT_TRUE(writer->AddArray<int32_t>("ints", ints));
  ASSERT_TRUE(writer->AddArray<int8_t>("bytes", bytes));
  ASSERT_TRUE(writer->AddArray<uint64_t>("longs", longs));
  ASSERT_TRUE(writer->AddStringArray("strings", strings));
  ASSERT_TRUE(writer->AddStringArray("none", {}));
  const Status finished = writer->Finish();
  ASSERT_TRUE(finished) << Message(finished);

  const Result<GgufFile> file = GgufFile::Open(path);
  ASSERT_TRUE(file) << Message(file);
  EXPECT_EQ(file->version(), 3u);
  EXPECT_EQ(file->metadata().size(), 20u);
  EXPECT_EQ(file->tensors().size(), 0u);
  EXPECT_EQ(file->GetU32("u8").value(), 200u);
  EXPECT_EQ(file->GetI64("i8").value(), -100);
  EXPECT_EQ(file->GetU32("u16").value(), 60000u);
  EXPECT_EQ(file->GetI64("i16").value(), -30000);
  EXPECT_EQ(file->GetU32("u32").value(), 4000000000u);
  EXPECT_EQ(file->GetI64("i32").value(), -2000000000);
  EXPECT_EQ(file->GetU64("u64").value(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(file->GetI64("i64").value(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(file->GetF32("f32").value(), 0.1f);
  EXPECT_EQ(file->GetF32("f64").value(), 0.25f);
  EXPECT_TRUE(file->GetBool("yes").value());
  EXPECT_FALSE(file->GetBool("no").value());
  EXPECT_EQ(file->GetString("text").value(), "caf\u00e9");
  EXPECT_EQ(file->GetString("empty").value(), "");
  EXPECT_EQ(file->GetF32Array("floats").value(), floats);
  EXPECT_EQ(file->GetI32Array("ints").value(), ints);
  EXPECT_THAT(file->GetI32Array("bytes").value(), ElementsAre(-128, 127));
  EXPECT_THAT(file->GetStringArray("strings").value(), ElementsAre("", "a", "\u2581the"));
  EXPECT_THAT(file->GetStringArray("none").value(), IsEmpty());

  EXPECT_TRUE(file->Has("u8"));
  EXPECT_FALSE(file->Has("u9"));
  EXPECT_EQ(file->GetU32Or("u9", 7).value(), 7u);
  EXPECT_EQ(file->GetU32Or("u8", 7).value(), 200u);
  EXPECT_EQ(file->GetF32Or("x", 0.5f).value(), 0.5f);
  EXPECT_TRUE(file->GetBoolOr("x", true).value());
  EXPECT_EQ(file->GetStringOr("x", "y").value(), "y");

  // Every error names the file, the key and what was expected.
  const auto expect_error = [&](const std::string& message, const std::string& key, const std::string& what) {
    EXPECT_THAT(message, ::testing::StartsWith(path + ": key '" + key + "'"));
    EXPECT_THAT(message, HasSubstr(what));
  };
  expect_error(Message(file->GetU32("u9")), "u9", "is missing");
  expect_error(Message(file->GetU32("f32")), "f32", "of type f32 (an integer is expected)");
  expect_error(Message(file->GetU32("i8")), "i8", "-100 is outside 0 to 4294967295");
  expect_error(Message(file->GetU32("u64")), "u64", "18446744073709551615 is outside");
  expect_error(Message(file->GetI64("u64")), "u64", "is outside");
  expect_error(Message(file->GetU32Or("text", 1)), "text", "of type string (an integer is expected)");
  expect_error(Message(file->GetF32("u8")), "u8", "f32 or f64 is expected");
  expect_error(Message(file->GetBool("u8")), "u8", "bool is expected");
  expect_error(Message(file->GetString("strings")), "strings",
               "of type array of string (string is expected)");
  expect_error(Message(file->GetStringArray("ints")), "ints", "array of string is expected");
  expect_error(Message(file->GetF32Array("ints")), "ints", "array of f32 is expected");
  expect_error(Message(file->GetI32Array("floats")), "floats", "array of integers is expected");
  expect_error(Message(file->GetI32Array("longs")), "longs", "element 1 does not fit");

  EXPECT_EQ(ValueText(*file->Find("i64")), "-9223372036854775808");
  EXPECT_EQ(ValueText(*file->Find("no")), "false");
  EXPECT_EQ(ValueText(*file->Find("strings"), 2), "[3 x string: '', 'a', ...]");
  EXPECT_EQ(ValueText(*file->Find("ints")), "[3 x i32: 1, -2, 3]");
}

TEST(GgufRoundTrip, EveryTensorType) {
  const TempDirectory directory;
  const std::string path = directory.File("tensors.gguf");
  struct Case {
    std::string name;
    GgmlType type;
    std::vector<uint64_t> shape;
    uint64_t bytes;
  };
  const std::vector<Case> cases = {{"a", GgmlType::F32, {5}, 20},
                                   {"b", GgmlType::F16, {3, 7}, 42},
                                   {"c", GgmlType::Q8_0, {64, 3}, 204},
                                   {"d", GgmlType::BF16, {2, 3, 4, 5}, 240}};
  Result<GgufWriter> writer = GgufWriter::Create(path);
  ASSERT_TRUE(writer) << Message(writer);
  std::vector<std::string> data;
  for (const Case& c : cases) {
    ASSERT_TRUE(writer->AddTensor(c.name, c.type, c.shape));
    std::string bytes(c.bytes, '\0');
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + data.size());
    data.push_back(bytes);
  }
  for (size_t i = 0; i < cases.size(); ++i) {
    // In two pieces, split within a block.
    const auto* bytes = reinterpret_cast<const uint8_t*>(data[i].data());
    ASSERT_TRUE(writer->WriteTensorData(cases[i].name, {bytes, 11}));
    ASSERT_TRUE(writer->WriteTensorData(cases[i].name, {bytes + 11, data[i].size() - 11}));
  }
  ASSERT_TRUE(writer->Finish());

  Result<GgufFile> opened = GgufFile::Open(path);
  ASSERT_TRUE(opened) << Message(opened);
  const GgufFile file = std::move(*opened);  // views survive a move
  ASSERT_EQ(file.tensors().size(), cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    const Tensor* tensor = file.FindTensor(cases[i].name);
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor, &file.tensors()[i]);
    EXPECT_EQ(tensor->type, cases[i].type);
    EXPECT_EQ(std::vector<uint64_t>(tensor->shape().begin(), tensor->shape().end()), cases[i].shape);
    EXPECT_EQ(tensor->row_length(), cases[i].shape[0]);
    EXPECT_EQ(tensor->row_bytes() * tensor->rows(), cases[i].bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor->data.data()) % 32, 0u);
    EXPECT_EQ(std::string(tensor->data.begin(), tensor->data.end()), data[i]);
  }
  EXPECT_EQ(file.FindTensor("e"), nullptr);
  EXPECT_THAT(Message(file.GetTensor("e")), HasSubstr("tensor 'e' is missing"));
  EXPECT_EQ(ShapeText(file.tensors()[3].shape()), "[2,3,4,5]");
}

TEST(GgufRoundTrip, Version2AndOtherAlignments) {
  const TempDirectory directory;
  const std::string path = directory.File("v2.gguf");
  const RawGguf raw = RawGguf()
                          .Header(2, 1, 2)
                          .Entry<uint32_t>("general.alignment", 8)
                          .TensorInfo("x", {2}, 0, 0)
                          .TensorInfo("y", {2}, 0, 8)
                          .Data(16, 8);
  WriteFile(path, raw.bytes());
  const Result<GgufFile> file = GgufFile::Open(path);
  ASSERT_TRUE(file) << Message(file);
  EXPECT_EQ(file->version(), 2u);
  EXPECT_EQ(file->alignment(), 8u);
  EXPECT_EQ(file->FindTensor("y")->data.data() - file->FindTensor("x")->data.data(), 8);
}

TEST(GgufWriter, UnfinishedFileIsRemoved) {
  const TempDirectory directory;
  const std::string path = directory.File("model.gguf");
  WriteFile(path, "what was there before");
  {
    Result<GgufWriter> writer = GgufWriter::Create(path);
    ASSERT_TRUE(writer) << Message(writer);
    const std::vector<uint64_t> shape = {8};
    ASSERT_TRUE(writer->AddTensor("x", GgmlType::F32, shape));
    const std::vector<uint8_t> half(16);
    ASSERT_TRUE(writer->WriteTensorData("x", half));
    EXPECT_EQ(directory.List().size(), 2u);
    EXPECT_THAT(Message(writer->Finish()), HasSubstr("tensor 'x' has 16 of its 32 bytes"));
  }
  EXPECT_THAT(directory.List(), ElementsAre("model.gguf"));
  EXPECT_EQ(ReadFile(path), "what was there before");
  {
    Result<GgufWriter> writer = GgufWriter::Create(path);
    ASSERT_TRUE(writer) << Message(writer);
    ASSERT_TRUE(writer->Finish());
    EXPECT_THAT(Message(writer->Finish()), HasSubstr("finished already"));
  }
  EXPECT_THAT(directory.List(), ElementsAre("model.gguf"));
  EXPECT_TRUE(GgufFile::Open(path));
}

TEST(GgufWriter, Refuses) {
  const TempDirectory directory;
  EXPECT_THAT(Message(GgufWriter::Create(directory.File("no/such/model.gguf"))), HasSubstr("cannot create"));
  Result<GgufWriter> writer = GgufWriter::Create(directory.File("model.gguf"));
  ASSERT_TRUE(writer) << Message(writer);
  const std::vector<uint64_t> row33 = {33}, row32 = {32, 2}, none, zero = {4, 0}, five = {1, 1, 1, 1, 1};
  const std::vector<uint64_t> huge = {uint64_t{1} << 62, 4};
  ASSERT_TRUE(writer->Add<uint32_t>("a", 1));
  EXPECT_THAT(Message(writer->Add<uint32_t>("a", 1)), HasSubstr("key 'a' is added twice"));
  EXPECT_THAT(Message(writer->AddString("", "x")), HasSubstr("1 to 65535 bytes"));
  EXPECT_THAT(Message(writer->AddString(std::string(65536, 'k'), "x")), HasSubstr("1 to 65535 bytes"));
  EXPECT_THAT(Message(writer->AddTensor("q", GgmlType::Q8_0, row33)), HasSubstr("needs a multiple of 32"));
  EXPECT_THAT(Message(writer->AddTensor(std::string(65, 't'), GgmlType::F32, row32)),
              HasSubstr("1 to 64 bytes"));
  EXPECT_THAT(Message(writer->AddTensor("q", GgmlType::F32, none)), HasSubstr("rank 0"));
  EXPECT_THAT(Message(writer->AddTensor("q", GgmlType::F32, five)), HasSubstr("rank 5"));
  EXPECT_THAT(Message(writer->AddTensor("q", GgmlType::F32, zero)), HasSubstr("0 or too large"));
  EXPECT_THAT(Message(writer->AddTensor("q", GgmlType::F32, huge)), HasSubstr("0 or too large"));
  ASSERT_TRUE(writer->AddTensor("a", GgmlType::Q8_0, row32)) << "a key may have the same name";
  EXPECT_THAT(Message(writer->AddTensor("a", GgmlType::Q8_0, row32)), HasSubstr("tensor 'a' is added twice"));
  ASSERT_TRUE(writer->AddTensor("b", GgmlType::Q8_0, row32));
  const std::vector<uint8_t> bytes(69);
  EXPECT_THAT(Message(writer->WriteTensorData("b", bytes)),
              HasSubstr("data for tensor 'b', expected data for 'a'"));
  EXPECT_THAT(Message(writer->WriteTensorData("a", bytes)), HasSubstr("more than its 68 bytes"));
  EXPECT_THAT(Message(writer->Add<uint32_t>("c", 1)), HasSubstr("the header is written already"));
  EXPECT_THAT(Message(writer->AddTensor("c", GgmlType::F32, row32)),
              HasSubstr("the header is written already"));
}

class GoldenFile : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenFile, Opens) {
  const Result<GgufFile> file = GgufFile::Open(DataPath(GetParam()));
  ASSERT_TRUE(file) << Message(file);
  EXPECT_EQ(file->GetString("general.architecture").value(), "gemma-embedding");
  const uint32_t dim = file->GetU32("gemma-embedding.embedding_length").value();
  const Tensor* embedding = file->FindTensor("token_embd.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(embedding->row_length(), dim);
  EXPECT_EQ(embedding->rows(), 640u);
  // The last tensor ends the file, except for padding.
  const Tensor& last = file->tensors().back();
  EXPECT_LE(file->bytes().data() + file->bytes().size() - (last.data.data() + last.data.size()), 31);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenFile,
                         ::testing::Values("tiny-f32.gguf", "tiny-f16.gguf", "tiny-bf16.gguf",
                                           "tiny-q8_0.gguf", "tiny-nodense.gguf"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name)
                             c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace ggufc::frontend
