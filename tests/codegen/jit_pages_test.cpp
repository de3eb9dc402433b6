// Memory of loaded code is never writable and executable at the same time, neither during loading nor after.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "codegen/jit.h"
#include "codegen/object_emitter.h"
#include "run_kernel.h"

namespace ggufc::testing {
namespace {

struct Mapping {
  uintptr_t begin = 0, end = 0;
  std::string permissions;  // "r-xp"
  std::string line;
};

std::vector<Mapping> Mappings() {
  std::vector<Mapping> mappings;
  std::ifstream file("/proc/self/maps");
  for (std::string line; std::getline(file, line);) {
    Mapping mapping;
    char permissions[8] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %7s", &mapping.begin, &mapping.end, permissions) != 3) continue;
    mapping.permissions = permissions;
    mapping.line = line;
    mappings.push_back(mapping);
  }
  return mappings;
}

bool Has(const Mapping& mapping, char permission) {
  return mapping.permissions.find(permission) != std::string::npos;
}

std::vector<uint8_t> SmallObject() {
  const ir::Module module =
      KernelModule([](ir::Builder& b, const KernelParams& p) { b.Store(b.F32(42), p.out, b.Index(0)); });
  auto object = codegen::EmitObject(module, codegen::NativeTarget(), {});
  EXPECT_TRUE(object) << object.error().message;
  return object ? *object : std::vector<uint8_t>{};
}

using Kernel = void (*)(void* const* args, void* scratch, int64_t r0, int64_t r1, int64_t c0, int64_t c1);

// The value that the small kernel stores; 0 if loading fails.
float LoadAndRun(const std::vector<uint8_t>& object) {
  const auto code = codegen::LoadedCode::Load(object);
  if (!code) return 0;
  const auto address = code->Lookup("k");
  if (!address) return 0;
  float result = 0;
  void* args[] = {&result, &result};
  reinterpret_cast<Kernel>(*address)(args, nullptr, 0, 1, 0, 1);
  return result;
}

TEST(JitPagesTest, LoadedCodeIsExecutableAndNotWritable) {
  const std::vector<uint8_t> object = SmallObject();
  const auto code = codegen::LoadedCode::Load(object);
  ASSERT_TRUE(code) << code.error().message;
  const auto address = code->Lookup("k");
  ASSERT_TRUE(address) << address.error().message;
  const auto at = reinterpret_cast<uintptr_t>(*address);
  bool found = false;
  for (const Mapping& mapping : Mappings()) {
    EXPECT_FALSE(Has(mapping, 'w') && Has(mapping, 'x')) << mapping.line;
    if (at < mapping.begin || at >= mapping.end) continue;
    found = true;
    EXPECT_EQ(mapping.permissions, "r-xp") << mapping.line;
  }
  EXPECT_TRUE(found);
}

// Installs a filter that kills this process on every call that asks for writable and executable memory.
bool ForbidWritableCode() {
  constexpr auto kProtection = static_cast<uint32_t>(offsetof(seccomp_data, args) + 2 * sizeof(uint64_t));
  constexpr uint32_t kBoth = PROT_WRITE | PROT_EXEC;
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 7),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pkey_mprotect, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kProtection),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kBoth),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kBoth, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog program = {.len = std::size(filter), .filter = filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

constexpr int kNoFilter = 3;

// The wait status of a child that installs the filter and then runs `work`, whose value is its exit status.
template <typename Work>
int RunInFilteredChild(Work work) {
  const pid_t child = fork();
  if (child == 0) _exit(ForbidWritableCode() ? work() : kNoFilter);
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(JitPagesTest, NoCallAsksForWritableCode) {
  const std::vector<uint8_t> object = SmallObject();
  const int loaded = RunInFilteredChild([&] { return LoadAndRun(object) == 42 ? 0 : 1; });
  if (WIFEXITED(loaded) && WEXITSTATUS(loaded) == kNoFilter)
    GTEST_SKIP() << "this system has no seccomp filters";
  EXPECT_TRUE(WIFEXITED(loaded)) << "signal " << WTERMSIG(loaded);
  EXPECT_EQ(WEXITSTATUS(loaded), 0);
  // The filter works.
  const int both = RunInFilteredChild([] {
    void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0 ? 0 : 1;
  });
  EXPECT_TRUE(WIFSIGNALED(both) && WTERMSIG(both) == SIGSYS) << both;
}

}  // namespace
}  // namespace ggufc::testing
