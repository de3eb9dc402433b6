// Each lane op of the loop stage against its formula, exact to the bit.
#include <bit>
#include <cmath>
#include <cstring>

#include "loop_test_util.h"
#include "support/float_formats.h"

namespace ggufc::ir {
namespace {

int32_t Bits32(float value) { return std::bit_cast<int32_t>(value); }

// The bits of the 16 lanes of an op on %a = i - 8.5 and %b = i + 7.5, or on their bitcasts %ia and %ib.
std::vector<int32_t> Lanes(const std::string& line, const char* type = "f32x16") {
  const std::string store = std::string(type) == "i1x16"
                                ? "%yes = const {value=1} : i32x16\n%no = const {value=0} : i32x16\n"
                                  "%r = select %y, %yes, %no : i32x16\nstore %r, %out, %z"
                                : "store %y, %out, %z";
  const std::vector<float> out = RunBody(
      fmt::format("%b1 = const {{value=64}} : index\n%a = load %w, %z : f32x16\n%b = load %w, %b1 : f32x16\n"
                  "%ia = bitcast %a : i32x16\n%ib = bitcast %b : i32x16\n%y = {} : {}\n{}",
                  line, type, store));
  std::vector<int32_t> bits;
  for (int i = 0; i < 16; ++i) bits.push_back(Bits32(out[i]));
  return bits;
}

float B(int i) { return static_cast<float>(i) + 7.5f; }

TEST(LoopOps, FloatArithmetic) {
  const struct {
    const char* line;
    float (*want)(float, float);
  } cases[] = {
      {"add %a, %b", [](float a, float b) { return a + b; }},
      {"sub %a, %b", [](float a, float b) { return a - b; }},
      {"mul %a, %b", [](float a, float b) { return a * b; }},
      {"div %a, %b", [](float a, float b) { return a / b; }},
      {"min %a, %b", [](float a, float b) { return a < b ? a : b; }},
      {"max %b, %a", [](float a, float b) { return b > a ? b : a; }},
      {"fma %a, %b, %a", [](float a, float b) { return std::fmaf(a, b, a); }},
      {"sqrt %b", [](float, float b) { return std::sqrt(b); }},
      {"abs %a", [](float a, float) { return std::fabs(a); }},
  };
  for (const auto& c : cases) {
    const std::vector<int32_t> got = Lanes(c.line);
    for (int i = 0; i < 16; ++i) EXPECT_EQ(got[i], Bits32(c.want(A(i), B(i)))) << c.line << " lane " << i;
  }
}

// (1 + e)^2 - 1 - 2e = e^2; rounding the product first would give 0.
TEST(LoopOps, FmaRoundsOnceAndMulAddIsNotContracted) {
  const std::string operands =
      "%x = const {value=1.00000011920928955078125} : f32x16\n%c = const {value=-1.0000002384185791015625} : "
      "f32x16\n";
  EXPECT_EQ(RunBody(operands + "%y = fma %x, %x, %c : f32x16\nstore %y, %out, %z")[3], 0x1p-46f);
  EXPECT_EQ(RunBody(operands + "%m = mul %x, %x : f32x16\n%y = add %m, %c : f32x16\nstore %y, %out, %z")[3],
            0.0f);
}

TEST(LoopOps, MinAndMaxReturnTheSecondOperandForNaN) {
  // %nan from its bits, compared with 1.
  const std::string nan =
      "%nb = const {value=2143289344} : i32x16\n%nan = bitcast %nb : f32x16\n%o = const {value=1} : f32x16\n";
  EXPECT_EQ(RunBody(nan + "%y = min %nan, %o : f32x16\nstore %y, %out, %z")[0], 1.0f);
  EXPECT_TRUE(std::isnan(RunBody(nan + "%y = min %o, %nan : f32x16\nstore %y, %out, %z")[0]));
  EXPECT_EQ(RunBody(nan + "%y = max %nan, %o : f32x16\nstore %y, %out, %z")[0], 1.0f);
}

TEST(LoopOps, IntegerArithmeticWraps) {
  const struct {
    const char* line;
    uint32_t (*want)(uint32_t, uint32_t);
  } cases[] = {
      {"add %ia, %ib", [](uint32_t a, uint32_t b) { return a + b; }},
      {"sub %ia, %ib", [](uint32_t a, uint32_t b) { return a - b; }},
      {"mul %ia, %ib", [](uint32_t a, uint32_t b) { return a * b; }},
      {"and %ia, %ib", [](uint32_t a, uint32_t b) { return a & b; }},
      {"or %ia, %ib", [](uint32_t a, uint32_t b) { return a | b; }},
      {"xor %ia, %ib", [](uint32_t a, uint32_t b) { return a ^ b; }},
      {"min %ia, %ib", [](uint32_t a, uint32_t b) { return int32_t(a) < int32_t(b) ? a : b; }},
      {"max %ia, %ib", [](uint32_t a, uint32_t b) { return int32_t(a) > int32_t(b) ? a : b; }},
  };
  for (const auto& c : cases) {
    const std::vector<int32_t> got = Lanes(c.line, "i32x16");
    for (int i = 0; i < 16; ++i) {
      EXPECT_EQ(static_cast<uint32_t>(got[i]), c.want(Bits32(A(i)), Bits32(B(i)))) << c.line << " lane " << i;
    }
  }
}

TEST(LoopOps, ShiftsByLane) {
  const std::string count = "%k = iota : i32x16\n";
  std::vector<float> shl = RunBody("%a = load %w, %z : f32x16\n%ia = bitcast %a : i32x16\n" + count +
                                   "%y = shl %ia, %k : i32x16\nstore %y, %out, %z");
  std::vector<float> shr = RunBody("%a = load %w, %z : f32x16\n%ia = bitcast %a : i32x16\n" + count +
                                   "%y = shr %ia, %k : i32x16\nstore %y, %out, %z");
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(Bits32(shl[i]), static_cast<int32_t>(static_cast<uint32_t>(Bits32(A(i))) << i));
    EXPECT_EQ(Bits32(shr[i]), Bits32(A(i)) >> i);
  }
  EXPECT_THAT(RunError("%c = const {value=32} : i32x16\n%y = shl %c, %c : i32x16"),
              testing::HasSubstr("a shift by 32"));
  EXPECT_THAT(RunError("%c = const {value=-1} : index\n%y = shr %c, %c : index"),
              testing::HasSubstr("a shift by -1"));
}

TEST(LoopOps, Comparisons) {
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(Lanes("cmp_lt %a, %b", "i1x16")[i], 1);
    EXPECT_EQ(Lanes("cmp_lt %b, %a", "i1x16")[i], 0);
    EXPECT_EQ(Lanes("cmp_le %a, %a", "i1x16")[i], 1);
    EXPECT_EQ(Lanes("cmp_eq %a, %b", "i1x16")[i], 0);
    EXPECT_EQ(Lanes("cmp_eq %ia, %ia", "i1x16")[i], 1);
    EXPECT_EQ(Lanes("cmp_lt %ia, %ib", "i1x16")[i], i < 9 ? 1 : Bits32(A(i)) < Bits32(B(i)));
  }
}

TEST(LoopOps, SelectByLaneAndWhole) {
  const std::vector<float> out = RunBody(
      "%k = iota : i32x16\n%five = const {value=5} : i32x16\n%lt = cmp_lt %k, %five : i1x16\n"
      "%a = load %w, %z : f32x16\n%o = const {value=1} : f32x16\n%y = select %lt, %a, %o : f32x16\n"
      "store %y, %out, %z\n"
      "%c = cmp_lt %one, %z : i1\n%s = select %c, %a, %o : f32x16\n%at = const {value=64} : index\nstore %s, "
      "%out, %at");
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(out[i], i < 5 ? A(i) : 1.0f);
    EXPECT_EQ(out[16 + i], 1.0f);
  }
}

// The sum of these 16 numbers depends on the order: it must follow the tree of ops.def, not run from left to right.
TEST(LoopOps, ReduceUsesTheFixedTree) {
  const std::vector<float> out = RunBody(
      "%a = load %w, %z : f32x16\n%c = const {value=0.1} : f32x16\n%big = const {value=16777216} : f32x16\n"
      "%x = fma %a, %big, %c : f32x16\n%s = reduce_add %x : f32\n%m = reduce_max %x : f32\n"
      "store %s, %out, %z\n%at = const {value=4} : index\nstore %m, %out, %at\n"
      "%i = iota : i32x16\n%t = reduce_add %i : i32\n%tf = convert %t : f32\n%bt = const {value=8} : "
      "index\nstore %tf, %out, %bt");
  float lanes[16], most = -INFINITY;
  for (int i = 0; i < 16; ++i) {
    lanes[i] = std::fmaf(A(i), 16777216.0f, 0.1f);
    most = std::max(most, lanes[i]);
  }
  for (int h = 8; h >= 1; h /= 2) {
    for (int i = 0; i < h; ++i) lanes[i] += lanes[i + h];
  }
  EXPECT_EQ(out[0], lanes[0]);
  EXPECT_EQ(out[1], most);
  EXPECT_EQ(out[2], 120.0f);
}

// The result of converting 64 fixed bytes, read as `from`, to `to`.
std::vector<float> Converted(const std::string& from, const std::string& to) {
  return RunBody(
      fmt::format("%k = iota : i32x16\n%m = const {{value=-1640531527}} : i32x16\n%h = mul %k, %m : "
                  "i32x16\nstore %h, %buf, %z\n"
                  "%x = load %buf, %z : {}\n%y = convert %x : {}\nstore %y, %out, %z",
                  from, to));
}
// The same 64 bytes as elements of T.
template <typename T>
std::vector<T> Source() {
  std::vector<uint32_t> words;
  for (uint32_t i = 0; i < 16; ++i) words.push_back(i * 2654435769u);
  std::vector<T> elements(64 / sizeof(T));
  std::memcpy(elements.data(), words.data(), 64);
  return elements;
}
template <typename T>
std::vector<T> As(const std::vector<float>& out) {
  std::vector<T> elements(out.size() * sizeof(float) / sizeof(T));
  std::memcpy(elements.data(), out.data(), out.size() * sizeof(float));
  return elements;
}
template <typename From, typename To>
void ExpectConverts(const char* from, const char* to, int lanes) {
  const std::vector<To> got = As<To>(Converted(from, to));
  const std::vector<From> source = Source<From>();
  for (int i = 0; i < lanes; ++i)
    EXPECT_EQ(got[i], static_cast<To>(source[i])) << from << " to " << to << " lane " << i;
}

TEST(LoopOps, Conversions) {
  ExpectConverts<int8_t, int16_t>("i8x32", "i16x32", 32);
  ExpectConverts<uint8_t, int16_t>("u8x32", "i16x32", 32);
  ExpectConverts<int8_t, int32_t>("i8x16", "i32x16", 16);
  ExpectConverts<int16_t, int32_t>("i16x16", "i32x16", 16);
  ExpectConverts<int32_t, float>("i32x16", "f32x16", 16);
  ExpectConverts<int32_t, int16_t>("i32x16", "i16x16", 16);
  ExpectConverts<int32_t, int8_t>("i32x16", "i8x16", 16);
  ExpectConverts<int16_t, int8_t>("i16x32", "i8x32", 32);
  ExpectConverts<int32_t, int64_t>("i32", "index", 1);
  ExpectConverts<int64_t, int32_t>("index", "i32", 1);
  const std::vector<float> half = Converted("f16x16", "f32x16"), brain = Converted("bf16x16", "f32x16");
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(Bits32(half[i]), Bits32(F16ToF32(Source<uint16_t>()[i])));
    EXPECT_EQ(Bits32(brain[i]), Bits32(BF16ToF32(Source<uint16_t>()[i])));
  }
  EXPECT_EQ(Bits32(Converted("f16", "f32")[0]), Bits32(F16ToF32(Source<uint16_t>()[0])));
}

TEST(LoopOps, SplatOfAPairBecomesSixteenPairs) {
  const std::vector<int16_t> out =
      As<int16_t>(RunBody("%k = iota : i32x16\n%m = const {value=-1640531527} : i32x16\n%h = mul %k, %m : "
                          "i32x16\nstore %h, %buf, %z\n"
                          "%at = const {value=4} : index\n%p = load %buf, %at : i32\n%s = splat %p : "
                          "i32x16\n%y = bitcast %s : i16x32\n"
                          "store %y, %out, %z"));
  for (int i = 0; i < 32; ++i) EXPECT_EQ(out[i], Source<int16_t>()[2 + i % 2]);
}

TEST(LoopOps, Dots) {
  const std::string bytes =
      "%k = iota : i32x16\n%m = const {value=-1640531527} : i32x16\n%h = mul %k, %m : i32x16\n"
      "%i16 = bitcast %h : i16x32\n%u8 = bitcast %h : u8x64\n%i8 = bitcast %h : i8x64\n";
  const auto i16 = Source<int16_t>();
  const auto u8 = Source<uint8_t>();
  const auto i8 = Source<int8_t>();
  const std::vector<int32_t> words =
      As<int32_t>(RunBody(bytes + "%y = dot_i16 %k, %i16, %i16 : i32x16\nstore %y, %out, %z"));
  const std::vector<int32_t> quads =
      As<int32_t>(RunBody(bytes + "%y = dot_u8s8 %k, %u8, %i8 : i32x16\nstore %y, %out, %z"));
  for (int i = 0; i < 16; ++i) {
    int64_t want = i;
    for (int j = 0; j < 2; ++j) want += int64_t{i16[2 * i + j]} * i16[2 * i + j];
    EXPECT_EQ(words[i], static_cast<int32_t>(want));
    want = i;
    for (int j = 0; j < 4; ++j) want += int64_t{u8[4 * i + j]} * i8[4 * i + j];
    EXPECT_EQ(quads[i], static_cast<int32_t>(want));
  }
  const std::string seven = "%u = const {value=255} : u8x64\n%a = const {value=-1} : i32x16\n";
  EXPECT_EQ(As<int32_t>(RunBody(
                seven +
                "%s = const {value=-63} : i8x64\n%y = dot_u8s7 %a, %u, %s : i32x16\nstore %y, %out, %z"))[5],
            -1 - 4 * 255 * 63);
  EXPECT_THAT(RunError(seven + "%s = const {value=64} : i8x64\n%y = dot_u8s7 %a, %u, %s : i32x16"),
              testing::HasSubstr("dot_u8s7 %a"));
}

TEST(LoopOps, IndexArithmeticIsUnsignedInDivAndRem) {
  const std::vector<float> out = RunBody(
      "%m = const {value=-1} : index\n%ten = const {value=10} : index\n%d = div %m, %ten : index\n%r = rem "
      "%m, %ten : index\n"
      "%at = const {value=8} : index\nstore %d, %out, %z\nstore %r, %out, %at");
  EXPECT_EQ(As<uint64_t>(out)[0], UINT64_MAX / 10);
  EXPECT_EQ(As<uint64_t>(out)[1], UINT64_MAX % 10);
  EXPECT_THAT(RunError("%d = div %one, %z : index"),
              testing::HasSubstr("`%d15 = div %one14, %z13 : index`: a division by 0"));
  EXPECT_THAT(RunError("%d = rem %one, %z : index"), testing::HasSubstr("a division by 0"));
}

}  // namespace
}  // namespace ggufc::ir
