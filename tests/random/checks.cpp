#include "checks.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "code.h"
#include "draw.h"
#include "equivalence.h"
#include "ir/interpret/random_weights.h"
#include "model_file.h"
#include "random_model.h"

namespace ggufc::programs {
namespace {

using ir::InterpreterInput;
using ir::InterpreterOutput;
using testing::Build;

// The number of rows of the smallest embedding table.
int64_t Vocabulary(const ir::Module& graph) {
  int64_t rows = std::numeric_limits<int32_t>::max();
  const ir::Function& forward = graph.forward();
  forward.ForEachOp([&](ir::OpId, const ir::Op& op) {
    if (op.kind == ir::OpKind::kEmbed) rows = std::min(rows, forward.type(op.operands[1]).dims[0].size);
  });
  return rows;
}

// The sequences of `batch` in the given order.
InterpreterInput Select(const InterpreterInput& batch, const std::vector<size_t>& order) {
  std::vector<int64_t> first(batch.lengths.size());
  std::exclusive_scan(batch.lengths.begin(), batch.lengths.end(), first.begin(), int64_t{0});
  InterpreterInput selected;
  for (const size_t i : order) {
    const auto begin = batch.ids.begin() + first[i];
    selected.ids.insert(selected.ids.end(), begin, begin + batch.lengths[i]);
    selected.lengths.push_back(batch.lengths[i]);
  }
  return selected;
}
InterpreterOutput Select(const InterpreterOutput& output, const std::vector<size_t>& order) {
  InterpreterOutput selected{static_cast<int64_t>(order.size()), output.columns, {}};
  for (const size_t i : order) {
    const auto begin = output.values.begin() + static_cast<int64_t>(i) * output.columns;
    selected.values.insert(selected.values.end(), begin, begin + output.columns);
  }
  return selected;
}

class Checker {
 public:
  Checker(const Program& program, const CheckOptions& options)
      : program_(program), options_(options), weights_(ir::RandomWeights(program.weights)) {
    order_.resize(program.batch.lengths.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
  }

  Outcome Run() {
    const size_t builds = options_.builds.size();
    const Build& build = options_.builds[program_.turn % builds];
    passes::EquivalenceOutcome passed = passes::CheckEveryPass(
        {program_.module, weights_, program_.batch, ContextOf(*build.target), options_.passes});
    outcome_.standard_errors = std::move(passed.standard_errors);
    if (passed.refusal) return Refuse("passes", *passed.refusal);
    if (passed.disagreement)
      return Disagree(passed.disagreement->check, WithBuild(build, passed.disagreement->message));
    expected_ = std::move(passed.output);
    if (Failed("cuts", CheckCuts(passed.module))) return outcome_;
    const codegen::Target& other = OtherTargetThan(*build.target);
    const Result<ir::Module> lowered = Lowered(other);
    // Another target may need two layouts of one weight, which the compiler refuses.
    if (!lowered) return Refuse("target", fmt::format("{}: {}", other.name(), lowered.error().message));
    if (Failed("target", CheckTarget(other, *lowered, *build.target))) return outcome_;
    if (!options_.code || RunCode(passed.module, build) || !options_.every_build) return outcome_;
    for (size_t i = 1; i < builds; ++i) {
      const Build& next = options_.builds[(program_.turn + i) % builds];
      const Result<ir::Module> module = Lowered(*next.target);
      if (!module) return Refuse("code", WithBuild(next, module.error().message));
      if (RunCode(*module, next)) break;
    }
    return outcome_;
  }

 private:
  passes::PassContext ContextOf(const codegen::Target& target) const {
    passes::PassContext context;
    context.target = target.info;
    context.target.row_block = static_cast<int>(program_.row_block);
    if (program_.tile_rows > 0) {
      context.target.rows = context.target.seven_bit_rows = static_cast<int>(program_.tile_rows);
    }
    context.activations = program_.activations;
    context.context_length = program_.context_length;
    return context;
  }

  Outcome Refuse(std::string check, std::string message) {
    outcome_.kind = Outcome::Kind::kRefused;
    outcome_.check = std::move(check);
    outcome_.message = std::move(message);
    return outcome_;
  }
  Outcome Disagree(std::string check, std::string message) {
    outcome_.kind = Outcome::Kind::kDisagrees;
    outcome_.check = std::move(check);
    outcome_.message = std::move(message);
    return outcome_;
  }
  static std::string WithBuild(const Build& build, const std::string& message) {
    return fmt::format("{}: {}", build.Name(), message);
  }
  // Records a failure of `check`. Returns whether it failed.
  bool Failed(const char* check, const Status& status) {
    if (!status) Disagree(check, status.error().message);
    return !status;
  }

  Status Compare(const InterpreterOutput& output, const InterpreterOutput& expected) const {
    const std::string difference = passes::FirstDifference(output, expected);
    return difference.empty() ? Status() : Err("{}", difference);
  }

  Status CheckCuts(const ir::Module& module) const {
    Draw draw(program_.weights);
    InterpreterInput input = program_.batch;
    input.max_rows = draw.Between(1, 8);
    input.max_cols = draw.Between(1, 3);
    input.seed = draw.Next();
    ASSIGN_OR_RETURN(const InterpreterOutput output, ir::Interpret(module, weights_, input));
    return WithContext(fmt::format("items of {} rows and {} column units", input.max_rows, input.max_cols),
                       Compare(output, expected_));
  }

  Result<ir::Module> Lowered(const codegen::Target& target) const {
    ir::Module module = program_.module;
    for (const passes::PassInfo& pass : options_.passes) {
      RETURN_IF_ERROR(passes::RunPass(pass, module, ContextOf(target)));
    }
    return module;
  }

  const codegen::Target& OtherTargetThan(const codegen::Target& target) const {
    std::vector<const codegen::Target*> others;
    for (const codegen::Target& other : codegen::Targets()) {
      if (other.name() != target.name()) others.push_back(&other);
    }
    return *others[program_.turn / options_.builds.size() % others.size()];
  }

  // `module` is lowered for `other`.
  Status CheckTarget(const codegen::Target& other, const ir::Module& module,
                     const codegen::Target& target) const {
    const auto run = [&]() -> Status {
      ASSIGN_OR_RETURN(const InterpreterOutput output, ir::Interpret(module, weights_, program_.batch));
      return Compare(output, expected_);
    };
    return WithContext(fmt::format("loops for {} and for {}", other.name(), target.name()), run());
  }

  // Checks generated code. Returns whether the outcome is decided.
  bool RunCode(const ir::Module& module, const Build& build) {
    if (!file_) {
      Result<frontend::GgufFile> file = WriteWeights(program_.module, weights_, options_.folder);
      if (Failed("weights", file ? Status() : tl::unexpected<Error>(file.error()))) return true;
      file_ = std::move(*file);
    }
    Result<Code> code = Code::Plan(module, *file_, Vocabulary(program_.module), program_.context_length);
    if (!code) {
      Refuse("plan", code.error().message);
      return true;
    }
    return Failed("code", WithContext(build.Name(), AllRuns(*code, module, build)));
  }

  Status AllRuns(Code& code, const ir::Module& module, const Build& build) const {
    RETURN_IF_ERROR(code.Make(module, build));
    const auto run = [&](std::string_view how, const std::vector<size_t>& order,
                         const runtime::ExecutorOptions& options) -> Status {
      const auto compare = [&]() -> Status {
        ASSIGN_OR_RETURN(const InterpreterOutput output, code.Run(Select(program_.batch, order), options));
        return Compare(output, Select(expected_, order));
      };
      return WithContext(how, compare());
    };
    RETURN_IF_ERROR(run("one thread", order_, {.threads = 1}));
    if (order_.size() > 1) {
      for (const size_t i : order_)
        RETURN_IF_ERROR(run(fmt::format("sequence {} alone", i), {i}, {.threads = 1}));
    }
    Draw draw(program_.weights);
    std::vector<size_t> shuffled = order_;
    draw.Shuffle(shuffled);
    RETURN_IF_ERROR(run("shuffled", shuffled, {.threads = 1}));
    RETURN_IF_ERROR(run("two threads", order_, {.threads = 2}));
    RETURN_IF_ERROR(run("three threads", order_, {.threads = 3}));
    RETURN_IF_ERROR(run("in chunks", order_, {.threads = 1, .chunk_tokens = draw.Between(1, 20)}));
    runtime::ExecutorOptions cut{.threads = 2};
    cut.cut = {.max_rows = draw.Between(1, 7), .max_cols = draw.Between(1, 3), .seed = draw.Next()};
    return run("cut at random", shuffled, cut);
  }

  const Program& program_;
  const CheckOptions& options_;
  const ir::WeightSource weights_;
  std::vector<size_t> order_;
  std::optional<frontend::GgufFile> file_;
  InterpreterOutput expected_;  // result of the loop stage
  Outcome outcome_;
};

}  // namespace

Outcome Check(const Program& program, const CheckOptions& options) { return Checker(program, options).Run(); }

}  // namespace ggufc::programs
