// The machine that runs loop IR. Functions are decoded once into flat code whose operands are addresses of 64-byte
// slots. Functions do not recurse, so each has a single frame; it is allocated at decoding and its constants are filled
// in then. The handler of an instruction executes it and returns the next instruction, or null at the end of the
// function and on an error.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::ir::loop {

// Memory that pointers refer to; every access is checked against its bounds. Views of one arena share bytes.
struct Allocation {
  uint8_t* data = nullptr;
  int64_t size = 0;
  bool writable = true;
  std::string name;
};

struct Pointer {
  int64_t offset;
  uint32_t allocation;
};

// A value: a scalar in the first element, a vector in the first `lanes` elements. i1 is a byte, 0 or 1.
union alignas(64) Slot {
  float f32[16];
  int32_t i32[16];
  int16_t i16[32];
  uint16_t u16[32];
  int8_t i8[64];
  uint8_t u8[64];
  int64_t index[8];
  Pointer ptr;
};
static_assert(sizeof(Slot) == 64);

struct Instr;
struct Program;

struct State {
  std::vector<Allocation> memory;
  const Instr* failed = nullptr;
  std::string message;  // why it failed
  int depth = 0;        // nesting of calls

  uint32_t AddAllocation(Allocation allocation) {
    memory.push_back(std::move(allocation));
    return static_cast<uint32_t>(memory.size() - 1);
  }
};

using Handler = const Instr* (*)(State&, const Instr&);

struct Move {
  Slot* to;
  const Slot* from;
};

struct Instr {
  Handler run = nullptr;
  Slot* out = nullptr;
  const Slot* a = nullptr;
  const Slot* b = nullptr;
  const Slot* c = nullptr;
  int32_t lanes = 1;
  int32_t jump = 1;   // control flow: distance to the jump's target, in instructions
  int64_t bytes = 0;  // load, store: bytes accessed; select: bytes per element
  int64_t extra = 0;  // switch, call: index into the program's tables
  const Program* program = nullptr;
  OpId op;  // for messages
};

// The code of one function and its frame.
struct Program {
  const Function* function = nullptr;
  std::vector<Slot> frame;       // by slot number
  std::deque<Slot> temporaries;  // for carried values that are permuted
  std::vector<Slot*> slots;      // by ValueId; results of a loop share the slots of its carried values
  std::vector<Instr> code;

  struct Call {
    Program* callee;
    std::vector<Move> arguments, results;
  };
  std::vector<Call> calls;
  std::vector<std::vector<int32_t>> switches;  // jump distances by case
  std::vector<Slot*> returned;
  struct Scratch {
    Slot* slot;
    int64_t bytes;
    int64_t offset;  // -1: a separate allocation
  };
  std::vector<Scratch> scratches;
};

// Decodes every kernel and micro-kernel; the program of `forward` stays empty. Code holds addresses into the programs,
// so programs must not move.
std::vector<std::unique_ptr<Program>> Decode(const Module& module);

// Runs a function. The slots of its parameters must be filled.
Status Run(const Module& module, State& state, Program& program);

// The handler of an op without control flow. `from` is the type of the first operand, `to` that of the result (for a
// store, of the stored value).
Handler FindHandler(OpKind kind, const Type& from, const Type& to);

// Called by handlers: records an error and stops the machine.
const Instr* Fail(State& state, const Instr& instr, std::string message);

// Fills `slot` with a constant in every lane.
void FillConstant(const Type& type, double value, Slot& slot);

}  // namespace ggufc::ir::loop
