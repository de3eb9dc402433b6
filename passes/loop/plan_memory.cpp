// Algorithm. `forward` is straight-line, so a buffer lives from the first call that takes it to the last, both
// included. Sizes of buffers are linear forms a + b T + c B, compared coefficient by coefficient. Slots have sizes of
// the same form and lie one after another. Buffers are placed in order of birth. Each takes the smallest free slot that
// it fits in, or grows the largest free slot, or opens a new one. A slot is free after the last call of its last
// buffer.
//
// Scratch of a kernel is not reused within the kernel: offsets count up.
#include "passes/loop/plan_memory.h"

#include <algorithm>
#include <map>

#include "passes/kernel/kernel_shape.h"
#include "passes/rewrite.h"

namespace ggufc::passes {
namespace {

using ir::Attr;
using ir::AttrValue;
using ir::OpKind;

constexpr int64_t kAlign = 64;

struct Bytes {
  int64_t constant = 0, per_token = 0, per_sequence = 0;
  bool Covers(const Bytes& o) const {
    return constant >= o.constant && per_token >= o.per_token && per_sequence >= o.per_sequence;
  }
  // A guess of the size in use, for comparing slots: tokens are many more than sequences.
  int64_t EstimatedSize() const { return constant + 256 * per_token + 16 * per_sequence; }
};

Bytes Max(const Bytes& a, const Bytes& b) {
  return {std::max(a.constant, b.constant), std::max(a.per_token, b.per_token),
          std::max(a.per_sequence, b.per_sequence)};
}

struct Slot {
  Bytes bytes;
  size_t free_from = 0;  // position of the op after the last user
};

struct Buffer {
  ir::OpId op;
  Bytes bytes;
  size_t birth = SIZE_MAX, death = 0;  // positions of the first and the last call that takes it
  size_t slot = 0;
};

bool PlanArena(ir::Function& forward) {
  std::vector<Buffer> buffers;
  std::map<ir::ValueId, size_t> buffer_of;
  const auto& ops = forward.block(forward.body).ops;
  for (size_t i = 0; i < ops.size(); ++i) {
    const ir::Op& op = forward.op(ops[i]);
    if (op.kind == OpKind::kBuffer) {
      buffer_of[op.results[0]] = buffers.size();
      // Each coefficient is rounded to the alignment, so that the slots after it stay aligned.
      buffers.push_back({ops[i],
                         {RoundUp(op.Int(Attr::kBytes), kAlign), RoundUp(op.Int(Attr::kBytesT), kAlign),
                          RoundUp(op.Int(Attr::kBytesB), kAlign)}});
    }
    for (const ir::ValueId operand : op.operands) {
      const auto it = buffer_of.find(operand);
      if (it == buffer_of.end()) continue;
      Buffer& buffer = buffers[it->second];
      buffer.birth = std::min(buffer.birth, i);
      buffer.death = std::max(buffer.death, i);
    }
  }
  std::vector<size_t> order(buffers.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return buffers[a].birth < buffers[b].birth; });

  std::vector<Slot> slots;
  for (const size_t index : order) {
    Buffer& buffer = buffers[index];
    size_t best = slots.size();
    for (size_t s = 0; s < slots.size(); ++s) {
      if (buffer.birth == SIZE_MAX || slots[s].free_from > buffer.birth) continue;
      if (best == slots.size()) {
        best = s;
        continue;
      }
      const bool fits = slots[s].bytes.Covers(buffer.bytes),
                 best_fits = slots[best].bytes.Covers(buffer.bytes);
      const bool smaller = slots[s].bytes.EstimatedSize() < slots[best].bytes.EstimatedSize();
      if (fits != best_fits ? fits : fits == smaller) best = s;
    }
    if (best == slots.size()) slots.push_back({});
    slots[best].bytes = Max(slots[best].bytes, buffer.bytes);
    slots[best].free_from = buffer.birth == SIZE_MAX ? 0 : buffer.death + 1;
    buffer.slot = best;
  }

  std::vector<Bytes> offsets(slots.size());
  Bytes next;
  for (size_t s = 0; s < slots.size(); ++s) {
    offsets[s] = next;
    next.constant += slots[s].bytes.constant;
    next.per_token += slots[s].bytes.per_token;
    next.per_sequence += slots[s].bytes.per_sequence;
  }
  bool changed = false;
  for (const Buffer& buffer : buffers) {
    ir::Op& op = forward.op(buffer.op);
    changed |= SetAttr(op, AttrValue::Int(Attr::kOffset, offsets[buffer.slot].constant));
    changed |= SetAttr(op, AttrValue::Int(Attr::kOffsetT, offsets[buffer.slot].per_token));
    changed |= SetAttr(op, AttrValue::Int(Attr::kOffsetB, offsets[buffer.slot].per_sequence));
  }
  return changed;
}

bool PlanScratch(ir::Function& kernel) {
  int64_t next = 0;
  bool changed = false;
  for (const ir::OpId id : kernel.block(kernel.body).ops) {
    ir::Op& op = kernel.op(id);
    if (op.kind != OpKind::kScratch) continue;
    changed |= SetAttr(op, AttrValue::Int(Attr::kOffset, next));
    next += RoundUp(op.Int(Attr::kBytes), kAlign);
  }
  changed |= kernel.domain.scratch_bytes != next;
  kernel.domain.scratch_bytes = next;
  return changed;
}

}  // namespace

Result<bool> PlanMemory(ir::Module& module, const PassContext&) {
  bool changed = PlanArena(module.forward());
  for (ir::Function& function : module.functions) {
    if (function.kind == ir::Function::Kind::kKernel) changed |= PlanScratch(function);
  }
  return changed;
}

}  // namespace ggufc::passes
