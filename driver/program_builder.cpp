#include "driver/program_builder.h"

#include <algorithm>
#include <map>

#include "support/check.h"

namespace ggufc::driver {
namespace {

using ir::Attr;
using ir::OpKind;
using runtime::Arg;
using runtime::ArgKind;
using runtime::PackJob;

constexpr int64_t kAlign = 64;

int64_t RoundUp(int64_t value) { return (value + kAlign - 1) / kAlign * kAlign; }

runtime::WeightType TypeOf(frontend::GgmlType type) {
  switch (type) {
    case frontend::GgmlType::F32:
      return runtime::WeightType::kF32;
    case frontend::GgmlType::F16:
      return runtime::WeightType::kF16;
    case frontend::GgmlType::BF16:
      return runtime::WeightType::kBF16;
    case frontend::GgmlType::Q8_0:
      return runtime::WeightType::kQ8_0;
  }
  CHECK(false, "tensor type {}", static_cast<int>(type));
}

class ProgramBuilder {
 public:
  ProgramBuilder(const ir::Module& module, const frontend::GgufFile& file) : module_(module), file_(file) {}

  Result<BuiltProgram> Build() {
    const ir::Function& forward = module_.forward();
    // The parameters of a loop-stage forward function, in order: the tables of a batch, and the output.
    constexpr ArgKind kParams[] = {
#define BATCH_TABLE(enumerator, name, rows, columns) ArgKind::enumerator,
#include "support/kernel_abi.def"
        ArgKind::kOutput};
    CHECK(forward.params.size() == std::size(kParams));
    for (size_t i = 0; i < forward.params.size(); ++i) args_[forward.params[i]] = {kParams[i], 0, 0, 0};
    built_.program.dims = forward.type(forward.params.back()).columns();
    for (const ir::OpId id : forward.block(forward.body).ops) {
      const ir::Op& op = forward.op(id);
      if (op.kind == OpKind::kBuffer) AddBuffer(op);
      if (op.kind == OpKind::kCall) RETURN_IF_ERROR(AddStep(forward, op));
    }
    return std::move(built_);
  }

 private:
  static runtime::Rows RowsOf(ir::Symbol symbol) {
    switch (symbol) {
#define ROW_KIND(enumerator, ir_symbol) \
  case ir::Symbol::ir_symbol:           \
    return runtime::Rows::enumerator;
#include "support/kernel_abi.def"
      case ir::Symbol::kNone:
        break;
    }
    CHECK(false, "a kernel without rows");
    return runtime::Rows::kTokens;
  }

  void AddBuffer(const ir::Op& op) {
    const Arg arg{ArgKind::kArena, op.Int(Attr::kOffset), op.Int(Attr::kOffsetT), op.Int(Attr::kOffsetB)};
    args_[op.results[0]] = arg;
    runtime::Program& program = built_.program;
    program.arena_bytes = std::max(program.arena_bytes, arg.offset + RoundUp(op.Int(Attr::kBytes)));
    program.arena_bytes_t = std::max(program.arena_bytes_t, arg.offset_t + RoundUp(op.Int(Attr::kBytesT)));
    program.arena_bytes_b = std::max(program.arena_bytes_b, arg.offset_b + RoundUp(op.Int(Attr::kBytesB)));
  }

  Status AddStep(const ir::Function& forward, const ir::Op& call) {
    runtime::Program& program = built_.program;
    const ir::Function& kernel = module_.function(call.callee);
    const auto [it, fresh] = kernels_.try_emplace(call.callee, static_cast<uint32_t>(program.kernels.size()));
    if (fresh) program.kernels.push_back(kernel.name);
    runtime::Step step;
    step.kernel = it->second;
    step.first_arg = static_cast<uint32_t>(program.args.size());
    step.arg_count = static_cast<uint32_t>(call.operands.size());
    step.rows = RowsOf(kernel.domain.rows);
    step.row_grain = kernel.domain.row_grain;
    step.cols = kernel.domain.cols;
    step.col_grain = kernel.domain.col_grain;
    program.scratch_bytes = std::max(program.scratch_bytes, kernel.domain.scratch_bytes);
    for (const ir::ValueId operand : call.operands) {
      const ir::Value& value = forward.value(operand);
      if (value.def == ir::Value::Def::kWeight) {
        ASSIGN_OR_RETURN(const Arg arg, WeightArg(value.weight));
        program.args.push_back(arg);
        const ir::Weight& weight = module_.weight(value.weight);
        if (weight.pack > 0) step.work_per_row += weight.type.dims[0].size * weight.type.dims[1].size;
      } else {
        program.args.push_back(args_.at(operand));
      }
    }
    program.steps.push_back(step);
    return {};
  }

  Result<Arg> WeightArg(ir::WeightId id) {
    if (const auto it = weights_.find(id); it != weights_.end()) return it->second;
    const ir::Weight& weight = module_.weight(id);
    Arg arg;
    if (weight.def == ir::Weight::Def::kTensor && weight.type.rank == 2 && weight.pack == 0) {
      // A table that is read by rows is used where it lies.
      ASSIGN_OR_RETURN(const frontend::Tensor* tensor, file_.GetTensor(weight.name));
      arg = {ArgKind::kFile, tensor->data.data() - file_.bytes().data(), 0, 0};
      int64_t& file_bytes = built_.program.file_bytes;
      file_bytes = std::max(file_bytes, arg.offset + static_cast<int64_t>(tensor->data.size()));
    } else {
      ASSIGN_OR_RETURN(PackJob job, JobOf(weight));
      job.offset = built_.program.weights_bytes;
      arg = {ArgKind::kWeight, job.offset, 0, 0};
      built_.program.weights_bytes += RoundUp(runtime::PackedBytes(job));
      built_.jobs.push_back(std::move(job));
    }
    weights_[id] = arg;
    return arg;
  }

  Result<PackJob> JobOf(const ir::Weight& weight) {
    PackJob job;
    if (weight.def == ir::Weight::Def::kRopeTable) {
      job.kind = PackJob::Kind::kRopeTable;
      job.positions = weight.type.dims[0].size;
      job.head_dim = weight.type.dims[1].size;
      job.theta = weight.factor;
      return job;
    }
    job.kind = weight.type.rank == 1 ? PackJob::Kind::kVector : PackJob::Kind::kPanels;
    if (job.kind == PackJob::Kind::kPanels && weight.pack == 0)
      return Err("weight @{}: a table that is not a tensor of the file", weight.name);
    job.pack = weight.pack;
    job.unit = weight.unit;
    const ir::Weight* source = &weight;
    // Nested scales multiply; scales of matrices do not occur, their kernels would not see them.
    while (source->def == ir::Weight::Def::kScale) {
      if (weight.type.rank != 1) return Err("weight @{}: only vectors can be scaled", weight.name);
      job.factor *= source->factor;
      source = &module_.weight(source->sources[0]);
    }
    job.granule = source->granule;
    std::vector<const ir::Weight*> tensors;
    if (source->def == ir::Weight::Def::kTensor) {
      tensors.push_back(source);
    } else {
      for (const ir::WeightId id : source->sources) tensors.push_back(&module_.weight(id));
    }
    for (const ir::Weight* part : tensors) {
      if (part->def != ir::Weight::Def::kTensor)
        return Err("weight @{}: @{} is not a tensor", weight.name, part->name);
      ASSIGN_OR_RETURN(const frontend::Tensor* tensor, file_.GetTensor(part->name));
      job.sources.push_back({tensor->data.data(), TypeOf(tensor->type), static_cast<int64_t>(tensor->rows()),
                             static_cast<int64_t>(tensor->row_length())});
    }
    return job;
  }

  const ir::Module& module_;
  const frontend::GgufFile& file_;
  BuiltProgram built_;
  std::map<ir::ValueId, Arg> args_;
  std::map<ir::FunctionId, uint32_t> kernels_;
  std::map<ir::WeightId, Arg> weights_;
};

}  // namespace

Result<BuiltProgram> BuildProgram(const ir::Module& module, const frontend::GgufFile& file, int64_t vocab,
                                  int64_t context_length) {
  ASSIGN_OR_RETURN(BuiltProgram built, ProgramBuilder(module, file).Build());
  built.program.vocab = vocab;
  built.program.context_length = context_length;
  return built;
}

}  // namespace ggufc::driver
