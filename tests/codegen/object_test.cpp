// Objects are self-contained, reproducible and loadable; errors for modules without code.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <string>

#include "asm_check.h"
#include "codegen/jit.h"
#include "codegen/object_emitter.h"
#include "ir/core/builder.h"
#include "kitchen_sink.h"
#include "micro_shapes.h"
#include "run_kernel.h"

namespace ggufc::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Symbol {
  std::string name;
  bool defined = false;
  int visibility = STV_DEFAULT;
};

template <typename T>
T ReadAt(const std::vector<uint8_t>& bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

// The named symbols in the symbol table of a relocatable object.
std::vector<Symbol> Symbols(const std::vector<uint8_t>& object) {
  std::vector<Symbol> symbols;
  const auto header = ReadAt<Elf64_Ehdr>(object, 0);
  EXPECT_EQ(std::memcmp(header.e_ident, ELFMAG, SELFMAG), 0);
  EXPECT_EQ(header.e_type, ET_REL);
  EXPECT_EQ(header.e_machine, EM_X86_64);
  for (int i = 0; i < header.e_shnum; ++i) {
    const auto section =
        ReadAt<Elf64_Shdr>(object, header.e_shoff + static_cast<size_t>(i) * sizeof(Elf64_Shdr));
    if (section.sh_type != SHT_SYMTAB) continue;
    const auto strings = ReadAt<Elf64_Shdr>(object, header.e_shoff + section.sh_link * sizeof(Elf64_Shdr));
    for (size_t at = sizeof(Elf64_Sym); at < section.sh_size; at += sizeof(Elf64_Sym)) {
      const auto symbol = ReadAt<Elf64_Sym>(object, section.sh_offset + at);
      const char* name = reinterpret_cast<const char*>(object.data()) + strings.sh_offset + symbol.st_name;
      if (ELF64_ST_TYPE(symbol.st_info) == STT_SECTION || ELF64_ST_TYPE(symbol.st_info) == STT_FILE) continue;
      symbols.push_back({name, symbol.st_shndx != SHN_UNDEF, ELF64_ST_VISIBILITY(symbol.st_other)});
    }
  }
  return symbols;
}

std::vector<uint8_t> Object(const ir::Module& module, const codegen::Target& target,
                            const codegen::EmitOptions& options = {}) {
  const auto object = codegen::EmitObject(module, target, options);
  EXPECT_TRUE(object) << object.error().message;
  return object ? *object : std::vector<uint8_t>{};
}

TEST(ObjectTest, HasNoUndefinedSymbols) {
  const ir::Module modules[] = {KitchenSink(), MicroModule({.rows = 12, .sums_in_registers = true}),
                                FloatMicroModule(6, 64, ir::Scalar::kF16)};
  for (const codegen::Target& target : codegen::Targets()) {
    for (const bool replaced : {false, true}) {
      codegen::EmitOptions options;
      options.replace_intrinsics = replaced;
      for (const ir::Module& module : modules) {
        const auto symbols = Symbols(Object(module, target, options));
        EXPECT_FALSE(symbols.empty());
        for (const Symbol& symbol : symbols) {
          EXPECT_TRUE(symbol.defined) << target.name() << (replaced ? ", replaced: " : ": ") << symbol.name;
        }
        const auto assembly = codegen::PrintAssembly(module, target, options);
        ASSERT_TRUE(assembly);
        EXPECT_EQ(assembly->find("@PLT"), std::string::npos) << target.name();
        EXPECT_EQ(assembly->find("@GOT"), std::string::npos) << target.name();
      }
    }
  }
}

TEST(ObjectTest, FillAndCopyLoopsStayLoops) {
  // Loops that optimisers replace by memset and memcpy.
  const ir::Module module = KernelModule([](ir::Builder& b, const KernelParams& p) {
    b.For(p.r0, p.r1, 64, [&](ir::ValueId i) { b.Store(b.F32V(0), p.out, i); });
    b.For(p.r0, p.r1, 64, [&](ir::ValueId i) { b.Store(b.Load(ir::F32x16(), p.in, i), p.out, i); });
  });
  for (const codegen::Target& target : codegen::Targets()) {
    for (const Symbol& symbol : Symbols(Object(module, target))) EXPECT_TRUE(symbol.defined) << symbol.name;
  }
}

TEST(ObjectTest, IsReproducible) {
  const ir::Module module = KitchenSink();
  for (const codegen::Target& target : codegen::Targets()) {
    EXPECT_EQ(Object(module, target), Object(module, target)) << target.name();
  }
}

TEST(ObjectTest, AllFunctionsHaveTheSymbolPrefix) {
  codegen::EmitOptions options;
  options.symbol_prefix = "avx2.";
  const auto symbols = Symbols(Object(KitchenSink(), **codegen::FindTarget("avx2"), options));
  EXPECT_THAT(symbols, Contains(::testing::AllOf(::testing::Field(&Symbol::name, "avx2.k"),
                                                 ::testing::Field(&Symbol::visibility, STV_HIDDEN))));
  for (const Symbol& symbol : symbols)
    EXPECT_TRUE(symbol.name.starts_with("avx2.") || symbol.name.starts_with(".")) << symbol.name;
}

TEST(ObjectTest, LlvmTextKeepsNamesAndHasNoFastMath) {
  const auto text = codegen::PrintLlvm(KitchenSink(), **codegen::FindTarget("avx512vnni"));
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("define hidden void @k("));
  EXPECT_THAT(*text, HasSubstr("%total"));  // the name of an IR value
  for (const char* flag :
       {" fast ", " reassoc ", " contract ", " nnan ", " ninf ", " nsz ", " arcp ", " afn "}) {
    EXPECT_EQ(text->find(flag), std::string::npos) << flag;
  }
}

TEST(ObjectTest, ReplacedModulesHaveNoX86Intrinsics) {
  codegen::EmitOptions options;
  options.replace_intrinsics = true;
  for (const codegen::Target& target : codegen::Targets()) {
    const auto text = codegen::PrintLlvm(KitchenSink(), target, options);
    ASSERT_TRUE(text);
    EXPECT_EQ(text->find("llvm.x86"), std::string::npos) << target.name();
    EXPECT_EQ(text->find("avx512"), std::string::npos) << target.name();
  }
}

TEST(ObjectTest, RefusesOtherStages) {
  ir::Module module;
  module.name = "m";
  module.stage = ir::Stage::kKernel;
  const auto object = codegen::EmitObject(module, codegen::Targets().front());
  ASSERT_FALSE(object);
  EXPECT_THAT(object.error().message, HasSubstr("loop stage"));
}

// Such a module verifies and runs in the interpreter, so it must be an error, not an abort.
TEST(ObjectTest, RefusesMicroKernelsWithResults) {
  ir::Module module;
  module.name = "m";
  module.stage = ir::Stage::kLoop;
  ir::Function micro;
  micro.name = "with_result";
  micro.kind = ir::Function::Kind::kMicro;
  micro.result_types = {ir::F32Type()};
  const ir::FunctionId id = module.AddFunction(std::move(micro));
  ir::Builder b(module, id);
  b.Return({b.F32(1)});
  const auto object = codegen::EmitObject(module, codegen::Targets().front());
  ASSERT_FALSE(object);
  EXPECT_THAT(object.error().message, HasSubstr("@with_result returns values"));
}

TEST(ObjectTest, RefusesScratchWithoutAnOffset) {
  const ir::Module module = KernelModule([&](ir::Builder& b, const KernelParams& p) {
    b.Store(b.F32V(0), b.Scratch(64, "unplaced"), b.Index(0));
    b.Store(b.F32V(0), p.out, b.Index(0));
  });
  const auto object = codegen::EmitObject(module, codegen::Targets().front());
  ASSERT_FALSE(object);
  EXPECT_THAT(object.error().message, HasSubstr("scratch has no offset"));
}

TEST(LoadedCodeTest, LookupErrorNamesTheSymbol) {
  const auto object = Object(KitchenSink(), codegen::NativeTarget());
  const auto code = codegen::LoadedCode::Load(object);
  ASSERT_TRUE(code);
  EXPECT_TRUE(code->Lookup("k"));
  const auto missing = code->Lookup("no.such.kernel");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("no.such.kernel"));
  EXPECT_EQ(missing.error().kind, ErrorKind::kInternal);
  // Symbols of this process are not visible.
  EXPECT_FALSE(code->Lookup("malloc"));
}

TEST(LoadedCodeTest, RefusesBytesThatAreNotAnObject) {
  const std::vector<uint8_t> garbage(64, 0x5a);
  const auto code = codegen::LoadedCode::Load(garbage);
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().kind, ErrorKind::kInternal);
  EXPECT_FALSE(codegen::LoadedCode::Load({}));
}

// No page of the process is writable and executable.
TEST(LoadedCodeTest, CodeIsNotWritable) {
  const auto code = codegen::LoadedCode::Load(Object(KitchenSink(), codegen::NativeTarget()));
  ASSERT_TRUE(code);
  const auto address = code->Lookup("k");
  ASSERT_TRUE(address);
  std::ifstream maps("/proc/self/maps");
  bool found = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0, end = 0;
    char flags[5] = {};
    ASSERT_EQ(std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, flags), 3) << line;
    EXPECT_FALSE(flags[1] == 'w' && flags[2] == 'x') << line;
    const auto at = reinterpret_cast<uintptr_t>(*address);
    if (at >= begin && at < end) {
      found = true;
      EXPECT_EQ(flags[1], '-') << line;
      EXPECT_EQ(flags[2], 'x') << line;
    }
  }
  EXPECT_TRUE(found);
}

TEST(LoadedCodeTest, OutlivesTheObjectAndMoves) {
  auto object = Object(
      KernelModule([](ir::Builder& b, const KernelParams& p) { b.Store(b.Index(42), p.out, b.Index(0)); }),
      codegen::NativeTarget());
  auto loaded = codegen::LoadedCode::Load(object);
  ASSERT_TRUE(loaded);
  object.assign(object.size(), 0);
  const codegen::LoadedCode code = std::move(*loaded);
  const auto address = code.Lookup("k");
  ASSERT_TRUE(address);
  int64_t out = 0;
  void* args[] = {nullptr, &out};
  reinterpret_cast<void (*)(void**, void*, int64_t, int64_t, int64_t, int64_t)>(*address)(args, nullptr, 0, 1,
                                                                                          0, 1);
  EXPECT_EQ(out, 42);
}

TEST(AsmCheckTest, FindsInnermostLoopsAndStackAccesses) {
  const char* text =
      "other:\n\tjmp\tother\n.Lfunc_end0:\n"
      "f:\n\tpushq\t%rbp\n\tmovq\t%rsp, %rbp\n.LBB1_1:\n\txorl\t%eax, %eax\n.LBB1_2:\n\tvmovups\t-32(%rbp), "
      "%ymm0\n"
      "\tvpaddd\t%ymm0, %ymm1,  %ymm1 # note\n\tjb\t.LBB1_2\n\tvmovups\t%ymm1, "
      "8(%rsp)\n\tjne\t.LBB1_1\n\tretq\n.Lfunc_end1:\n";
  const auto loops = InnermostLoops(text, "f");
  ASSERT_EQ(loops.size(), 1u);
  EXPECT_THAT(loops[0].instructions,
              ::testing::ElementsAre("vmovups -32(%rbp), %ymm0", "vpaddd %ymm0, %ymm1, %ymm1", "jb .LBB1_2"));
  EXPECT_EQ(loops[0].stack_accesses, 1);
  EXPECT_EQ(WholeFunction(text, "f").stack_accesses, 2);
  EXPECT_EQ(loops[0].Count({"vpaddd", "%ymm1"}), 1);
  EXPECT_THAT(InnermostLoops(text, "g"), IsEmpty());
}

}  // namespace
}  // namespace ggufc::testing
