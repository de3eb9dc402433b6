// Compiles small loop-stage modules for every target that this machine can run, with and without x86 intrinsics, and runs
// them.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <ostream>
#include <string>
#include <vector>

#include "codegen/jit.h"
#include "codegen/target.h"
#include "ir/core/builder.h"
#include "ir/core/module.h"

namespace ggufc::testing {

// A target with its own instructions, or with their definitions in plain LLVM IR.
struct Variant {
  const codegen::Target* target;
  bool replaced;
  std::string Name() const { return target->info.name + (replaced ? "_replaced" : ""); }
};
inline void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.Name(); }

// All variants that run on this machine; generic always does.
std::vector<Variant> Variants();

// A loop-stage module with an empty forward.
ir::Module LoopModule();

// A module with one kernel, @k(in: ptr, out: ptr), whose body `body` emits.
struct KernelParams {
  ir::ValueId in, out, scratch, r0, r1, c0, c1;
};
ir::Module KernelModule(const std::function<void(ir::Builder&, const KernelParams&)>& body);

// Adds micro-kernel @name with the given parameters.
ir::FunctionId AddMicro(ir::Module& module, const std::string& name, const std::vector<ir::Type>& params,
                        const std::function<void(ir::Builder&, const std::vector<ir::ValueId>&)>& body);

// The machine code of a module. A failure to compile or load ends the process (CHECK).
class Code {
 public:
  Code(const ir::Module& module, const Variant& variant);

  void RunKernel(const std::string& name, std::vector<void*> args, int64_t rows, int64_t cols = 1) const;
  template <typename... Args>
  void RunMicro(const std::string& name, Args... args) const {
    reinterpret_cast<void (*)(Args...)>(Address(name))(args...);
  }

 private:
  void* Address(const std::string& name) const;
  codegen::LoadedCode code_;
};

}  // namespace ggufc::testing
