// The builder's functions print as expected. An op that breaks its type rule ends the process with the op in the message.
#include "ir/core/builder.h"

#include "ir_test_util.h"

namespace ggufc::ir {
namespace {

FunctionId AddForward(Module& module) {
  Function forward;
  forward.name = "forward";
  forward.AddParam(Type::Tensor(Scalar::kI32, Symbol::kT), "ids");
  forward.result_types = {Type::Tensor(Scalar::kF32, Symbol::kB, 32)};
  return module.AddFunction(std::move(forward));
}

Weight Tensor(const char* name, Type type) {
  Weight weight;
  weight.name = name;
  weight.type = type;
  return weight;
}

TEST(Builder, GraphStage) {
  Module module;
  module.name = "m";
  const FunctionId id = AddForward(module);
  const WeightId table = module.AddWeight(Tensor("e", Type::Tensor(Scalar::kQ8_0, 8, 32)));
  const WeightId w = module.AddWeight(Tensor("w", Type::Tensor(Scalar::kQ8_0, 32, 32)));
  Builder b(module, id);
  const ValueId x = b.Emit(OpKind::kEmbed, {module.forward().params[0], b.Weight(table)},
                           {AttrValue::Float(Attr::kScale, 2)});
  b.Name(x, "x");
  const ValueId q = b.Emit(OpKind::kQuantize, {x}, {}, Type::Tensor(Scalar::kQ8, Symbol::kT, 32));
  const ValueId y = b.Emit(OpKind::kLinear, {q, b.Weight(w)});
  const ValueId z = b.Emit(OpKind::kLinear, {y, b.Weight(w)});
  EXPECT_EQ(b.Weight(w), b.Weight(w));
  b.Return({b.Emit(OpKind::kMeanPool, {z})});
  ASSERT_TRUE(Verify(module)) << Verify(module).error().message;
  EXPECT_EQ(Print(module), R"(module @m stage graph

weight @e : q8_0[8,32]
weight @w : q8_0[32,32]

func @forward(%ids0: i32[T]) -> (f32[B,32]) {
  %x1 = embed %ids0, @e {scale=2} : f32[T,32]
  %2 = quantize %x1 : q8[T,32]
  %3 = linear %2, @w : f32[T,32]
  %4 = linear %3, @w : f32[T,32]
  %5 = mean_pool %4 : f32[B,32]
  return %5
}
)");
}

TEST(Builder, LoopsBranchesAndCalls) {
  Module module;
  module.name = "m";
  module.stage = Stage::kLoop;
  Function micro;
  micro.name = "mk";
  micro.kind = Function::Kind::kMicro;
  micro.AddParam(PtrType(), "p");
  micro.result_types = {F32x16()};
  const FunctionId callee = module.AddFunction(std::move(micro));
  Builder inner(module, callee);
  inner.Return({inner.Splat(inner.F32(0.5))});

  Function kernel;
  kernel.name = "k";
  kernel.kind = Function::Kind::kMicro;
  const ValueId p = kernel.AddParam(PtrType(), "p");
  const ValueId n = kernel.AddParam(IndexType(), "n");
  Builder b(module, module.AddFunction(std::move(kernel)));
  const ValueId zero = b.Index(0);
  const std::vector<ValueId> sums =
      b.For(zero, n, 64, {b.F32V(0)}, [&](ValueId i, const std::vector<ValueId>& c) {
        return std::vector<ValueId>{b.Add(c[0], b.Load(F32x16(), p, i, 12))};
      });
  b.If(b.Emit(OpKind::kCmpLt, {zero, n}), [&] { b.Store(sums[0], p, zero, 4); });
  b.Switch(n, 2, [&](int64_t which) {
    const ValueId value = b.I32V(which);
    b.Store(value, b.PtrAdd(p, n), zero);
  });
  b.For(zero, n, 1, [&](ValueId) { b.EmitCall(callee, {p}); });
  b.Return({});
  EXPECT_EQ(Print(module, module.functions[1]), R"(micro @k(%p0: ptr, %n1: index) {
  %2 = const {value=0} : index
  %3 = const {value=0} : f32x16
  %4 = const {value=64} : index
  %5 = for %2, %n1, %4, %3 : f32x16 (%i6: index, %7: f32x16) {
    %8 = load %p0, %i6 {lanes=12} : f32x16
    %9 = add %7, %8 : f32x16
    yield %9
  }
  %10 = cmp_lt %2, %n1 : i1
  if %10 () {
    store %5, %p0, %2 {lanes=4}
    yield
  }
  switch %n1 () {
    %11 = const {value=1} : i32x16
    %12 = ptr_add %p0, %n1 : ptr
    store %11, %12, %2
    yield
  } () {
    %13 = const {value=2} : i32x16
    %14 = ptr_add %p0, %n1 : ptr
    store %13, %14, %2
    yield
  }
  %15 = const {value=1} : index
  for %2, %n1, %15 (%i16: index) {
    %17 = call @mk(%p0) : f32x16
    yield
  }
  return
}
)");
}

TEST(Builder, ReplaceAllUsesAndDefiningOp) {
  Module module;
  Builder b(module, AddForward(module));
  const WeightId table = module.AddWeight(Tensor("e", Type::Tensor(Scalar::kF32, 8, 32)));
  const ValueId ids = module.forward().params[0];
  const ValueId x = b.Emit(OpKind::kEmbed, {ids, b.Weight(table)}, {AttrValue::Float(Attr::kScale, 2)});
  const ValueId y = b.Emit(OpKind::kGelu, {x});
  b.Return({b.Emit(OpKind::kMeanPool, {y})});
  module.forward().ReplaceAllUses(y, x);
  EXPECT_EQ(module.forward().DefiningOp(x)->kind, OpKind::kEmbed);
  EXPECT_EQ(module.forward().DefiningOp(ids), nullptr);
  EXPECT_EQ(module.forward().DefiningOp(b.Weight(table)), nullptr);
  EXPECT_THAT(Print(module), testing::HasSubstr("mean_pool %1 : f32[B,32]"));
}

TEST(BuilderDeathTest, MessageNamesTheWrongOp) {
  Module module;
  Builder b(module, AddForward(module));
  const ValueId ids = module.forward().params[0];
  EXPECT_DEATH(b.Emit(OpKind::kGelu, {ids}),
               "@forward: gelu: operand 1 is i32\\[T\\], expected f32\\[T or B, columns\\] in `gelu %ids0`");
  EXPECT_DEATH(b.Emit(OpKind::kGelu, {}), "gelu: 0 operands, expected 1");
  EXPECT_DEATH(b.Const(Type::MakeScalar(Scalar::kI1), 1), "i1 has no constants");
}

}  // namespace
}  // namespace ggufc::ir
