// Memory and kernel launches. New memory is filled with 0xff, which reads as NaN in f32, so that use of an unwritten
// value shows in the result. Buffers (and a kernel's scratch) that have offsets from plan-memory are views of one
// allocation: reusing memory too early corrupts results, as in generated code. Each access is still checked against the
// bounds of its own buffer.
#include "ir/interpret/interpret_loop.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <unordered_map>

#include "ir/core/builder.h"
#include "ir/interpret/loop_machine.h"
#include "support/batch_tables.h"

namespace ggufc::ir {
namespace {

using loop::Allocation;
using loop::Pointer;
using loop::Program;
using loop::Slot;

constexpr int64_t kMaxMemory = int64_t{1} << 34;
constexpr int64_t kMaxItems = int64_t{1} << 24;
constexpr uint8_t kPoison = 0xff;

struct Item {
  int64_t r0, r1, c0, c1;
};

template <typename T>
std::vector<uint8_t> BytesOf(const std::vector<T>& items) {
  std::vector<uint8_t> bytes(items.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), items.data(), bytes.size());
  return bytes;
}

class Executor {
 public:
  Executor(const Module& module, const WeightSource& weights, const InterpreterInput& input)
      : module_(module),
        weights_(weights),
        input_(input),
        batch_(MakeBatchTables(input.lengths)),
        programs_(loop::Decode(module)),
        allocations_(module.forward().values.size()) {}

  Result<InterpreterOutput> Run() {
    const Function& forward = module_.forward();
    BindParams();
    RETURN_IF_ERROR(BindBuffers());
    for (const OpId id : forward.block(forward.body).ops) {
      const Op& op = forward.op(id);
      if (op.kind == OpKind::kCall) RETURN_IF_ERROR(Launch(op));
    }
    const Type& type = forward.type(forward.params[kBatchTables]);
    InterpreterOutput output{Size(Symbol::kB), type.columns(), {}};
    std::vector<float> values(static_cast<size_t>(output.rows * output.columns));
    std::memcpy(values.data(), state_.memory[allocations_[forward.params[kBatchTables].index]].data,
                values.size() * sizeof(float));
    output.values.assign(values.begin(), values.end());
    return output;
  }

 private:
  int64_t Size(Symbol symbol) const {
    switch (symbol) {
      case Symbol::kT:
        return batch_.tokens;
      case Symbol::kB:
        return static_cast<int64_t>(batch_.sequences.size());
      case Symbol::kQ:
        return static_cast<int64_t>(batch_.query_tiles.size());
      case Symbol::kNone:
        break;
    }
    return 0;
  }

  // Adds an allocation with these bytes.
  uint32_t Allocate(std::vector<uint8_t> bytes, bool writable, std::string name) {
    storage_.push_back(std::make_unique<std::vector<uint8_t>>(std::move(bytes)));
    std::vector<uint8_t>& kept = *storage_.back();
    return state_.AddAllocation({kept.data(), static_cast<int64_t>(kept.size()), writable, std::move(name)});
  }
  Result<uint32_t> AllocatePoisoned(int64_t bytes, std::string name) {
    allocated_bytes_ += bytes;
    if (bytes > kMaxMemory || allocated_bytes_ > kMaxMemory) {
      return Err("{}: {} bytes, {} in all (at most {})", name, bytes, allocated_bytes_, kMaxMemory);
    }
    return Allocate(std::vector<uint8_t>(static_cast<size_t>(bytes), kPoison), true, std::move(name));
  }

  void BindParams() {
    const std::vector<ValueId>& params = module_.forward().params;
    const int64_t out_bytes = Size(Symbol::kB) * module_.forward().type(params[kBatchTables]).columns() * 4;
    const auto bind = [&](BatchTable table, std::vector<uint8_t> bytes) {
      const std::string name = fmt::format("the table {}", Name(table));
      allocations_[params[static_cast<size_t>(table)].index] = Allocate(std::move(bytes), false, name);
    };
    bind(BatchTable::kIds, BytesOf(input_.ids));
    bind(BatchTable::kPositions, BytesOf(batch_.positions));
    bind(BatchTable::kKeySlots, BytesOf(batch_.key_slots));
    bind(BatchTable::kSequences, BytesOf(batch_.sequences));
    bind(BatchTable::kQueryTiles, BytesOf(batch_.query_tiles));
    allocations_[params[kBatchTables].index] =
        Allocate(std::vector<uint8_t>(static_cast<size_t>(out_bytes), kPoison), true, "the output");
  }

  Status BindBuffers() {
    const Function& forward = module_.forward();
    struct Planned {
      ValueId value;
      int64_t offset, bytes;
      std::string name;
    };
    std::vector<Planned> planned;
    int64_t arena_bytes = 0;
    const int64_t tokens = Size(Symbol::kT), sequences = Size(Symbol::kB);
    for (const OpId id : forward.block(forward.body).ops) {
      const Op& op = forward.op(id);
      if (op.kind != OpKind::kBuffer) continue;
      const ValueId value = op.results[0];
      const int64_t bytes =
          op.Int(Attr::kBytes) + tokens * op.Int(Attr::kBytesT) + sequences * op.Int(Attr::kBytesB);
      std::string name = fmt::format("buffer %{}", forward.value(value).name);
      if (!op.Has(Attr::kOffset)) {
        ASSIGN_OR_RETURN(allocations_[value.index], AllocatePoisoned(bytes, std::move(name)));
        continue;
      }
      const int64_t offset =
          op.Int(Attr::kOffset) + tokens * op.Int(Attr::kOffsetT) + sequences * op.Int(Attr::kOffsetB);
      planned.push_back({value, offset, bytes, std::move(name)});
      arena_bytes = std::max(arena_bytes, offset + bytes);
    }
    if (planned.empty()) return {};
    ASSIGN_OR_RETURN(const uint32_t arena, AllocatePoisoned(arena_bytes, "the arena"));
    for (Planned& buffer : planned) {
      uint8_t* const data = state_.memory[arena].data + buffer.offset;
      allocations_[buffer.value.index] =
          state_.AddAllocation({data, buffer.bytes, true, std::move(buffer.name)});
    }
    return {};
  }

  Result<uint32_t> AllocationOf(ValueId id) {
    const Value& value = module_.forward().value(id);
    if (value.def != Value::Def::kWeight) return allocations_[id.index];
    const auto [found, added] = weight_allocations_.try_emplace(value.weight.index);
    if (added) {
      ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, weights_.bytes(module_, value.weight));
      found->second = Allocate(std::move(bytes), false, "@" + module_.weight(value.weight).name);
    }
    return found->second;
  }

  // Allocates the scratch memory of a kernel at its first launch, and the part of each `scratch` op in it.
  Result<uint32_t> BindScratch(Program& program) {
    const auto found = scratch_.find(&program);
    if (found != scratch_.end()) return found->second;
    const std::string& kernel = program.function->name;
    ASSIGN_OR_RETURN(const uint32_t whole,
                     AllocatePoisoned(program.function->domain.scratch_bytes, "the scratch of @" + kernel));
    for (const Program::Scratch& scratch : program.scratches) {
      const std::string name = "scratch in @" + kernel;
      uint32_t part;
      if (scratch.offset < 0) {
        ASSIGN_OR_RETURN(part, AllocatePoisoned(scratch.bytes, name));
      } else {
        part = state_.AddAllocation({state_.memory[whole].data + scratch.offset, scratch.bytes, true, name});
      }
      scratch.slot->ptr = {0, part};
    }
    scratch_.emplace(&program, whole);
    return whole;
  }

  Result<std::vector<Item>> WorkItems(const Domain& domain) const {
    const int64_t rows = Size(domain.rows), cols = domain.cols;
    int64_t row_step = domain.row_grain > 0 ? domain.row_grain : rows;
    int64_t col_step = cols;
    if (input_.max_rows > 0) row_step = std::min(row_step, input_.max_rows);
    if (input_.max_cols > 0) col_step = std::min(cols, std::max(domain.col_grain, input_.max_cols));
    const int64_t row_parts = (rows + row_step - 1) / row_step, col_parts = (cols + col_step - 1) / col_step;
    if (row_parts > kMaxItems / col_parts) {
      return Err("{} by {} work items (at most {} in all)", row_parts, col_parts, kMaxItems);
    }
    std::vector<Item> items;
    for (int64_t r = 0; r < rows; r += row_step) {
      for (int64_t c = 0; c < cols; c += col_step) {
        items.push_back({r, std::min(r + row_step, rows), c, std::min(c + col_step, cols)});
      }
    }
    if (input_.max_rows > 0 || input_.max_cols > 0) {
      std::mt19937_64 random(input_.seed);
      for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random() % i]);
    }
    return items;
  }

  Status Launch(const Op& op) {
    Program& program = *programs_[op.callee.index];
    const std::vector<ValueId>& params = program.function->params;
    const auto slot = [&](size_t i) -> Slot& { return *program.slots[params[i].index]; };
    ASSIGN_OR_RETURN(const uint32_t scratch, BindScratch(program));
    ASSIGN_OR_RETURN(const std::vector<Item> items, WorkItems(program.function->domain));
    std::vector<uint32_t> arguments;
    for (const ValueId operand : op.operands) {
      ASSIGN_OR_RETURN(arguments.emplace_back(), AllocationOf(operand));
    }
    for (const Item& item : items) {
      Poison(scratch);
      for (const Program::Scratch& part : program.scratches) Poison(part.slot->ptr.allocation);
      for (size_t i = 0; i < arguments.size(); ++i) slot(i).ptr = Pointer{0, arguments[i]};
      const size_t last = arguments.size();
      slot(last).ptr = Pointer{0, scratch};
      slot(last + 1).index[0] = item.r0;
      slot(last + 2).index[0] = item.r1;
      slot(last + 3).index[0] = item.c0;
      slot(last + 4).index[0] = item.c1;
      RETURN_IF_ERROR(loop::Run(module_, state_, program));
    }
    return {};
  }

  void Poison(uint32_t allocation) {
    const Allocation& memory = state_.memory[allocation];
    if (memory.size > 0) std::memset(memory.data, kPoison, static_cast<size_t>(memory.size));
  }

  const Module& module_;
  const WeightSource& weights_;
  const InterpreterInput& input_;
  const BatchTables batch_;
  std::vector<std::unique_ptr<Program>> programs_;
  std::vector<uint32_t> allocations_;  // by ValueId of forward
  loop::State state_;
  std::vector<std::unique_ptr<std::vector<uint8_t>>> storage_;
  std::unordered_map<uint32_t, uint32_t> weight_allocations_;  // by weight index
  std::unordered_map<const Program*, uint32_t> scratch_;
  int64_t allocated_bytes_ = 0;
};

}  // namespace

Result<InterpreterOutput> InterpretLoops(const Module& module, const WeightSource& weights,
                                         const InterpreterInput& input) {
  return Executor(module, weights, input).Run();
}

}  // namespace ggufc::ir
