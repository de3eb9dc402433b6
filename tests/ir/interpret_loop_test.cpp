// The loop stage: control flow, memory, kernel launches and errors.
#include <cmath>

#include "loop_test_util.h"

namespace ggufc::ir {
namespace {

// ---- control flow -----------------------------------------------------------------------------------------

TEST(LoopControl, CarriedValuesMayBePermuted) {
  // Fibonacci, and a rotation of three values.
  const std::vector<float> out = RunBody(
      "%n = const {value=10} : index\n%f0 = const {value=0} : f32\n%f1 = const {value=1} : f32\n%f2 = const "
      "{value=2} : f32\n"
      "%a, %b = for %z, %n, %one, %f0, %f1 : f32, f32 (%i: index, %x: f32, %y: f32) {\n%s = add %x, %y : "
      "f32\nyield %y, %s\n}\n"
      "%p, %q, %r = for %z, %n, %one, %f0, %f1, %f2 : f32, f32, f32 (%i2: index, %u: f32, %v: f32, %w2: f32) "
      "{\nyield %v, %w2, %u\n}\n"
      "%o1 = const {value=4} : index\n%o2 = const {value=8} : index\n%o3 = const {value=12} : index\n"
      "store %a, %out, %z\nstore %p, %out, %o1\nstore %q, %out, %o2\nstore %r, %out, %o3");
  EXPECT_EQ(out[0], 55);
  EXPECT_EQ(out[1], 1);  // ten rotations of three values equal one
  EXPECT_EQ(out[2], 2);
  EXPECT_EQ(out[3], 0);
}

TEST(LoopControl, LoopsWithoutIterationsReturnTheirInitialValues) {
  const std::vector<float> out = RunBody(
      "%f1 = const {value=1} : f32\n%f2 = const {value=2} : f32\n"
      "%a = for %one, %one, %one, %f1 : f32 (%i: index, %x: f32) {\nyield %f2\n}\nstore %a, %out, %z");
  EXPECT_EQ(out[0], 1);
}

TEST(LoopControl, StepsAndNestedLoops) {
  // sum over i in {0, 3, 6, 9} of sum over j < i of 1
  const std::vector<float> out = RunBody(
      "%n = const {value=10} : index\n%three = const {value=3} : index\n%f0 = const {value=0} : f32\n%f1 = "
      "const {value=1} : f32\n"
      "%a = for %z, %n, %three, %f0 : f32 (%i: index, %x: f32) {\n"
      "%b = for %z, %i, %one, %x : f32 (%j: index, %y: f32) {\n%s = add %y, %f1 : f32\nyield %s\n}\nyield "
      "%b\n}\nstore %a, %out, %z");
  EXPECT_EQ(out[0], 18);
}

TEST(LoopControl, IfAndSwitch) {
  const std::string text =
      "%n = const {value=4} : index\n%two = const {value=2} : index\n%four = const {value=4} : index\n"
      "for %one, %n, %one (%i: index) {\n%at = mul %i, %four : index\n%f = const {value=10} : f32\n"
      "%c = cmp_lt %i, %two : i1\nif %c () {\n%g = const {value=5} : f32\nstore %g, %out, %z\nyield\n}\n"
      "switch %i () {\nstore %f, %out, %at\nyield\n} () {\n%g2 = const {value=20} : f32\nstore %g2, %out, "
      "%at\nyield\n} () {\n"
      "%g3 = const {value=30} : f32\nstore %g3, %out, %at\nyield\n}\nyield\n}";
  const std::vector<float> out = RunBody(text);
  EXPECT_EQ(out[0], 5);
  EXPECT_EQ(out[1], 10);
  EXPECT_EQ(out[2], 20);
  EXPECT_EQ(out[3], 30);
  EXPECT_THAT(RunError("switch %z () {\nyield\n}"), testing::HasSubstr("selector 0, expected 1 to 1"));
  EXPECT_THAT(RunError("%two = const {value=2} : index\nswitch %two () {\nyield\n}"),
              testing::HasSubstr("selector 2, expected 1 to 1"));
}

TEST(LoopControl, CountersDoNotOverflow) {
  const std::string far =
      "%big = const {value=4503599627370496} : index\n%shift = const {value=11} : index\n"
      "%wrap = shl %big, %shift : index\n%end = sub %wrap, %one : index\n"
      "%two = const {value=2} : index\n%lo = sub %end, %two : index\n";
  EXPECT_THAT(RunError(far + "for %lo, %end, %big (%i: index) {\nyield\n}"),
              testing::HasSubstr("overflows the index"));
}

TEST(LoopControl, MicroKernelsTakeAndReturnValues) {
  const auto output = TryRun(KernelText(
      "%x = const {value=3} : f32\n%r, %v = call @m(%out, %one, %x) : f32, f32x16\n%at = const {value=64} : "
      "index\n"
      "store %r, %out, %z\nstore %v, %out, %at",
      "rows(B) cols(1)",
      "micro @m(%p: ptr, %i: index, %x: f32) -> (f32, f32x16) {\n  %y = mul %x, %x : f32\n  %v = call @n(%y) "
      ": f32x16\n"
      "  return %y, %v\n}\nmicro @n(%x: f32) -> (f32x16) {\n  %v = splat %x : f32x16\n  return %v\n}\n"));
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->values[0], 9);
  EXPECT_EQ(output->values[31], 9);
}

TEST(LoopControl, DepthOfCallsIsLimited) {
  std::string chain;
  for (int i = 0; i < 70; ++i) {
    chain += fmt::format("micro @m{}(%p: ptr) {{\n{}  return\n}}\n", i,
                         i < 69 ? fmt::format("  call @m{}(%p)\n", i + 1) : "");
  }
  const auto output = TryRun(KernelText("call @m0(%out)", "rows(B) cols(1)", chain));
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error().message, testing::HasSubstr("calls nest deeper than 64"));
}

// ---- memory -----------------------------------------------------------------------------------------------

TEST(LoopMemory, PartialAccessTouchesOnlyItsLanes) {
  const std::vector<float> out = RunBody(
      "%a = load %w, %z {lanes=3} : f32x16\nstore %a, %out, %z\n%o = const {value=1} : f32x16\n%at = const "
      "{value=64} : index\n"
      "store %o, %out, %at {lanes=5}");
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(out[i], i < 3 ? A(i) : 0.0f);
    if (i < 5) {
      EXPECT_EQ(out[16 + i], 1.0f);
    } else {
      EXPECT_TRUE(std::isnan(out[16 + i])) << "lane " << i << " was not written";
    }
  }
}

TEST(LoopMemory, PtrAddMovesPointers) {
  EXPECT_EQ(
      RunBody("%at = const {value=12} : index\n%p = ptr_add %w, %at : ptr\n%m = const {value=-4} : index\n"
              "%x = load %p, %m : f32\nstore %x, %out, %z")[0],
      A(2));
}

struct Access {
  const char* body;
  const char* op;
  const char* message;
};
TEST(LoopMemory, AccessesOutOfBoundsAreErrors) {
  // With T = B = 1 the buffer has 64 + 4 + 8 = 76 bytes, output and weight have 256, and each table has one entry.
  const Access cases[] = {
      {"%x = const {value=1} : f32x16\n%at = const {value=193} : index\nstore %x, %out, %at", "store %x",
       "64 bytes at 193 of the output, which has 256"},
      {"%x = const {value=1} : f32\n%at = const {value=-1} : index\nstore %x, %out, %at", "store %x",
       "4 bytes at -1 of the output, which has 256"},
      {"%x = const {value=1} : f32\n%at = const {value=73} : index\nstore %x, %buf, %at", "store %x",
       "4 bytes at 73 of buffer %buf, which has 76"},
      {"%at = const {value=193} : index\n%x = load %w, %at : f32x16", "load %w",
       "64 bytes at 193 of @w, which has 256"},
      {"%x = load %ids, %one : i32", "load %ids", "4 bytes at 1 of the table ids, which has 4"},
      {"%x = load %positions, %one : i32", "load %positions", "of the table positions, which has 4"},
      {"%x = load %slots, %one : i32", "load %slots", "of the table key_slots, which has 4"},
      {"%at = const {value=16} : index\n%x = load %sequences, %at : i32", "load %sequences",
       "of the table sequences, which has 16"},
      {"%at = const {value=16} : index\n%x = load %tiles, %at : i32", "load %tiles",
       "of the table tiles, which has 16"},
      {"%x = load %scratch, %z : i32", "load %scratch", "4 bytes at 0 of the scratch of @k, which has 0"},
      {"%s = scratch {bytes=4} : ptr\n%x = load %s, %one : i32", "load %s",
       "4 bytes at 1 of scratch in @k, which has 4"},
      {"%x = const {value=1} : f32\nstore %x, %w, %z", "store %x", "a store to @w, which is read-only"},
      {"%x = const {value=1} : f32\nstore %x, %ids, %z", "store %x",
       "a store to the table ids, which is read-only"},
      {"%big = const {value=4503599627370496} : index\n%k = const {value=2048} : index\n%m = mul %big, %k : "
       "index\n"
       "%p = ptr_add %out, %m : ptr\n%x = load %p, %m : f32x16",
       "", ""},  // the sum of the two offsets wraps to 0, which is in bounds
      {"%big = const {value=9007199254740991} : index\n%p = ptr_add %out, %big : ptr\n%x = load %p, %big : "
       "f32x16",
       "load %p", "64 bytes at 18014398509481982 of the output"},
  };
  for (const Access& c : cases) {
    if (*c.message == '\0') {
      RunBody(c.body);
      continue;
    }
    const std::string message = RunError(c.body);
    EXPECT_THAT(message, testing::StartsWith("@k: `")) << c.body;
    EXPECT_THAT(message, testing::HasSubstr(c.op)) << c.body;
    EXPECT_THAT(message, testing::HasSubstr(c.message)) << c.body;
  }
}

TEST(LoopMemory, NewMemoryReadsAsNaN) {
  const std::vector<float> out = RunBody(
      "%s = scratch {bytes=64} : ptr\n%a = load %s, %z : f32\nstore %a, %out, %z\n%at = const {value=4} : "
      "index\n"
      "%b = load %buf, %z : f32\nstore %b, %out, %at");
  EXPECT_TRUE(std::isnan(out[0]));
  EXPECT_TRUE(std::isnan(out[1]));
}

// Scratch contents do not survive a work item: each item reads NaN, not the value of the previous item.
TEST(LoopMemory, ScratchIsPoisonedForEveryItem) {
  const std::string body =
      "%x = load %scratch, %z : f32\n%f = const {value=1} : f32\nstore %f, %scratch, %z\n%row = const "
      "{value=256} : index\n"
      "%at = mul %ra, %row : index\nstore %x, %out, %at";
  InterpreterInput input{{1, 2, 3}, {1, 1, 1}};
  input.max_rows = 1;
  const auto output = TryRun(KernelText(body, "rows(B) cols(1) scratch(64)"), input);
  ASSERT_TRUE(output) << output.error().message;
  for (int b = 0; b < 3; ++b) EXPECT_TRUE(std::isnan(output->values[b * 64])) << b;
}

// Two buffers at overlapping offsets share bytes, and each is still bounded by its own size.
TEST(LoopMemory, PlannedBuffersAreViewsOfOneArena) {
  const std::string text = R"(module @m stage loop
    func @forward(%ids: i32[T], %p: i32[T], %k: i32[T], %s: i32[B,4], %q: i32[Q,4], %out: f32[B,16]) {
      %first = buffer {offset=0, bytes=8, bytes_t=0, bytes_b=0} : ptr
      %second = buffer {offset=0, bytes=0, bytes_t=8, bytes_b=0, offset_t=4} : ptr
      call @write(%first)
      call @read(%second, %out)
      return
    }
    kernel @write(%a: ptr, %scratch: ptr, %ra: index, %rb: index, %ca: index, %cb: index) rows(B) cols(1) {
      %z = const {value=0} : index
      %four = const {value=4} : index
      %x = const {value=42} : f32
      store %x, %a, %four
      return
    }
    kernel @read(%a: ptr, %out: ptr, %scratch: ptr, %ra: index, %rb: index, %ca: index, %cb: index) rows(B) cols(1) {
      %z = const {value=0} : index
      %x = load %a, %z : f32
      %v = splat %x : f32x16
      store %v, %out, %z
      return
    })";
  const auto output = TryRun(text);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->values[0], 42);
  const auto beyond = TryRun(Replaced(text, "%four = const {value=4}", "%four = const {value=8}"));
  ASSERT_FALSE(beyond);
  EXPECT_THAT(beyond.error().message, testing::HasSubstr("4 bytes at 8 of buffer %first, which has 8"));
}

TEST(LoopMemory, RefusesTooMuchMemory) {
  const auto output = TryRun(Replaced(KernelText(""), "bytes=64,", "bytes=1099511627776,"));
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error().message, testing::HasSubstr("buffer %buf: 1099511627788 bytes"));
}

// ---- launches ---------------------------------------------------------------------------------------------

// Counts visits of each row and column unit: out[row][unit] += 1. @clear writes zeros first.
std::string CountingModule(const std::string& domain) {
  return fmt::format(R"(module @m stage loop
    func @forward(%ids: i32[T], %p: i32[T], %k: i32[T], %s: i32[B,4], %q: i32[Q,4], %out: f32[B,16]) {{
      call @clear(%out)
      call @count(%out)
      return
    }}
    kernel @clear(%out: ptr, %scratch: ptr, %ra: index, %rb: index, %ca: index, %cb: index) rows(B) cols(1) {{
      %one = const {{value=1}} : index
      %row = const {{value=64}} : index
      %zero = const {{value=0}} : f32x16
      for %ra, %rb, %one (%i: index) {{
        %at = mul %i, %row : index
        store %zero, %out, %at
        yield
      }}
      return
    }}
    kernel @count(%out: ptr, %scratch: ptr, %ra: index, %rb: index, %ca: index, %cb: index) {} {{
      %one = const {{value=1}} : index
      %four = const {{value=4}} : index
      %row = const {{value=64}} : index
      %onef = const {{value=1}} : f32
      for %ra, %rb, %one (%i: index) {{
        for %ca, %cb, %one (%c: index) {{
          %a = mul %i, %row : index
          %b = mul %c, %four : index
          %at = add %a, %b : index
          %x = load %out, %at : f32
          %y = add %x, %onef : f32
          store %y, %out, %at
          yield
        }}
        yield
      }}
      return
    }})",
                     domain);
}

TEST(LoopLaunch, EverySplitVisitsEachRowAndColumnUnitOnce) {
  for (const char* domain : {"rows(B) cols(10)", "rows(B by 2) cols(10 by 3)"}) {
    for (const int64_t max_rows : {0, 1, 3, 100}) {
      for (const int64_t max_cols : {0, 1, 4, 100}) {
        for (const uint64_t seed : {0, 9}) {
          InterpreterInput input{{1, 2, 3, 4, 5, 6, 7}, {1, 1, 1, 1, 1, 1, 1}, max_rows, max_cols, seed};
          const auto output = TryRun(CountingModule(domain), input);
          ASSERT_TRUE(output) << output.error().message;
          for (int row = 0; row < 7; ++row) {
            for (int unit = 0; unit < 16; ++unit) {
              ASSERT_EQ(output->values[row * 16 + unit], unit < 10 ? 1 : 0)
                  << domain << " max_rows " << max_rows << " max_cols " << max_cols << " seed " << seed
                  << " row " << row << " unit " << unit;
            }
          }
        }
      }
    }
  }
}

TEST(LoopLaunch, TablesDescribeTheBatch) {
  const auto output = TryRun(
      KernelText(
          "%f = const {value=4} : index\n%g = const {value=16} : index\n%i16 = const {value=20} : index\n"
          "%a = load %positions, %f : i32\n%af = convert %a : f32\n%b = load %slots, %f : i32\n"
          "%bf = convert %b : f32\n%c = load %sequences, %i16 : i32\n%cf = convert %c : f32\n"
          "%d = load %ids, %f : i32\n%df = convert %d : f32\n%o2 = const {value=8} : index\n"
          "%o3 = const {value=12} : index\nstore %af, %out, %z\nstore %bf, %out, %f\n"
          "store %cf, %out, %o2\nstore %df, %out, %o3"),
      {{50, 51, 52, 53, 54}, {1, 4}});
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_EQ(output->values[0], 0);   // token 1 is the first of its sequence
  EXPECT_EQ(output->values[1], 32);  // key slots of sequence 1 start at 32
  EXPECT_EQ(output->values[2], 4);   // the second sequence's length
  EXPECT_EQ(output->values[3], 51);
}

TEST(LoopFiles, LoopFileGathersRows) {
  const Module module = MustParse(ReadTestFile("loop.tir"));
  std::vector<float> w(50 * 16);
  for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i);
  for (const int64_t max_rows : {0, 1}) {
    InterpreterInput input{{3, 9, 4, 1}, {1, 3}, max_rows, 0, 5};
    const auto output = Interpret(module, NamedWeights({{"w", w}}), input);
    ASSERT_TRUE(output) << output.error().message;
    for (int j = 0; j < 16; ++j) {
      EXPECT_EQ(output->values[j], 3 * 16 + j);
      EXPECT_EQ(output->values[16 + j], 9 * 16 + j);
    }
  }
}

}  // namespace
}  // namespace ggufc::ir
