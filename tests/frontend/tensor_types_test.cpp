// Tensors of any type number are listed; only their extent is read.
#include <gmock/gmock.h>

#include "frontend/gguf/gguf_reader.h"
#include "test_files.h"
#include "test_paths.h"

namespace ggufc::frontend {
namespace {

// What is not known of a type is the size of its blocks: the tensor reaches up to the next one, or to the end.
TEST(TensorTypes, OfAllNumbersAreRead) {
  const TempDirectory directory;
  const std::string path = directory.File("types.gguf");
  WriteFile(path, RawGguf()
                      .Header(6, 0)
                      .TensorInfo("last", {~uint64_t{0}}, 4711, 416)
                      .TensorInfo("first", {7}, 99, 0)
                      .TensorInfo("q4_k", {256}, 12, 64)
                      .TensorInfo("retired", {64, 2}, 33, 224)
                      .TensorInfo("mxfp4", {64, 2}, 39, 256)
                      .TensorInfo("i16", {3}, 25, 352)
                      .Data(450)
                      .bytes());
  const Result<GgufFile> file = GgufFile::Open(path);
  ASSERT_TRUE(file) << file.error().message;
  const uint8_t* const start = file->FindTensor("first")->data.data();
  const auto text = [&](const char* name) {
    const Tensor* tensor = file->FindTensor(name);
    EXPECT_FALSE(IsSupportedType(tensor->type));
    return fmt::format("{} {}+{}", TypeName(tensor->type), tensor->data.data() - start, tensor->data.size());
  };
  EXPECT_EQ(text("first"), "type 99 0+64");
  EXPECT_EQ(text("q4_k"), "q4_k 64+144");
  EXPECT_EQ(text("retired"), "q4_0_8_8 224+32");
  EXPECT_EQ(text("mxfp4"), "mxfp4 256+68");
  EXPECT_EQ(text("i16"), "i16 352+6");
  EXPECT_EQ(text("last"), "type 4711 416+34");
}

// Bytes of 256 values, as ggml has them.
TEST(TensorTypes, HaveBlocks) {
  std::string known;
  for (uint32_t number = 0; number < 64; ++number) {
    const TypeTraits* traits = FindTraits(static_cast<GgmlType>(number));
    if (traits == nullptr) continue;
    EXPECT_EQ(traits->name, TypeName(static_cast<GgmlType>(number)));
    EXPECT_EQ(256 % traits->block_size, 0u);
    known += fmt::format("{}:{} ", traits->name, 256 / traits->block_size * traits->block_bytes);
  }
  EXPECT_EQ(
      known,
      "f32:1024 f16:512 q4_0:144 q4_1:160 q5_0:176 q5_1:192 q8_0:272 q8_1:288 q2_k:84 q3_k:110 q4_k:144 "
      "q5_k:176 q6_k:210 q8_k:292 iq2_xxs:66 iq2_xs:74 iq3_xxs:98 iq1_s:50 iq4_nl:144 iq3_s:110 iq2_s:82 "
      "iq4_xs:136 i8:256 i16:512 i32:1024 i64:2048 f64:2048 iq1_m:56 bf16:512 tq1_0:54 tq2_0:66 mxfp4:136 "
      "nvfp4:144 q1_0:36 ");
}

}  // namespace
}  // namespace ggufc::frontend
