// Compiles small loop-stage modules for every target that this machine can run, in either form, and calls
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

// A target's own instructions, or their definitions in plain LLVM IR.
struct Variant {
  const codegen::Target* target;
  bool replaced;
  std::string Name() const { return target->info.name + (replaced ? "_replaced" : ""); }
};
inline void PrintTo(const Variant& variant, std::ostream* out) { *out << variant.Name(); }

// Every variant that runs here. generic always does.
std::vector<Variant> Variants();

// An empty loop-stage module: an empty forward.
ir::Module LoopModule();

// One kernel, @k(in: ptr, out: ptr); `body` gets them and the rows [r0, r1).
struct KernelParams {
  ir::ValueId in, out, scratch, r0, r1, c0, c1;
};
ir::Module KernelModule(const std::function<void(ir::Builder&, const KernelParams&)>& body);

// Adds micro-kernel @name with the given parameters.
ir::FunctionId AddMicro(ir::Module& module, const std::string& name, const std::vector<ir::Type>& params,
                        const std::function<void(ir::Builder&, const std::vector<ir::ValueId>&)>& body);

// Machine code of a module; failures to compile or load fail the test and end the process.
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
