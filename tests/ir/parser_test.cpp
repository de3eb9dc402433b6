// The parser's errors, with exact line and column.
#include "ir_test_util.h"

namespace ggufc::ir {
namespace {

struct Case {
  const char* text;
  const char* message;  // without the file's name
};

constexpr Case kCases[] = {
    {"", "1:1: expected `module`, found the end of the text"},
    {"modul @m stage graph", "1:1: expected `module`, found `modul`"},
    {"module m stage graph", "1:8: expected the module's @name, found `m`"},
    {"module @m stage grape", "1:17: expected graph, kernel or loop, found `grape`"},
    {"module @m stage graph\nwight", "2:1: expected func, kernel or micro, found `wight`"},
    {"module @m stage graph\nweight @a : f33[4]", "2:13: expected a type, found `f33`"},
    {"module @m stage graph\nweight @a : f32x1",
     "2:13: expected a vector type of 2 to 64 lanes, found `f32x1`"},
    {"module @m stage graph\nweight @a : f32x99999999999", "2:13: expected a vector type of 2 to 64 lanes"},
    {"module @m stage graph\nweight @a : f32[0]",
     "2:17: expected T, B, Q or a size, 1 to 2147483648, found `0`"},
    {"module @m stage graph\nweight @a : f32[2147483649]", "2:17: expected T, B, Q or a size"},
    {"module @m stage graph\nweight @a : f32[99999999999999999999]", "2:17: expected T, B, Q or a size"},
    {"module @m stage graph\nweight @a : f32[1,2,3]", "2:20: expected `]`, found `,`"},
    {"module @m stage graph\nweight @a : f32[4]\nweight @a : f32[4]", "3:8: weight `@a` is defined twice"},
    {"module @m stage graph\nweight @a = concat(@b) : f32[4]",
     "2:20: expected the @name of a weight above, found `@b`"},
    {"module @m stage graph\nweight @a = sum(@b) : f32[4]",
     "2:13: expected concat, interleave, scale or rope_table"},
    {"module @m stage graph\nweight @a : f32[4] {pack=0}", "2:26: expected pack, 1 to 2147483648, found `0`"},
    {"module @m stage graph\nweight @a : f32[4] {pck=1}",
     "2:21: expected granule, factor, pack or unit, found `pck`"},
    {"module @m stage graph\nweight @\"a", "2:8: expected a closing quote"},
    {"module @m stage graph\nweight @\"a\\q\"", "2:8: expected \\\\, \\\" or \\xNN after a backslash"},
    {"module @m stage graph\nweight @ : f32[4]", "2:8: expected a name after @"},
    {"module @m stage graph\n#", "2:1: expected a token, found byte 0x23"},
    {"module @m stage graph\nfunc @f(%a: f32, %a: f32) {}", "2:18: value `%a` is defined twice"},
    {"module @m stage graph\nfunc @f(a: f32) {}", "2:9: expected a %value, found `a`"},
    {"module @m stage graph\nfunc @f() {}\nfunc @f() {}", "3:6: function `@f` is defined twice"},
    {"module @m stage graph\nfunc @f() {", "2:12: expected an op or `}`, found the end of the text"},
    {"module @m stage graph\nfunc @f() {\n  frob %a\n}", "3:3: expected the name of an op, found `frob`"},
    {"module @m stage graph\nfunc @f() {\n  gelu %a\n}",
     "3:8: expected a value that is defined above, found `%a`"},
    {"module @m stage graph\nfunc @f() {\n  gelu @a\n}",
     "3:8: expected the @name of a weight above, found `@a`"},
    {"module @m stage graph\nfunc @f() {\n  %a = iota\n}", "4:1: expected `:`, found `}`"},
    {"module @m stage graph\nfunc @f() {\n  %a, %b = iota : i32\n}",
     "3:3: expected 2 result types, one per result, found 1"},
    {"module @m stage graph\nfunc @f() {\n  iota {size=1, size=2}\n}",
     "3:17: expected an attribute that this op does not have yet"},
    {"module @m stage graph\nfunc @f() {\n  iota {sice=1}\n}",
     "3:9: expected the name of an attribute, found `sice`"},
    {"module @m stage graph\nfunc @f() {\n  iota {size=1.5}\n}", "3:14: expected size"},
    {"module @m stage graph\nfunc @f() {\n  iota {eps=1e}\n}", "3:13: expected a number, found `1e`"},
    {"module @m stage graph\nfunc @f() {\n  iota {eps=1e999}\n}", "3:13: expected a number, found `1e999`"},
    {"module @m stage graph\nfunc @f() {\n  call @g()\n}",
     "3:8: expected the name of a function, found `@g`"},
    {"module @m stage graph\nkernel @f() rows(4) {}", "2:18: expected T, B or Q, found `4`"},
    {"module @m stage graph\nkernel @f() rows(T by 0) {}",
     "2:23: expected a grain, 1 to 2147483648, found `0`"},
    {"module @m stage graph\nkernel @f() rows(T) cols(0) {}", "2:26: expected column units"},
    {"module @m stage graph\nkernel @f() scratch(-1) {}", "2:21: expected bytes"},
};

TEST(Parser, ErrorsHaveLineAndColumn) {
  for (const Case& c : kCases) {
    const Result<Module> module = Parse(c.text, "a.tir");
    ASSERT_FALSE(module) << c.text;
    EXPECT_THAT(module.error().message, testing::StartsWith("a.tir:")) << c.text;
    EXPECT_THAT(module.error().message, testing::HasSubstr(c.message)) << c.text;
  }
}

TEST(Parser, RefusesDeepNesting) {
  std::string text = "module @m stage loop\nfunc @f(%c: i1) {\n";
  for (int i = 0; i < 100000; ++i) text += "if %c () {\n";
  const Result<Module> module = Parse(text, "a.tir");
  ASSERT_FALSE(module);
  EXPECT_THAT(module.error().message, testing::HasSubstr("regions nest deeper than 64"));
}

TEST(Parser, RefusesHugeTokens) {
  const Result<Module> module = Parse("module @" + std::string(100000, 'a'), "a.tir");
  ASSERT_FALSE(module);
  EXPECT_THAT(module.error().message, testing::HasSubstr("1:8: the token has 100000 bytes (at most 4096)"));
}

// Prefixes and random single-byte changes of valid files are parsed or refused without a crash.
TEST(Parser, DamagedTextDoesNotCrash) {
  for (const char* file : {"graph.tir", "kernel.tir", "loop.tir"}) {
    const std::string text = ReadTestFile(file);
    for (size_t n = 0; n < text.size(); n += 7) ErrorOf(text.substr(0, n));
    uint64_t random = 12345;
    for (int i = 0; i < 3000; ++i) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      std::string damaged = text;
      damaged[(random >> 33) % text.size()] = "%@{}()[],:=0x9-TBQ \n\"\\"[(random >> 20) % 23];
      if (ErrorOf(damaged).empty()) {
        const std::string printed = Print(MustParse(damaged));
        EXPECT_EQ(Print(MustParse(printed)), printed) << file << " change " << i;
      }
    }
  }
}

}  // namespace
}  // namespace ggufc::ir
