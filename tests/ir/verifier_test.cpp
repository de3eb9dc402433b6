// Each invariant of verifier.cpp, broken once: by an edit of a valid file's text, or of a valid module if text cannot
// express the fault.
#include "ir/core/builder.h"
#include "ir_test_util.h"

namespace ggufc::ir {
namespace {

struct Edit {
  const char* from;
  const char* to;
  const char* message;
};

void ExpectRefused(const std::string& file, const std::vector<Edit>& edits) {
  const std::string text = ReadTestFile(file);
  ASSERT_EQ(ErrorOf(text), "");
  for (const Edit& edit : edits) {
    EXPECT_THAT(ErrorOf(Replaced(text, edit.from, edit.to)), testing::HasSubstr(edit.message))
        << edit.from << "\n-> " << edit.to;
  }
}

TEST(Verifier, Weights) {
  ExpectRefused(
      "graph.tir",
      {
          {"@attn_norm : f32[64]", "@attn_norm : i32[64]",
           "weight @attn_norm: type i32[64], expected a tensor of"},
          {"@attn_norm : f32[64]", "@attn_norm : f32", "type f32, expected a tensor of"},
          {"@attn_norm : f32[64]", "@attn_norm : f16[64]", "type f16[64], expected f32 vectors"},
          {"@attn_norm : f32[64]", "@attn_norm : f32[T]", "expected constant sizes"},
          {"@attn_norm : f32[64]", "@attn_norm : f32[2147483648,2147483648]", "elements (at most"},
          {"@attn_q : q8_0[64,64]", "@attn_q : q8_0[64,65]", "expected a multiple of 32 columns"},
          {"@attn_norm : f32[64]", "@attn_norm : f32[64] {factor=2}", "factor is 2, expected none"},
          {"@attn_norm : f32[64]", "@attn_norm : f32[64] {granule=2}", "granule is 2, expected none"},
          {"concat(@attn_q, @attn_k, @attn_v) : q8_0[128,64]", "concat(@attn_q, @attn_k) : q8_0[128,64]",
           "its sources have 96 rows in all"},
          {"concat(@attn_q, @attn_k, @attn_v)", "concat()", "0 sources"},
          {"concat(@attn_q, @attn_k, @attn_v)", "concat(@attn_q, @attn_k, @attn_norm)",
           "source @attn_norm has type"},
          {"@attn_k : q8_0[32,64]", "@attn_k : q8_0[32,32]",
           "source @attn_k has type q8_0[32,32], expected a matrix"},
          {"{granule=32}", "", "granule is 0, expected 1 to 2147483648"},
          {"interleave(@gate, @up) : f32[128,64]", "interleave(@gate, @up) : f32[96,64]",
           "its sources have 128 rows in all"},
          {"@up : f32[48,64]", "@up : f32[40,64]", "sources have different numbers of rows"},
          {"scale(@head_norm) : f32[32]", "scale(@head_norm, @head_norm) : f32[32]", "2 sources"},
          {"scale(@head_norm) : f32[32]", "scale(@attn_norm) : f32[32]", "expected that of its source"},
          {" {factor=0.17677669529663687}", "", "factor is 0, expected a finite number other than 0"},
          {"rope_table : f32[128,32]", "rope_table : f32[128,31]",
           "expected f32[positions, an even head_dim]"},
          {"{factor=10000}", "{factor=-1}", "factor is -1, expected a theta above 0"},
          {"@attn_out : f16[64,64]", "@attn_out : f16[64,64] {pack=2, unit=16}",
           "pack 2 and unit 16 are not valid for"},
          {"@attn_out : f16[64,64]", "@attn_out : f16[64,64] {pack=1}",
           "pack 1 and unit 0 are not valid for"},
          {"@attn_norm : f32[64]", "@attn_norm : f32[64] {pack=1, unit=16}", "are not valid for f32[64]"},
          {"@attn_norm : f32[64]", "@\"\" : f32[64]\nweight @attn_norm : f32[64]",
           "the name is empty or not unique"},
      });
}

TEST(Verifier, NestingOfWeightDefinitionsIsLimited) {
  std::string text = "module @m stage graph\nweight @g0 : f32[4]\n";
  for (int i = 1; i <= 64; ++i)
    text += fmt::format("weight @g{} = scale(@g{}) : f32[4] {{factor=2}}\n", i, i - 1);
  text += "func @forward(%i: i32[T]) -> (f32[B,4]) {\n  return\n}\n";
  EXPECT_EQ(ErrorOf(text), "weight @g64: definitions nest deeper than 64");
}

TEST(Verifier, GraphStage) {
  ExpectRefused(
      "graph.tir",
      {
          {"func @forward", "func @main", "the first function must be @forward"},
          {"func @forward", "kernel @forward",
           "functions of this kind are not allowed here at the graph stage"},
          {"(%ids: i32[T]) ->", "(%ids: i32[B]) ->", "expected (i32[T]) -> (f32[B,dims])"},
          {"-> (f32[B,48])", "-> (f32[T,48])", "expected (i32[T]) -> (f32[B,dims])"},
          {"-> (f32[B,48])", "-> (f32[B,64])", "return %e25`: expected operands (f32[B,64])"},
          {"-> (f32[B,48]) {", "-> (f32[B,48]) rows(T) {", "forward has no domain"},
          {"  return %e", "  return %t\n  return %e", "return before the end of its block"},
          {"  return %e\n", "", "the block ends without return"},
          {"%hq = quantize %h : q16[T,64]", "%hq = key_panels %h {head_dim=32} : f32[T,64]",
           "key_panels is not an op of the graph stage"},
          {"linear %hq, @attn_qkv : f32[T,128]", "linear %hq, @attn_qkv : f32[T,96]",
           "result 1 is f32[T,96], expected f32[T,128]"},
          {"linear %hq, @attn_qkv : f32[T,128]", "linear %hq, @attn_out : f32[T,64]",
           "operand 2 is f16[64,64], expected q8_0"},
          {"linear %a, @attn_out", "linear %a, @down",
           "linear: operand 1 has 64 columns, the weight is bf16[64,48]"},
          {"linear %a, @attn_out", "linear %a, @attn_out {pack=1, unit=64}",
           "the linear has pack 1, unit 64, but @attn_out has pack 0, unit 0"},
          {"linear %a, @attn_out", "linear %a, @attn_out {pack=1}",
           "expected both pack and unit, or neither"},
          {"linear %a, @attn_out", "linear %a, @attn_out {pack=3, unit=16}", "expected pack 1, 2 or 4"},
          {"linear %a, @attn_out", "linear %a", "linear: 1 operands, expected 2"},
          {"window=4}", "window=4, dots=8}", "attention: dots is 8 (0 or 16)"},
          {"{scale=8}", "{eps=8}", "embed: the op has no attribute eps"},
          {"{scale=8}", "", "embed: attribute scale is missing"},
          {"{scale=8}", "{scale=inf}", "embed: scale is inf, expected a number"},
          {"@attn_norm {eps=1e-06}", "@attn_norm {eps=-1}", "eps is -1, expected 0 or more"},
          {"@attn_norm {eps=1e-06}", "@attn_norm {eps=1e-06, group=32}",
           "operand 2 is f32[64], expected f32[32]"},
          {"@attn_norm {eps=1e-06}", "@attn_norm {eps=1e-06, group=48}", "group 48 does not divide 64"},
          {"@attn_norm {eps=1e-06}", "@attn_norm {eps=1e-06, group=-1}", "group is -1 (0 to"},
          {"embed %ids, @token_embd.weight", "embed %ids, @attn_norm",
           "operand 2 is f32[64], expected a weight"},
          {"quantize %h : q16[T,64]", "quantize %h : f32[T,64]", "the result must be q16, q8 or q7"},
          {"quantize %h : q16[T,64]", "quantize %h : q16[T,32]", "the result must be q16, q8 or q7"},
          {"{offset=96, size=32}", "{offset=97, size=32}",
           "slice: columns 97 to 129, but the operand has 128"},
          {"{offset=96, size=32}", "{offset=96, size=0}", "size is 0, expected more than 0"},
          {"rope %qn {theta=10000, head_dim=32}", "rope %qn {theta=10000, head_dim=24}",
           "head_dim is 24, expected an even divisor of 64"},
          {"rope %qn {theta=10000, head_dim=32}", "rope %qn {theta=0, head_dim=32}", "theta is 0"},
          {"rope_table %kn, @rope.10000", "rope_table %kn, @attn_q", "expected f32[positions, head_dim]"},
          {"heads=2, kv_heads=1", "heads=3, kv_heads=2", "3 heads, expected a multiple of the 2 kv_heads"},
          {"heads=2, kv_heads=1", "heads=4, kv_heads=1",
           "operand 1 is f32[T,64], expected f32[T, heads * head_dim]"},
          {"heads=2, kv_heads=1", "heads=2, kv_heads=2", "operand 2 is f32[T,32], expected f32[T, kv_heads"},
          {"way=1, ways=2", "way=2, ways=2", "way is 2, expected less than ways=2"},
          {"{size=48, way=1", "{size=49, way=1", "result 1 is f32[T,48], expected f32[T,49]"},
          {"{size=48, way=1", "{size=80, way=1",
           "the operand has 128 columns, too few for 80 columns of way 1"},
          {"mean_pool %n : f32[B,64]", "gelu %n : f32[B,64]", "result 1 is f32[B,64], expected f32[T,64]"},
          {"add %x, %o", "add %x, %k", "add: operands are f32[T,64] and f32[T,32]"},
          {"add %x, %o : f32[T,64]", "add %hq, %hq : q16[T,64]", "operand 1 is q16[T,64], expected a type"},
          {"%s = scale %d", "%s, %s2 = scale %d {scale=1} : f32[T,64], f32[T,64]\n  %s3 = scale %d",
           "2 results, expected 1"},
      });
}

TEST(Verifier, KernelStage) {
  ExpectRefused(
      "kernel.tir",
      {
          {"rows(T by 16) cols(1)", "", "a kernel needs a domain with rows"},
          {"kernel @pool", "micro @pool", "functions of this kind are not allowed here at the kernel stage"},
          {"kernel @pool", "func @pool", "functions of this kind are not allowed here at the kernel stage"},
          {"rows(B) cols(1)", "rows(T) cols(1)", "function @pool: result of type f32[B,64], expected rows T"},
          {"%e = call @pool(%y2) : f32[B,64]", "%e = mean_pool %y2 : f32[B,64]",
           "forward may contain only calls at this stage"},
          {"call @pool(%y2)", "call @pool(%y2, %y2)", "call @pool: 2 operands, expected 1"},
          {"call @pool(%y2)", "call @pool(@w.0)", "operand 1 is q8_0[64,64], expected f32[T,64]"},
          {"call @pool(%y2)", "call @forward(%y2)", "@forward cannot be called from here"},
          {"%p = mean_pool %x", "%p = call @embed(%x)", "@embed cannot be called from here"},
          {"{pack=4, unit=32} : f32[T,64]", "{pack=4, unit=48} : f32[T,64]",
           "the linear has pack 4, unit 48, but @w.0 has pack 4, unit 32"},
          {"@w.1 : q8_0[64,64] {pack=4, unit=32}", "@w.1 : q8_0[64,64] {pack=2, unit=32}",
           "the linear has pack 4, unit 32, but @w.1 has pack 2, unit 32"},
          {"embed %ids, %table", "embed %ids, @embd", "a weight is used outside forward"},
          {"layout=1", "layout=2", "layout is 2 (0 or 1)"},
          {"%x = embed %ids, %table {scale=8} : f32[T,64]", "%x = embed %ids, %table {scale=8} : f32[T,T]",
           "only the number of rows may be symbolic"},
          {"%ids: i32[T], %table: f32[50,64]", "%ids: i32[T], %table: f32[50,T]",
           "only the number of rows may be symbolic"},
          {"%ids: i32[T], %table: f32[50,64]", "%ids: i32[T], %table: q8_0[50,63]",
           "expected rows of whole blocks"},
          {"%ids: i32[T], %table: f32[50,64]", "%ids: i32[T], %table: ptr", "a parameter is not a tensor"},
          {"%q = quantize", "%c = const {value=1} : index\n  %q = quantize",
           "const is not an op of the kernel stage"},
      });
}

TEST(Verifier, OpsDoNotComputeWeights) {
  const auto error_of = [](const std::string& ops) {
    return ErrorOf(
        "module @m stage graph\nweight @e : f32[16,64]\nweight @w : f32[64,64]\nweight @g : f32[64]\n"
        "func @forward(%ids: i32[T]) -> (f32[B,64]) {\n  %x = embed %ids, @e {scale=1} : f32[T,64]\n" +
        ops + "  %p = mean_pool %x : f32[B,64]\n  return %p\n}\n");
  };
  EXPECT_EQ(error_of(""), "");
  EXPECT_THAT(error_of("  %y = scale @w {scale=2} : f32[64,64]\n"),
              testing::HasSubstr("operand 1 is f32[64,64], expected f32[T or B, columns]"));
  EXPECT_THAT(error_of("  %y = add @w, @w : f32[64,64]\n"), testing::HasSubstr("operand 1 is f32[64,64]"));
  EXPECT_THAT(error_of("  %y = add @g, @g : f32[64]\n"), testing::HasSubstr("operand 1 is f32[64]"));
  EXPECT_THAT(error_of("  %y = linear @w, @w : f32[64,64]\n"),
              testing::HasSubstr("expected f32, q16, q8 or q7 [T or B, columns]"));
  EXPECT_THAT(error_of("  %y = embed %ids, %x {scale=1} : f32[T,64]\n"),
              testing::HasSubstr("operand 2 is f32[T,64], expected a weight [rows, columns]"));
}

// A kernel's domain must match its ops.
TEST(Verifier, DomainsMatchTheirOps) {
  const auto error_of = [](const std::string& domain, const std::string& body) {
    return ErrorOf(
        "module @m stage kernel\nweight @e : f32[16,64]\nweight @w : f32[64,64] {pack=1, unit=48}\n"
        "func @forward(%ids: i32[T]) -> (f32[B,64]) {\n  %x = call @embed(%ids, @e) : f32[T,64]\n"
        "  %y = call @k(%x, @w) : f32[T,64]\n  %p = call @pool(%y) : f32[B,64]\n  return %p\n}\n"
        "kernel @embed(%i: i32[T], %t: f32[16,64]) -> (f32[T,64]) rows(T) cols(1) {\n"
        "  %x = embed %i, %t {scale=1} : f32[T,64]\n  return %x\n}\n"
        "kernel @pool(%x: f32[T,64]) -> (f32[B,64]) rows(B) cols(1) {\n"
        "  %p = mean_pool %x : f32[B,64]\n  return %p\n}\n"
        "kernel @k(%x: f32[T,64], %w: f32[64,64]) -> (f32[T,64]) " +
        domain + " {\n  %y = " + body + " : f32[T,64]\n  return %y\n}\n");
  };
  const std::string linear = "linear %x, %w {pack=1, unit=48}", gelu = "gelu %x",
                    attention = "attention %x, %x, %x {heads=1, kv_heads=1, head_dim=64, window=0}";
  EXPECT_EQ(error_of("rows(T) cols(2)", linear), "");
  EXPECT_EQ(error_of("rows(T) cols(1)", gelu), "");
  EXPECT_EQ(error_of("rows(Q) cols(1)", attention), "");
  EXPECT_THAT(error_of("rows(T) cols(1)", linear), testing::HasSubstr("@k: 1 column units, expected 2"));
  EXPECT_THAT(error_of("rows(T) cols(2)", gelu), testing::HasSubstr("@k: 2 column units, expected 1"));
  EXPECT_THAT(error_of("rows(T) cols(1)", attention),
              testing::HasSubstr("@k: the domain has rows(T), expected Q for attention"));
  EXPECT_THAT(error_of("rows(Q) cols(1)", gelu),
              testing::HasSubstr("@k: the domain has rows(Q), expected T or B without attention"));
}

TEST(Verifier, LoopStage) {
  ExpectRefused(
      "loop.tir",
      {
          {"%tiles: i32[Q,4]", "%tiles: i32[Q,3]", "expected (i32[T], i32[T], i32[T], i32[B,4], i32[Q,4]"},
          {"%ca: index, %cb: index)", "%ca: index, %cb: i32)",
           "expected (ptr..., scratch: ptr, r0, r1, c0, c1"},
          {"micro @detour(%p: ptr, %zero: index)", "micro @detour(%p: ptr, %zero: index, %v: f32x16)",
           "function @detour: parameter of type f32x16, expected ptr, index, f32 or i32"},
          {"micro @detour(%p: ptr, %zero: index)", "micro @detour(%p: ptr, %zero: index) scratch(64)",
           "a micro-kernel has no domain"},
          {"call @detour(%p, %zero)", "call @collect(%p, %p, %p)", "@collect cannot be called from here"},
          {"call @collect(%sequences, %rows, %out)", "call @detour(%rows)",
           "@detour cannot be called from here"},
          {"call @collect(%sequences, %rows, %out)", "call @collect(%sequences, %rows)",
           "2 operands, expected 3"},
          {"  %k = iota", "  call @detour(%p, %zero)\n  %k = iota",
           "function @detour: recursive calls are not allowed"},
          {"  %one = const {value=1} : f32x16",
           "  %one = const {value=1} : f32x16\n  %s0 = scratch {bytes=4} : ptr",
           "scratch is allowed only in kernels"},
          {"(%i: index) {\n    %at", "(%i: index) {\n    %s0 = scratch {offset=0, bytes=4} : ptr\n    %at",
           "scratch is not allowed in a region"},
          {"%lo = min %q, %kf", "%uc = const {value=1} : u8\n  %um = min %uc, %uc : u8\n  %lo = min %q, %kf",
           "min: operand 1 is u8, expected a type that the op works on"},
          {"%lo = min %q, %kf",
           "%uc = const {value=1} : u8\n  %ul = cmp_lt %uc, %uc : i1\n  %lo = min %q, %kf",
           "cmp_lt: operand 1 is u8, expected f32 or signed integers"},
          {"%tmp = scratch {offset=0, bytes=64}", "%tmp = scratch {offset=4, bytes=64}",
           "64 bytes at offset 4 exceed the scratch of 64 bytes"},
          {"%tmp = scratch", "%t2 = scratch {bytes=4} : ptr\n  %tmp = scratch",
           "1 of 2 scratch areas have an offset"},
          {"%tmp = scratch {offset=0, bytes=64}", "%tmp = buffer {bytes=64, bytes_t=0, bytes_b=0}",
           "buffers are allowed only in forward"},
          {"for %ra, %rb, %one (%i: index) {\n    %at", "for %ra, %rb, %ra (%i: index) {\n    %at",
           "the step must be a positive constant"},
          {"for %ra, %rb, %one (%i: index) {\n    %at", "for %ra, %rb (%i: index) {\n    %at",
           "for: 2 operands, expected lo, hi, step"},
          {"(%i: index, %c: f32x16, %m: index)", "(%i: index, %c: f32x16, %m: i32)",
           "region argument 3 is i32, expected index"},
          {"(%i: index) {\n    %at", "(%i: index, %j: index) {\n    %at",
           "a region takes 2 arguments, expected 1"},
          {"yield %c, %next", "yield %c, %c", "expected operands (f32x16, index)"},
          {"yield %c, %next", "yield %c", "expected operands (f32x16, index)"},
          {"      yield %c, %next\n", "", "the block ends without yield"},
          {"      yield %c, %next\n", "      return\n", "the block ends without yield"},
          {"store %acc, %out, %to\n", "store %next, %out, %to\n", "an operand is not defined above"},
          {"add %m, %one : index", "add %n, %one : index",
           "`%next25 = add %n21, %one8 : index`: an operand is not"},
          {"switch %sel () {", "switch %x () {", "switch: operand 1 is f32x16, expected index"},
          {"switch %sel () {", "if %le () {", "a value that is defined above"},
          {"if %is () {", "if %lt () {", "if: operand 1 is i1x16, expected i1"},
          {"    store %dv, %p, %zero {lanes=15}\n    yield\n  }", "    yield\n  } () {\n    yield\n  }",
           "2 regions, expected 1"},
          {"%q = div %d, %two", "%q = div %k, %k",
           "div: operand 1 is i32x16, expected a type that the op works on"},
          {"%lo = min %q, %kf", "%lo = min %q, %k", "min: operands are f32x16 and i32x16"},
          {"%f = fma %hi, %two, %one", "%f = fma %k, %k, %k", "fma: operand 1 is i32x16"},
          {"%ab = abs %f : f32x16", "%ab = abs %lo : f32", "result 1 is f32, expected f32x16"},
          {"%sq = sqrt %ab", "%sq = sqrt %k", "sqrt: operand 1 is i32x16, expected f32"},
          {"%ne = xor %any, %eq : i1x16", "%ne = xor %one, %one : f32x16", "xor: operand 1 is f32x16"},
          {"select %ne, %sq, %one", "select %k, %sq, %one",
           "operand 1 is i32x16, expected i1, or one i1 per lane"},
          {"select %ne, %sq, %one", "select %ne, %sq, %k", "select: operands are f32x16 and i32x16"},
          {"%sum = reduce_add %s : f32", "%sum = reduce_add %ne : i1",
           "operand 1 is i1x16, expected f32x16 or i32x16"},
          {"splat %sum : f32x16", "splat %sum : i32x16", "splat: cannot make i32x16 from f32"},
          {"bitcast %all : i32x16", "bitcast %all : i16x16", "bitcast: cannot make i16x16 from f32x16"},
          {"%kf = convert %k : f32x16", "%kf = convert %one : f32x16",
           "convert: cannot make f32x16 from f32x16"},
          {"%kf = convert %k : f32x16", "%kf = convert %k : f32x32",
           "convert: f32x32 is not a type of the loop stage"},
          {"%k = iota : i32x16", "%k = iota : f32x16", "iota: cannot make f32x16"},
          {"{value=255} : i32x16", "{value=4294967296} : i32x16",
           "const: 4294967296 is not a value of i32x16"},
          {"{value=255} : i32x16", "{value=0.5} : i32x16", "const: 0.5 is not a value of i32x16"},
          {"{value=200} : u8x64", "{value=256} : u8x64", "const: 256 is not a value of u8x64"},
          {"{value=255} : i32x16", "{value=255} : i1x16", "const: type i1x16 has no constants"},
          {"{value=-inf} : f32x16", "{value=-inf} : f32x3", "f32x3 is not a type of the loop stage"},
          {"{value=-inf} : f32x16", "{value=-inf} : f32[16]", "f32[16] is not a type of the loop stage"},
          {"dot_i16 %down, %wide, %wide", "dot_i16 %down, %wide, %down",
           "operand 3 is i32x16, expected i16x32"},
          {"dot_u8s8 %dot, %u, %i", "dot_u8s8 %dot, %i, %u", "operand 2 is i8x64, expected u8x64"},
          {"{lanes=15}", "{lanes=17}", "store: lanes is 17 (1 to 16)"},
          {"{lanes=15}", "{lanes=0}", "store: lanes is 0 (1 to 16)"},
          {"load %tmp, %zero : f32x16", "load %tmp, %zero : i1x16", "load: i1x16 has no size in memory"},
          {"load %tmp, %zero : f32x16", "load %zero, %zero : f32x16",
           "load: operand 1 is index, expected ptr"},
          {"store %x, %tmp, %zero", "store %tmp, %tmp, %zero",
           "operand 1 is ptr, expected a type with a size"},
          {"ptr_add %rows, %to", "ptr_add %to, %rows", "ptr_add: operand 1 is index, expected ptr"},
          {"{bytes=64, bytes_t=64, bytes_b=0, ", "{bytes=1099511627777, bytes_t=64, bytes_b=0, ",
           "bytes is 1099511627777 (0 to"},
      });
}

// ---- faults that text cannot express ----

class BrokenModule : public testing::Test {
 protected:
  BrokenModule() : module_(MustParse(ReadTestFile("graph.tir"))) {}

  void ExpectRefusal(const char* message) {
    const Status status = Verify(module_);
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, testing::HasSubstr(message));
  }
  Function& forward() { return module_.forward(); }
  Block& body() { return forward().block(forward().body); }
  Op& op(size_t i) { return forward().op(body().ops[i]); }

  Module module_;
};

TEST_F(BrokenModule, OperandOutOfRange) {
  op(1).operands[0] = ValueId{9999};
  ExpectRefusal("an operand is not a value of the function");
}
TEST_F(BrokenModule, OperandUnset) {
  op(1).operands[0] = ValueId();
  ExpectRefusal("an operand is not a value of the function");
}
TEST_F(BrokenModule, OperandDefinedBelow) {
  op(1).operands[0] = op(2).results[0];
  ExpectRefusal("an operand is not defined above");
}
TEST_F(BrokenModule, ValueDefinedTwice) {
  op(2).results[0] = op(1).results[0];
  ExpectRefusal("is defined twice");
}
TEST_F(BrokenModule, ResultOfAnotherOp) {
  forward().value(op(2).results[0]).op = body().ops[0];
  ExpectRefusal("a result is recorded as the result of another op");
}
TEST_F(BrokenModule, ResultThatSaysItIsAParameter) {
  forward().value(op(2).results[0]).def = Value::Def::kParam;
  ExpectRefusal("is defined differently from its Value::def");
}
TEST_F(BrokenModule, OpUsedTwice) {
  body().ops.insert(body().ops.begin(), body().ops[0]);
  ExpectRefusal("is used twice");
}
TEST_F(BrokenModule, OpOutOfRange) {
  body().ops[0] = OpId{9999};
  ExpectRefusal("the block has an op that does not exist");
}
TEST_F(BrokenModule, NoBody) {
  forward().body = BlockId();
  ExpectRefusal("the block does not exist");
}
TEST_F(BrokenModule, EmptyBody) {
  body().ops.clear();
  ExpectRefusal("the block is empty, expected return");
}
TEST_F(BrokenModule, WeightOfAnotherType) {
  forward().value(op(0).operands[1]).type = Type::Tensor(Scalar::kF32, 50, 64);
  ExpectRefusal("the weight has type q8_0[50,64], its value f32[50,64]");
}
TEST_F(BrokenModule, WeightOutOfRange) {
  forward().value(op(0).operands[1]).weight = WeightId{9999};
  ExpectRefusal("an operand refers to a weight that does not exist");
}
TEST_F(BrokenModule, WeightSourceBelowIt) {
  module_.weights[5].sources[0] = WeightId{5};
  ExpectRefusal("a source is not declared above it");
}
TEST_F(BrokenModule, TwoWeightsOfOneName) {
  module_.weights[1].name = module_.weights[2].name;
  ExpectRefusal("the name is empty or not unique");
}
TEST_F(BrokenModule, AttributesOutOfOrder) {
  Op& norm = op(7);  // rms_norm {eps, group}
  ASSERT_EQ(norm.attrs.size(), 2u);
  std::swap(norm.attrs[0], norm.attrs[1]);
  ExpectRefusal("attribute eps is repeated or out of order");
}
TEST_F(BrokenModule, NaNAttribute) {
  op(0).attrs[0].f = std::nan("");
  ExpectRefusal("scale is nan, expected a number");
}
TEST_F(BrokenModule, ParameterOutOfRange) {
  forward().params[0] = ValueId{9999};
  ExpectRefusal("a parameter is not a value of the function");
}
TEST_F(BrokenModule, NoFunctions) {
  module_.functions.clear();
  ExpectRefusal("the first function must be @forward");
}
TEST_F(BrokenModule, BlockInsideItself) {
  module_ = MustParse(ReadTestFile("loop.tir"));
  Function& kernel = module_.functions[1];
  OpId loop;
  kernel.ForEachOp([&](OpId id, const Op& inner) {
    if (inner.kind == OpKind::kFor) loop = id;
  });
  kernel.op(loop).regions[0] = kernel.body;
  ExpectRefusal("is used twice");
}
TEST_F(BrokenModule, CalleeOutOfRange) {
  module_ = MustParse(ReadTestFile("kernel.tir"));
  op(0).callee = FunctionId();
  ExpectRefusal("the callee does not exist");
}

}  // namespace
}  // namespace ggufc::ir
