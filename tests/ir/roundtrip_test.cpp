// print(parse(print(m))) == print(m), for files that together contain every op and every attribute.
#include <bit>
#include <limits>
#include <set>

#include "ir/core/op.h"
#include "ir_test_util.h"

namespace ggufc::ir {
namespace {

constexpr const char* kFiles[] = {"graph.tir", "kernel.tir", "loop.tir"};

TEST(RoundTrip, PrintedTextParsesToTheSameText) {
  for (const char* file : kFiles) {
    const Module module = MustParse(ReadTestFile(file));
    const Status status = Verify(module);
    ASSERT_TRUE(status) << file << ": " << status.error().message;
    const std::string text = Print(module);
    const Module again = MustParse(text);
    EXPECT_EQ(Print(again), text) << file;
    EXPECT_EQ(ErrorOf(text), "") << file;
  }
}

TEST(RoundTrip, FilesContainEveryOpAndAttribute) {
  std::set<OpKind> ops;
  std::set<Attr> attrs;
  for (const char* file : kFiles) {
    const Module module = MustParse(ReadTestFile(file));
    for (const Function& function : module.functions) {
      function.ForEachOp([&](OpId, const Op& op) {
        ops.insert(op.kind);
        for (const AttrValue& value : op.attrs) attrs.insert(value.attr);
      });
    }
  }
#define OP(enumerator, spelling, ...) \
  EXPECT_TRUE(ops.contains(OpKind::enumerator)) << "no file has the op " << spelling;
#define ATTR(enumerator, spelling, kind) \
  EXPECT_TRUE(attrs.contains(Attr::enumerator)) << "no file has the attribute " << spelling;
#include "ir/core/ops.def"
}

TEST(RoundTrip, CanonicalTextIsUnchanged) {
  const std::string text = R"(module @"a b" stage loop

weight @g : f32[16]
weight @w : q8_0[40,64] {pack=2, unit=20}

func @forward(%0: i32[T], %1: i32[T], %2: i32[T], %3: i32[B,4], %4: i32[Q,4], %out5: f32[B,16]) {
  %6 = buffer {offset=64, bytes=0, bytes_t=64, bytes_b=0, offset_t=128} : ptr
  call @"k/1"(%6, @w, @g, %out5)
  return
}

kernel @"k/1"(%0: ptr, %1: ptr, %2: ptr, %3: ptr, %4: ptr, %5: index, %6: index, %7: index, %8: index) rows(T by 48) cols(3 by 1) scratch(4096) {
  %one9 = const {value=1} : index
  %v10 = const {value=0.1} : f32x16
  %11, %acc12 = for %5, %6, %one9, %v10, %v10 : f32x16, f32x16 (%i13: index, %a14: f32x16, %acc15: f32x16) {
    %16 = fma %a14, %acc15, %v10 : f32x16
    yield %16, %a14
  }
  switch %one9 () {
    store %11, %0, %5 {lanes=4}
    yield
  } () {
    yield
  }
  return
}
)";
  EXPECT_EQ(Print(MustParse(text)), text);
}

TEST(RoundTrip, ValuesAreRenumberedAndHintsCleaned) {
  const Module module = MustParse(R"(module @m stage graph
    weight @e : f32[4,8]
    func @forward(%T7: i32[T]) -> (f32[B,8]) {  // a comment
      %Row_of2x = embed %T7, @e {scale=1} : f32[T,8]
      %99 = mean_pool %Row_of2x : f32[B,8]
      return %99
    })");
  EXPECT_EQ(Print(module, module.forward(), false), R"(func @_(%t0: i32[T]) -> (f32[B,8]) {
  %row_ofx1 = embed %t0, @e {scale=1} : f32[T,8]
  %2 = mean_pool %row_ofx1 : f32[B,8]
  return %2
}
)");
}

TEST(Printer, FloatsAreShortAndExact) {
  EXPECT_EQ(FormatFloat(1), "1");
  EXPECT_EQ(FormatFloat(-65536), "-65536");
  EXPECT_EQ(FormatFloat(9007199254740991), "9007199254740991");
  EXPECT_EQ(FormatFloat(1e22), "1e+22");
  EXPECT_EQ(FormatFloat(-0.0), "-0");
  EXPECT_EQ(FormatFloat(0.1), "0.1");
  EXPECT_EQ(FormatFloat(1e-6), "1e-06");
  EXPECT_EQ(FormatFloat(11.313708498984761), "11.313708498984761");
  EXPECT_EQ(FormatFloat(-std::numeric_limits<double>::infinity()), "-inf");
}

TEST(Printer, FloatsParseToTheSameBits) {
  const std::string base = ReadTestFile("graph.tir");
  for (const double value : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 1e22, 123456789.125}) {
    const Module module = MustParse(Replaced(base, "scale=8", "scale=" + FormatFloat(value)));
    const Op& embed = module.forward().op(module.forward().block(module.forward().body).ops[0]);
    EXPECT_EQ(std::bit_cast<uint64_t>(embed.Float(Attr::kScale)), std::bit_cast<uint64_t>(value)) << value;
  }
}

TEST(Printer, QuotesOnlyNamesThatAreNotPlain) {
  EXPECT_EQ(QuoteName("blk.0.attn_q-x.weight"), "blk.0.attn_q-x.weight");
  EXPECT_EQ(QuoteName(""), "\"\"");
  EXPECT_EQ(QuoteName("a b"), "\"a b\"");
  EXPECT_EQ(QuoteName("a\"\\\n\x7f"), "\"a\\\"\\\\\\x0a\\x7f\"");
}

TEST(Printer, QuotedWeightNameParsesToTheSameName) {
  std::string name = "\u00e9\u2581\U0001F600";
  for (int c = 0x20; c < 0x7F; ++c) name += static_cast<char>(c);
  const std::string text = "module @m stage graph\nweight @" + QuoteName(name) + " : f32[4]\n";
  EXPECT_EQ(MustParse(text).weights.at(0).name, name);
}

TEST(OpTable, SetKeepsAttributesInTableOrder) {
  Op op{OpKind::kBuffer, {}, {}, {}, {}, {}};
  op.Set(AttrValue::Int(Attr::kBytesT, 2));
  op.Set(AttrValue::Int(Attr::kBytes, 1));
  op.Set(AttrValue::Int(Attr::kOffset, 3));
  op.Set(AttrValue::Int(Attr::kBytes, 4));
  ASSERT_EQ(op.attrs.size(), 3u);
  EXPECT_EQ(op.attrs[0], AttrValue::Int(Attr::kOffset, 3));
  EXPECT_EQ(op.attrs[1], AttrValue::Int(Attr::kBytes, 4));
  EXPECT_EQ(op.attrs[2], AttrValue::Int(Attr::kBytesT, 2));
  op.Erase(Attr::kBytes);
  EXPECT_FALSE(op.Has(Attr::kBytes));
  EXPECT_EQ(op.Int(Attr::kBytes, 7), 7);
}

TEST(OpTable, FindsOpsAndAttributesByName) {
#define OP(enumerator, spelling, ...) EXPECT_EQ(FindOp(spelling), OpKind::enumerator);
#define ATTR(enumerator, spelling, kind) EXPECT_EQ(FindAttr(spelling), Attr::enumerator);
#include "ir/core/ops.def"
  EXPECT_EQ(FindOp("nothing"), std::nullopt);
  EXPECT_EQ(FindAttr(""), std::nullopt);
}

}  // namespace
}  // namespace ggufc::ir
