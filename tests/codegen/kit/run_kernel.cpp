#include "run_kernel.h"

#include <cstdlib>
#include <memory>

#include "codegen/object_emitter.h"
#include "ir/verify/verifier.h"
#include "support/check.h"

namespace ggufc::testing {
namespace {

constexpr size_t kScratchBytes = 1 << 16;

codegen::LoadedCode Compile(const ir::Module& module, const Variant& variant) {
  const Status verified = ir::Verify(module);
  CHECK(verified, "{}", verified.error().message);
  codegen::EmitOptions options;
  options.replace_intrinsics = variant.replaced;
  const auto object = codegen::EmitObject(module, *variant.target, options);
  CHECK(object, "{}: {}", variant.Name(), object.error().message);
  auto code = codegen::LoadedCode::Load(*object);
  CHECK(code, "{}: {}", variant.Name(), code.error().message);
  return std::move(*code);
}

}  // namespace

std::vector<Variant> Variants() {
  std::vector<Variant> variants;
  for (const codegen::Target& target : codegen::Targets()) {
    if (codegen::HostRuns(target)) variants.push_back({&target, false});
    const bool runs_replaced = target.vector_bits > 128 && codegen::HostRuns(**codegen::FindTarget("avx2"));
    if (runs_replaced) variants.push_back({&target, true});
  }
  return variants;
}

ir::Module LoopModule() {
  ir::Module module;
  module.name = "test";
  module.stage = ir::Stage::kLoop;
  ir::Function forward;
  forward.name = "forward";
  ir::AddBatchTables(forward);
  forward.AddParam(ir::Type::Tensor(ir::Scalar::kF32, ir::Symbol::kB, 16), "out");
  const ir::FunctionId id = module.AddFunction(std::move(forward));
  ir::Builder(module, id).Return({});
  return module;
}

ir::Module KernelModule(const std::function<void(ir::Builder&, const KernelParams&)>& body) {
  ir::Module module = LoopModule();
  ir::Function kernel;
  kernel.name = "k";
  kernel.kind = ir::Function::Kind::kKernel;
  kernel.domain.rows = ir::Symbol::kT;
  kernel.domain.scratch_bytes = kScratchBytes;
  KernelParams params;
  params.in = kernel.AddParam(ir::PtrType(), "in");
  params.out = kernel.AddParam(ir::PtrType(), "out");
  const ir::ItemParams item = ir::AddItemParams(kernel);
  params.scratch = item.scratch;
  params.r0 = item.r0;
  params.r1 = item.r1;
  params.c0 = item.c0;
  params.c1 = item.c1;
  ir::Builder builder(module, module.AddFunction(std::move(kernel)));
  body(builder, params);
  builder.Return({});
  return module;
}

ir::FunctionId AddMicro(ir::Module& module, const std::string& name, const std::vector<ir::Type>& params,
                        const std::function<void(ir::Builder&, const std::vector<ir::ValueId>&)>& body) {
  ir::Function micro;
  micro.name = name;
  micro.kind = ir::Function::Kind::kMicro;
  std::vector<ir::ValueId> values;
  for (const ir::Type& type : params) values.push_back(micro.AddParam(type, "p"));
  const ir::FunctionId id = module.AddFunction(std::move(micro));
  ir::Builder builder(module, id);
  body(builder, values);
  builder.Return({});
  return id;
}

Code::Code(const ir::Module& module, const Variant& variant) : code_(Compile(module, variant)) {}

void* Code::Address(const std::string& name) const {
  const Result<void*> address = code_.Lookup(name);
  CHECK(address, "{}", address.error().message);
  return *address;
}

void Code::RunKernel(const std::string& name, std::vector<void*> args, int64_t rows, int64_t cols) const {
  using KernelFn = void (*)(void* const*, void*, int64_t, int64_t, int64_t, int64_t);
  const std::unique_ptr<void, decltype(&std::free)> scratch(std::aligned_alloc(64, kScratchBytes),
                                                            &std::free);
  reinterpret_cast<KernelFn>(Address(name))(args.data(), scratch.get(), 0, rows, 0, cols);
}

}  // namespace ggufc::testing
