// IR texts that are wrong, as ggufc-opt reads them: exit status 1, nothing printed, and one line that says what and where.
#include <gtest/gtest.h>

#include "run_ggufc.h"

namespace ggufc::testing {
namespace {

const std::string kGraph = "module @m stage graph\n";
const std::string kWeights =
    kGraph + "weight @e : q8_0[8,32]\nweight @g : f32[32]\nweight @w : q8_0[64,32]\n";
const std::string kForward = "func @forward(%ids: i32[T]) -> (f32[B,32]) {\n";
const std::string kLoop =
    "module @m stage loop\nfunc @forward(%a: i32[T], %b: i32[T], %c: i32[T], %d: i32[B,4], %e: i32[Q,4], %o: "
    "f32[B,8]) {\n";
const std::string kKernel =
    kLoop +
    "  call @k(%o)\n  return\n}\n"
    "kernel @k(%out: ptr, %s: ptr, %r0: index, %r1: index, %c0: index, %c1: index) rows(T) cols(1)";

// A graph with these lines between the lookup that makes %x and its pooling.
std::string InGraph(const std::string& lines) {
  return kWeights + kForward + "  %x = embed %ids, @e {scale=1} : f32[T,32]\n" + lines +
         "  %p = mean_pool %x : f32[B,32]\n  return %p\n}\n";
}
// A loop-stage module with one kernel.
std::string InKernel(const std::string& lines, const std::string& scratch = {}) {
  return kKernel + scratch + " {\n" + lines + "}\n";
}
std::string Repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}
// Weights each of which scales the one above.
std::string Nested() {
  std::string text = kGraph + "weight @s0 : f32[4]\n";
  for (int i = 1; i < 66; ++i) {
    text +=
        "weight @s" + std::to_string(i) + " = scale(@s" + std::to_string(i - 1) + ") : f32[4] {factor=2}\n";
  }
  return text + kForward + "}\n";
}

struct Case {
  const char* name;
  std::string text;
  std::string message;  // behind the file's name
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const Case kCases[] = {
    {"Empty", "\n", "2:1: expected `module`, found the end of the text"},
    {"NotText",
     "\x7f"
     "ELF\x02\x01",
     "1:1: expected a token, found byte 0x7f"},
    {"NoStage", "module @m\n", "2:1: expected `stage`, found the end of the text"},
    {"UnknownStage", "module @m stage tree\n", "1:17: expected graph, kernel or loop, found `tree`"},
    {"NameTooLong", "module @" + std::string(4097, 'a') + " stage graph\n",
     "1:8: the token has 4097 bytes (at most 4096)"},
    {"NameWithControl", R"(module @"\x1b[2J" stage graph)",
     "1:8: expected a name without control characters: U+001B at byte 0 is a control character"},
    {"NameNotUtf8", R"(module @"\xff" stage graph)",
     "1:8: expected a name without control characters: byte 0xff at 0 is not UTF-8"},
    {"NameEmpty", kGraph + "weight @\"\" : f32[4]\n" + kForward + "}\n",
     " weight @: the name is empty or not unique"},
    {"NoFunctions", kGraph, " the first function must be @forward"},
    {"NoBody", kWeights + kForward, "6:1: expected an op or `}`, found the end of the text"},
    {"NoReturn", kWeights + kForward + "}\n", " function @forward: the block is empty, expected return"},
    {"WeightTwice", kWeights + "weight @w : f32[32]\n", "5:8: weight `@w` is defined twice"},
    {"WeightHuge", kGraph + "weight @a : f32[2147483648,2147483648]\n" + kForward + "}\n",
     " weight @a: type f32[2147483648,2147483648]: 4611686018427387904 elements (at most 1099511627776)"},
    {"WeightTooWide", kGraph + "weight @a : f32[2147483649]\n",
     "2:17: expected T, B, Q or a size, 1 to 2147483648, found `2147483649`"},
    {"WeightCutBlock", kGraph + "weight @a : q8_0[4,33]\n" + kForward + "}\n",
     " weight @a: type q8_0[4,33], expected a multiple of 32 columns"},
    {"WeightOfIntegers", kGraph + "weight @a : i32[4]\n" + kForward + "}\n",
     " weight @a: type i32[4], expected a tensor of f32, f16, bf16 or q8_0"},
    {"ConcatHeight", kWeights + "weight @c = concat(@w, @e) : q8_0[64,32]\n" + kForward + "}\n",
     " weight @c: type q8_0[64,32], but its sources have 72 rows in all"},
    {"ScaleOfMatrix", kWeights + "weight @c = scale(@w) : q8_0[64,32] {factor=2}\n" + kForward + "}\n",
     " weight @c: type q8_0[64,32], expected that of its source, an f32 vector"},
    {"ScaleNan", kWeights + "weight @c = scale(@g) : f32[32] {factor=nan}\n",
     "5:41: expected a number, found `nan`"},
    {"GranuleZero", kWeights + "weight @c = interleave(@w, @w) : q8_0[128,32] {granule=0}\n",
     "5:56: expected granule, 1 to 2147483648, found `0`"},
    {"SourceBelow", kGraph + "weight @c = concat(@w) : q8_0[64,32]\nweight @w : q8_0[64,32]\n",
     "2:20: expected the @name of a weight above, found `@w`"},
    {"DefinitionsNest", Nested(), " weight @s64: definitions nest deeper than 64"},
    {"ForwardNamed", kWeights + "func @main(%ids: i32[T]) -> (f32[B,32]) {\n}\n",
     " the first function must be @forward"},
    {"ForwardTakesMore", kWeights + "func @forward(%ids: i32[T], %x: f32[T,32]) -> (f32[B,32]) {\n}\n",
     " function @forward: expected (i32[T]) -> (f32[B,dims])"},
    {"UndefinedValue", InGraph("  %y = gelu %z : f32[T,32]\n"),
     "7:13: expected a value that is defined above, found `%z`"},
    {"UnknownOp", InGraph("  %y = relu %x : f32[T,32]\n"), "7:8: expected the name of an op, found `relu`"},
    {"OpOfAnotherStage", InGraph("  %y = const {value=1} : f32\n"),
     " function @forward: `%y2 = const {value=1} : f32`: const is not an op of the graph stage"},
    {"WrongOperandCount", InGraph("  %y = gelu %x, %x : f32[T,32]\n"),
     " function @forward: `%y2 = gelu %x1, %x1 : f32[T,32]`: gelu: 2 operands, expected 1"},
    {"WrongResult", InGraph("  %y = gelu %x : f32[T,64]\n"),
     " function @forward: `%y2 = gelu %x1 : f32[T,64]`: result 1 is f32[T,64], expected f32[T,32]"},
    {"WeightDoesNotFit", InGraph("  %y = linear %x, @g : f32[T,64]\n"),
     " function @forward: `%y2 = linear %x1, @g : f32[T,64]`: linear: operand 2 is f32[32], expected a "
     "weight [out, in]"},
    {"AttributeMissing", InGraph("  %y = rms_norm %x, @g : f32[T,32]\n"),
     " function @forward: `%y2 = rms_norm %x1, @g : f32[T,32]`: rms_norm: attribute eps is missing"},
    {"AttributeTwice", InGraph("  %y = rms_norm %x, @g {eps=1e-6, eps=1e-6} : f32[T,32]\n"),
     "7:35: expected an attribute that this op does not have yet, found `eps`"},
    {"AttributeForeign", InGraph("  %y = gelu %x {eps=1e-6} : f32[T,32]\n"),
     " function @forward: `%y2 = gelu %x1 {eps=1e-06} : f32[T,32]`: gelu: the op has no attribute eps"},
    {"AttributeNotFinite", InGraph("  %y = rms_norm %x, @g {eps=inf} : f32[T,32]\n"),
     " function @forward: `%y2 = rms_norm %x1, @g {eps=inf} : f32[T,32]`: rms_norm: eps is inf, expected a "
     "number"},
    {"AttributeOverflow", InGraph("  %y = slice %x {offset=9223372036854775808, size=1} : f32[T,1]\n"),
     "7:25: expected offset, -9223372036854775808 to 9223372036854775807, found `9223372036854775808`"},
    {"SliceOutside", InGraph("  %y = slice %x {offset=2147483648, size=2147483648} : f32[T,2147483648]\n"),
     " function @forward: `%y2 = slice %x1 {offset=2147483648, size=2147483648} : f32[T,2147483648]`: slice: "
     "columns 2147483648 to 4294967296, but the operand has 32"},
    {"GroupNotDividing", InGraph("  %y = rms_norm %x, @g {eps=1e-6, group=5} : f32[T,32]\n"),
     " function @forward: `%y2 = rms_norm %x1, @g {eps=1e-06, group=5} : f32[T,32]`: rms_norm: group 5 does "
     "not divide 32 columns"},
    {"HeadsNotDividing",
     InGraph("  %y = attention %x, %x, %x {heads=3, kv_heads=2, head_dim=16, window=0} : f32[T,32]\n"),
     " function @forward: `%y2 = attention %x1, %x1, %x1 {heads=3, kv_heads=2, head_dim=16, window=0} : "
     "f32[T,32]`: attention: 3 heads, expected a multiple of the 2 kv_heads"},
    {"HeadsOverflow",
     InGraph("  %y = attention %x, %x, %x {heads=2147483648, kv_heads=2147483648, head_dim=2147483648, "
             "window=0} : f32[T,32]\n"),
     " function @forward: `%y2 = attention %x1, %x1, %x1 {heads=2147483648, kv_heads=2147483648, "
     "head_dim=2147483648, window=0} : f32[T,32]`: attention: operand 1 is f32[T,32], expected f32[T, heads "
     "* head_dim]"},
    {"DeinterleaveOutside",
     InGraph("  %y = deinterleave %x {size=2147483648, way=0, ways=2147483648, granule=2147483648} : "
             "f32[T,2147483648]\n"),
     " function @forward: `%y2 = deinterleave %x1 {size=2147483648, way=0, ways=2147483648, "
     "granule=2147483648} : f32[T,2147483648]`: deinterleave: the operand has 32 columns, too few for "
     "2147483648 columns of way 0"},
    {"ReturnOfAnotherType",
     kWeights + kForward + "  %x = embed %ids, @e {scale=1} : f32[T,32]\n  return %x\n}\n",
     " function @forward: `return %x1`: expected operands (f32[B,32])"},
    {"SymbolicColumns", kWeights + kForward + "  %x = embed %ids, @e {scale=1} : f32[32,T]\n  return %x\n}\n",
     " function @forward: `%x1 = embed %ids0, @e {scale=1} : f32[32,T]`: f32[32,T]: only the number of rows "
     "may be symbolic"},
    {"CallOfNothing", kLoop + "  call @k(%o)\n  return\n}\n",
     "3:8: expected the name of a function, found `@k`"},
    {"CallInCircles",
     kKernel + " {\n  call @m()\n  return\n}\nmicro @m() {\n  call @n()\n  return\n}\nmicro "
               "@n() {\n  call @m()\n  return\n}\n",
     " function @m: recursive calls are not allowed"},
    {"CallWithTooFew",
     kLoop + "  call @k()\n  return\n}\nkernel @k(%out: ptr, %s: ptr, %r0: index, %r1: index, "
             "%c0: index, %c1: index) rows(T) cols(1) {\n  return\n}\n",
     " function @forward: `call @k()`: call @k: 0 operands, expected 1"},
    {"ScratchOutside", InKernel("  %t = scratch {offset=64, bytes=65} : ptr\n  return\n", " scratch(128)"),
     " function @k: `%t6 = scratch {offset=64, bytes=65} : ptr`: 65 bytes at offset 64 exceed the scratch of "
     "128 bytes"},
    {"ScratchNegative", InKernel("  %t = scratch {offset=-64, bytes=64} : ptr\n  return\n", " scratch(128)"),
     " function @k: `%t6 = scratch {offset=-64, bytes=64} : ptr`: 64 bytes at offset -64 exceed the scratch "
     "of 128 bytes"},
    {"StepZero",
     kKernel + " {\n  %z = const {value=0} : index\n  for %r0, %r1, %z (%i: index) {\n    "
               "yield\n  }\n  return\n}\n",
     " function @k: `for %r2, %r3, %z6`: the step must be a positive constant"},
    {"StepComputed", kKernel + " {\n  for %r0, %r1, %c0 (%i: index) {\n    yield\n  }\n  return\n}\n",
     " function @k: `for %r2, %r3, %c4`: the step must be a positive constant"},
    {"LanesTooMany", InKernel("  %v = load %out, %r0 {lanes=17} : f32x16\n  return\n"),
     " function @k: `%v6 = load %out0, %r2 {lanes=17} : f32x16`: load: lanes is 17 (1 to 16)"},
    {"VectorTooWide", InKernel("  %v = load %out, %r0 : f32x32\n  return\n"),
     " function @k: `%v6 = load %out0, %r2 : f32x32`: load: f32x32 is not a type of the loop stage"},
    {"ConstantOutside", InKernel("  %v = const {value=256} : u8\n  return\n"),
     " function @k: `%v6 = const {value=256} : u8`: const: 256 is not a value of u8"},
    {"RegionsNest", InKernel("  %f = cmp_lt %r0, %r1 : i1\n" + Repeated("  if %f () {\n", 65)),
     "71:12: regions nest deeper than 64 levels"},
    {"BuffersHalfPlaced",
     kLoop +
         "  %x = buffer {bytes=64, bytes_t=0, bytes_b=0, offset=0, offset_t=0, offset_b=0} : ptr\n  %y = "
         "buffer {bytes=64, bytes_t=0, bytes_b=0} : ptr\n  call @k(%x)\n  return\n}\nkernel @k(%out: ptr, "
         "%s: ptr, %r0: index, %r1: index, %c0: index, %c1: index) rows(T) cols(1) {\n  return\n}\n",
     " function @forward: 1 of 2 buffers have an offset, expected all or none"},
};

class BadIr : public ::testing::TestWithParam<Case> {};

TEST_P(BadIr, IsRefused) {
  const std::string path = ::testing::TempDir() + "ggufc-bad-" + std::to_string(getpid()) + ".tir";
  WriteFile(path, GetParam().text);
  const Outcome outcome = RunProgram(GgufcOptBinary(), {path});
  std::remove(path.c_str());
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "ggufc-opt: " + path + ":" + GetParam().message + "\n");
}

INSTANTIATE_TEST_SUITE_P(All, BadIr, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ggufc::testing
