#include "tools/roofline/machine/probes.h"

#include <algorithm>
#include <functional>

#include "ir/core/builder.h"
#include "ir/verify/verifier.h"

namespace ggufc::roofline {
namespace {

using ir::OpKind;
using ir::Scalar;
using ir::Type;
using ir::ValueId;

constexpr int64_t kVectorBytes = 64;  // bytes of i32x16 and f32x16

// The number of 16-lane vectors that fit in registers beside an operand, a constant (vpmaddwd's operand of ones) and a
// product: 6 on avx2, which are 12 ymm, and 28 on avx512. Latency times throughput (4 to 7 cycles, at most 2 per cycle)
// needs fewer.
int Accumulators(const codegen::Target& target) {
  const int registers_each = 512 / target.vector_bits;
  return std::max(1, (target.vector_registers - 4) / registers_each);
}

OpKind OpOf(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kF32:
      return OpKind::kFma;
    case Arithmetic::kI16:
      return OpKind::kDotI16;
    case Arithmetic::kU8S8:
      return OpKind::kDotU8S8;
    case Arithmetic::kU8S7:
      return OpKind::kDotU8S7;
  }
  return OpKind::kFma;
}

// Adds probe @name; `body` emits its body from its parameters.
void AddProbe(ir::Module& module, const std::string& name, const std::vector<Type>& params,
              const std::function<void(ir::Builder&, const std::vector<ValueId>&)>& body) {
  ir::Function probe;
  probe.name = name;
  probe.kind = ir::Function::Kind::kMicro;
  std::vector<ValueId> values;
  for (const Type& type : params) values.push_back(probe.AddParam(type, "p"));
  ir::Builder builder(module, module.AddFunction(std::move(probe)));
  body(builder, values);
  builder.Return({});
}

void AddDot(ir::Module& module, const codegen::Target& target, Arithmetic arithmetic) {
  const bool floats = arithmetic == Arithmetic::kF32;
  const Type type = floats ? ir::F32x16() : ir::I32x16();
  const int count = Accumulators(target);
  AddProbe(
      module, fmt::format("dot.{}", Name(arithmetic)), {ir::IndexType(), ir::PtrType(), ir::PtrType()},
      [&](ir::Builder& b, const std::vector<ValueId>& p) {
        // One word in every lane, so that a single register is enough at any vector width.
        const ValueId word = b.Splat(b.Load(type.Element(), p[1], b.Index(0)));
        std::vector<ValueId> init;
        for (int i = 0; i < count; ++i) init.push_back(b.Load(type, p[1], b.Index((i + 1) * kVectorBytes)));
        const auto turn = [&](ValueId, const std::vector<ValueId>& carried) {
          std::vector<ValueId> next;
          for (const ValueId sum : carried) {
            switch (arithmetic) {
              case Arithmetic::kF32:
                next.push_back(b.Fma(sum, word, word));
                break;
              case Arithmetic::kI16:
                next.push_back(b.Emit(OpKind::kDotI16,
                                      {sum, b.Bitcast(sum, ir::I16x32()), b.Bitcast(word, ir::I16x32())}));
                break;
              case Arithmetic::kU8S8:
              case Arithmetic::kU8S7:
                next.push_back(b.Emit(OpOf(arithmetic), {sum, b.Bitcast(word, Type::Vector(Scalar::kU8, 64)),
                                                         b.Bitcast(sum, Type::Vector(Scalar::kI8, 64))}));
                break;
            }
          }
          return next;
        };
        const std::vector<ValueId> sums = b.For(b.Index(0), p[0], 1, init, turn);
        for (int i = 0; i < count; ++i)
          b.Store(sums[static_cast<size_t>(i)], p[2], b.Index(i * kVectorBytes));
      });
}

void AddRead(ir::Module& module, const codegen::Target& target) {
  const size_t count = static_cast<size_t>(std::min(4, Accumulators(target)));
  AddProbe(module, "read", {ir::IndexType(), ir::PtrType(), ir::IndexType(), ir::PtrType()},
           [&](ir::Builder& b, const std::vector<ValueId>& p) {
             const std::vector<ValueId> zero(count, b.I32V(0));
             const auto turn = [&](ValueId byte, std::vector<ValueId> sums) {
               const ValueId at = b.PtrAdd(p[1], byte);
               for (int64_t line = 0; line < kReadTurn; line += kVectorBytes) {
                 ValueId& sum = sums[static_cast<size_t>(line / kVectorBytes) % count];
                 sum = b.Emit(OpKind::kXor, {sum, b.Load(ir::I32x16(), at, b.Index(line))});
               }
               return sums;
             };
             const std::vector<ValueId> sums =
                 b.For(b.Index(0), p[0], 1, zero, [&](ValueId, const std::vector<ValueId>& carried) {
                   return b.For(b.Index(0), p[2], kReadTurn, carried, turn);
                 });
             for (size_t i = 0; i < count; ++i)
               b.Store(sums[i], p[3], b.Index(static_cast<int64_t>(i) * kVectorBytes));
           });
}

// Alternates x ^ a and x + b: neither the compiler nor the processor can merge two of them, and each takes one cycle.
void AddChain(ir::Module& module) {
  const Type index = ir::IndexType();
  AddProbe(module, "chain", {index, ir::PtrType(), ir::PtrType()},
           [&](ir::Builder& b, const std::vector<ValueId>& p) {
             const auto word = [&](int64_t i) {
               return b.Convert(b.Load(ir::I32Type(), p[1], b.Index(4 * i)), index);
             };
             const ValueId flip = word(0), step = word(1);
             const ValueId last =
                 b.For(b.Index(0), p[0], 1, {word(2)}, [&](ValueId, std::vector<ValueId> carried) {
                   for (int64_t i = 0; i < kChainTurn; i += 2) {
                     carried[0] = b.Add(b.Emit(OpKind::kXor, {carried[0], flip}), step);
                   }
                   return carried;
                 })[0];
             b.Store(b.Convert(last, ir::I32Type()), p[2], b.Index(0));
           });
}

}  // namespace

const char* Name(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kF32:
      return "f32";
    case Arithmetic::kI16:
      return "i16";
    case Arithmetic::kU8S8:
      return "i8";
    case Arithmetic::kU8S7:
      return "i7";
  }
  return "";
}

Arithmetic ArithmeticOf(const codegen::Target& target, Scalar activation) {
  if (!ir::IsActivationQuant(activation)) return Arithmetic::kF32;
  if (target.info.Pack(activation) == 2) return Arithmetic::kI16;
  return activation == Scalar::kQ7 && target.info.seven_bit_dot ? Arithmetic::kU8S7 : Arithmetic::kU8S8;
}

bool Uses(const codegen::Target& target, Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::kF32) return true;
  return std::ranges::any_of(
      std::initializer_list<Scalar>{Scalar::kQ16, Scalar::kQ8, Scalar::kQ7},
      [&](Scalar activation) { return ArithmeticOf(target, activation) == arithmetic; });
}

int64_t DotTurnMacs(const codegen::Target& target, Arithmetic arithmetic) {
  const int64_t macs_per_lane = arithmetic == Arithmetic::kF32 ? 1 : arithmetic == Arithmetic::kI16 ? 2 : 4;
  return int64_t{Accumulators(target)} * ir::kLanes * macs_per_lane;
}

Result<ir::Module> BuildProbes(const codegen::Target& target) {
  ir::Module module;
  module.name = "probes";
  module.stage = ir::Stage::kLoop;
  // Every loop-stage module has a forward function with these parameters (docs/ir.md); this one is empty.
  ir::Function forward;
  forward.name = "forward";
  ir::AddBatchTables(forward);
  forward.AddParam(Type::Tensor(Scalar::kF32, ir::Symbol::kB, ir::kLanes), "out");
  const ir::FunctionId id = module.AddFunction(std::move(forward));
  ir::Builder(module, id).Return({});

  for (const Arithmetic arithmetic : kAllArithmetic) {
    if (Uses(target, arithmetic)) AddDot(module, target, arithmetic);
  }
  AddRead(module, target);
  AddChain(module);
  RETURN_IF_ERROR(ir::Verify(module));
  return module;
}

}  // namespace ggufc::roofline
