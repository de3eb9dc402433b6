// Translates structured loop IR to flat code. A loop becomes
//
//   carried <- init; i <- lo          moves, ForEnter: jumps past the end when lo >= hi
//   body
//   carried <- yielded                moves; through temporaries if carried values are permuted
//   ForNext                           i += step; jumps back to the body while i < hi
//
// and its results share the slots of its carried values.
#include <cstring>
#include <unordered_map>

#include "ir/interpret/loop_machine.h"
#include "ir/text/printer.h"
#include "support/check.h"

namespace ggufc::ir::loop {
namespace {

// Passes never make deeper chains of calls. IR text may, and would exhaust the C++ stack.
constexpr int kMaxCallDepth = 64;

const Instr* MoveSlot(State&, const Instr& in) {
  std::memcpy(in.out, in.a, sizeof(Slot));
  return &in + 1;
}
// out: i; a: lo, b: hi, c: step
const Instr* ForEnter(State&, const Instr& in) {
  in.out->index[0] = in.a->index[0];
  return in.a->index[0] < in.b->index[0] ? &in + 1 : &in + in.jump;
}
const Instr* ForNext(State& state, const Instr& in) {
  int64_t next;
  if (__builtin_add_overflow(in.out->index[0], in.c->index[0], &next)) {
    return Fail(state, in, fmt::format("{} + {} overflows the index", in.out->index[0], in.c->index[0]));
  }
  if (next >= in.b->index[0]) return &in + 1;
  in.out->index[0] = next;
  return &in + in.jump;
}
const Instr* JumpUnless(State&, const Instr& in) { return in.a->u8[0] ? &in + 1 : &in + in.jump; }
const Instr* Jump(State&, const Instr& in) { return &in + in.jump; }
const Instr* JumpByCase(State& state, const Instr& in) {
  const std::vector<int32_t>& cases = in.program->switches[in.extra];
  const int64_t n = in.a->index[0];
  if (n < 1 || n > static_cast<int64_t>(cases.size())) {
    return Fail(state, in, fmt::format("selector {}, expected 1 to {}", n, cases.size()));
  }
  return &in + cases[n - 1];
}
const Instr* Stop(State&, const Instr&) { return nullptr; }

void Execute(State& state, const Program& program) {
  const Instr* in = program.code.data();
  while (in != nullptr) in = in->run(state, *in);
}

const Instr* CallMicro(State& state, const Instr& in) {
  const Program::Call& call = in.program->calls[in.extra];
  if (state.depth >= kMaxCallDepth)
    return Fail(state, in, fmt::format("calls nest deeper than {}", kMaxCallDepth));
  for (const Move& move : call.arguments) std::memcpy(move.to, move.from, sizeof(Slot));
  ++state.depth;
  Execute(state, *call.callee);
  --state.depth;
  if (state.failed != nullptr) return nullptr;
  for (const Move& move : call.results) std::memcpy(move.to, move.from, sizeof(Slot));
  return &in + 1;
}

class Decoder {
 public:
  Decoder(std::vector<std::unique_ptr<Program>>& programs, Program& program)
      : programs_(programs), program_(program), function_(*program.function) {}

  void Run() { DecodeBlock(function_.body); }

 private:
  Slot* SlotOf(ValueId id) { return program_.slots[id.index]; }
  int32_t Position() const { return static_cast<int32_t>(program_.code.size()); }

  Instr& Append(Handler run, OpId op) {
    Instr& in = program_.code.emplace_back();
    in.run = run;
    in.op = op;
    in.program = &program_;
    return in;
  }
  void AppendMove(Slot* to, const Slot* from, OpId op) {
    if (to == from) return;
    Instr& in = Append(MoveSlot, op);
    in.out = to;
    in.a = from;
  }

  void DecodeBlock(BlockId id) {
    for (const OpId op_id : function_.block(id).ops) DecodeOp(op_id, function_.op(op_id));
  }

  void DecodeOp(OpId id, const Op& op) {
    switch (op.kind) {
      case OpKind::kFor:
        return DecodeFor(id, op);
      case OpKind::kIf:
        return DecodeIf(id, op);
      case OpKind::kSwitch:
        return DecodeSwitch(id, op);
      case OpKind::kCall:
        return DecodeCall(id, op);
      case OpKind::kReturn:
        Append(Stop, id);
        return;
      case OpKind::kConst:
        FillConstant(function_.type(op.results[0]), op.Float(Attr::kValue), *SlotOf(op.results[0]));
        return;
      case OpKind::kScratch: {
        const int64_t offset = op.Has(Attr::kOffset) ? op.Int(Attr::kOffset) : -1;
        program_.scratches.push_back({SlotOf(op.results[0]), op.Int(Attr::kBytes), offset});
        return;
      }
      case OpKind::kYield:     // DecodeYield handles the operands
      case OpKind::kPrefetch:  // a hint
        return;
      default:
        return DecodePlain(id, op);
    }
  }

  void DecodePlain(OpId id, const Op& op) {
    const bool store = op.kind == OpKind::kStore;
    const Type from = op.operands.empty() ? Type() : function_.type(op.operands[0]);
    const Type to = store ? from : function_.type(op.results[0]);
    const Handler run = FindHandler(op.kind, from, to);
    CHECK(run != nullptr, "no handler for {} from {} to {}", Info(op.kind).name, ToString(from),
          ToString(to));
    Instr in;
    in.run = run;
    in.op = id;
    in.program = &program_;
    in.out = store ? nullptr : SlotOf(op.results[0]);
    const Slot** const operands[] = {&in.a, &in.b, &in.c};
    for (size_t i = 0; i < op.operands.size(); ++i) *operands[i] = SlotOf(op.operands[i]);
    in.lanes = to.lanes;
    if (op.kind == OpKind::kLoad || store) in.bytes = to.Bytes() / to.lanes * op.Int(Attr::kLanes, to.lanes);
    if (op.kind == OpKind::kSelect && from.IsVector())
      in.bytes = to.scalar == Scalar::kI1 ? 1 : Bits(to.scalar) / 8;
    const Op* const source = op.operands.empty() ? nullptr : function_.DefiningOp(op.operands[0]);
    if (op.kind == OpKind::kIota ||
        (op.kind == OpKind::kSplat && source != nullptr && source->kind == OpKind::kConst)) {
      // A constant: fill its slot now. The handler accesses only slots, so an empty state is enough.
      State none;
      in.run(none, in);
      return;
    }
    program_.code.push_back(in);
  }

  void DecodeFor(OpId id, const Op& op) {
    const Block& block = function_.block(op.regions[0]);
    const std::vector<ValueId>& args = block.args;
    for (size_t i = 1; i < args.size(); ++i) AppendMove(SlotOf(args[i]), SlotOf(op.operands[i + 2]), id);
    const auto control = [&](Handler run) -> Instr& {
      Instr& in = Append(run, id);
      in.out = SlotOf(args[0]);
      in.a = SlotOf(op.operands[0]);
      in.b = SlotOf(op.operands[1]);
      in.c = SlotOf(op.operands[2]);
      return in;
    };
    const int32_t enter = Position();
    control(ForEnter);
    DecodeBlock(op.regions[0]);
    DecodeYield(block, id);
    const int32_t next = Position();
    control(ForNext).jump = enter + 1 - next;
    program_.code[enter].jump = Position() - enter;
  }

  void DecodeYield(const Block& block, OpId id) {
    const std::vector<ValueId>& yielded = function_.op(block.ops.back()).operands;
    std::unordered_map<const Slot*, size_t> carried;  // slot -> position
    for (size_t i = 0; i < yielded.size(); ++i) carried.emplace(SlotOf(block.args[i + 1]), i);
    std::vector<const Slot*> from;
    for (size_t i = 0; i < yielded.size(); ++i) {
      const Slot* source = SlotOf(yielded[i]);
      const auto found = carried.find(source);
      if (found != carried.end() && found->second < i) {
        // An earlier move overwrites this value: move a copy.
        Slot* const copy = &program_.temporaries.emplace_back();
        AppendMove(copy, source, id);
        source = copy;
      }
      from.push_back(source);
    }
    for (size_t i = 0; i < yielded.size(); ++i) AppendMove(SlotOf(block.args[i + 1]), from[i], id);
  }

  void DecodeIf(OpId id, const Op& op) {
    const int32_t test = Position();
    Append(JumpUnless, id).a = SlotOf(op.operands[0]);
    DecodeBlock(op.regions[0]);
    program_.code[test].jump = Position() - test;
  }

  void DecodeSwitch(OpId id, const Op& op) {
    const int32_t start = Position();
    Instr& in = Append(JumpByCase, id);
    in.a = SlotOf(op.operands[0]);
    in.extra = static_cast<int64_t>(program_.switches.size());
    const size_t table = program_.switches.size();
    program_.switches.emplace_back();
    std::vector<int32_t> ends;
    for (const BlockId region : op.regions) {
      program_.switches[table].push_back(Position() - start);
      DecodeBlock(region);
      ends.push_back(Position());
      Append(Jump, id);
    }
    for (const int32_t end : ends) program_.code[end].jump = Position() - end;
  }

  void DecodeCall(OpId id, const Op& op) {
    Program::Call call{programs_[op.callee.index].get(), {}, {}};
    const Function& callee = *call.callee->function;
    for (size_t i = 0; i < op.operands.size(); ++i) {
      call.arguments.push_back({call.callee->slots[callee.params[i].index], SlotOf(op.operands[i])});
    }
    for (size_t i = 0; i < op.results.size(); ++i) {
      call.results.push_back({SlotOf(op.results[i]), call.callee->returned[i]});
    }
    Append(CallMicro, id).extra = static_cast<int64_t>(program_.calls.size());
    program_.calls.push_back(std::move(call));
  }

  std::vector<std::unique_ptr<Program>>& programs_;
  Program& program_;
  const Function& function_;
};

void AssignSlots(const Function& function, Program& program) {
  program.function = &function;
  program.frame = std::vector<Slot>(function.values.size());
  for (Slot& slot : program.frame) program.slots.push_back(&slot);
  function.ForEachOp([&](OpId, const Op& op) {
    if (op.kind != OpKind::kFor) return;
    const Block& region = function.block(op.regions[0]);
    for (size_t i = 0; i < op.results.size(); ++i) {
      program.slots[op.results[i].index] = program.slots[region.args[i + 1].index];
    }
  });
  const Op& last = function.op(function.block(function.body).ops.back());
  for (const ValueId value : last.operands) program.returned.push_back(program.slots[value.index]);
}

}  // namespace

std::vector<std::unique_ptr<Program>> Decode(const Module& module) {
  std::vector<std::unique_ptr<Program>> programs;
  for (const Function& function : module.functions) {
    programs.push_back(std::make_unique<Program>());
    if (function.kind != Function::Kind::kForward) AssignSlots(function, *programs.back());
  }
  for (const std::unique_ptr<Program>& program : programs) {
    if (program->function != nullptr) Decoder(programs, *program).Run();
  }
  return programs;
}

Status Run(const Module& module, State& state, Program& program) {
  Execute(state, program);
  if (state.failed == nullptr) return {};
  const Function& function = *state.failed->program->function;
  return Err("@{}: `{}`: {}", function.name, PrintOp(module, function, function.op(state.failed->op)),
             state.message);
}

}  // namespace ggufc::ir::loop
