// A micro-kernel is an outer loop over blocks with an inner loop over the k of a block, or a single loop. llvm-mca does not
// follow jumps, so its input region is one iteration of the outer loop with the inner loop unrolled; conditional work
// (prefetching the next panel) counts as executed. The number of inner iterations and of multiply-adds comes from the loop
// IR, the instructions from the assembly.
#include "tools/roofline/machine/mca.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "codegen/object_emitter.h"
#include "tools/roofline/machine/assembly.h"

namespace ggufc::roofline {
namespace {

using ir::OpKind;

// Iterations of the outer loop to average over. Filling and draining the pipeline takes less than one iteration.
constexpr int kIterations = 20;

// Properties of a micro-kernel, from its loop IR.
struct Shape {
  int rows = 0;
  int64_t inner_turns = 1;  // iterations of the inner loop; 1 for a single loop
  bool nested = false;
  int64_t macs = 0;  // per iteration of the outer loop
};

// Multiply-adds of an op on 16 lanes.
int64_t MacsOf(OpKind kind) {
  switch (kind) {
    case OpKind::kDotI16:
      return 2 * ir::kLanes;
    case OpKind::kDotU8S8:
    case OpKind::kDotU8S7:
      return 4 * ir::kLanes;
    case OpKind::kFma:
      return ir::kLanes;
    default:
      return 0;
  }
}

std::optional<int64_t> ConstantOf(const ir::Function& function, ir::ValueId value) {
  const ir::Op* const op = function.DefiningOp(value);
  if (op == nullptr || op->kind != OpKind::kConst) return std::nullopt;
  return static_cast<int64_t>(op->Float(ir::Attr::kValue));
}

const ir::Op* OnlyLoop(const ir::Function& function, ir::BlockId block) {
  const ir::Op* loop = nullptr;
  for (const ir::OpId id : function.block(block).ops) {
    if (function.op(id).kind != OpKind::kFor) continue;
    if (loop != nullptr) return nullptr;
    loop = &function.op(id);
  }
  return loop;
}

std::optional<Shape> ShapeOf(const ir::Function& function) {
  const ir::Op* const outer = OnlyLoop(function, function.body);
  if (outer == nullptr) return std::nullopt;
  Shape shape;
  const ir::Op* loop = outer;
  if (const ir::Op* const inner = OnlyLoop(function, outer->regions[0])) {
    const auto lo = ConstantOf(function, inner->operands[0]), hi = ConstantOf(function, inner->operands[1]),
               step = ConstantOf(function, inner->operands[2]);
    if (!lo || !hi || !step || *step < 1) return std::nullopt;
    shape.inner_turns = (*hi - *lo + *step - 1) / *step;
    shape.nested = true;
    loop = inner;
  }
  for (const ir::OpId id : function.block(loop->regions[0]).ops) {
    const int64_t macs = MacsOf(function.op(id).kind);
    if (macs == 0) continue;
    ++shape.rows;
    shape.macs += macs * shape.inner_turns;
  }
  // The first inner iteration may be peeled. An f32 fma in the outer loop belongs to the epilogue.
  for (const ir::OpId id : function.block(outer->regions[0]).ops) {
    const OpKind kind = function.op(id).kind;
    if (shape.nested && kind != OpKind::kFma) shape.macs += MacsOf(kind);
  }
  if (shape.rows == 0 || shape.inner_turns < 1) return std::nullopt;
  return shape;
}

// Two regions of assembly: one iteration of the outer loop, and the iterations of its inner loop alone. nullopt if the code
// does not have the loops of the IR.
std::optional<std::pair<std::string, std::string>> Regions(const Shape& shape, const AsmFunction& code) {
  std::vector<AsmLoop> inner;
  for (const AsmLoop& loop : code.loops) {
    const auto inside = [&](const AsmLoop& other) { return &other != &loop && loop.Contains(other); };
    if (std::ranges::none_of(code.loops, inside)) inner.push_back(loop);
  }
  if (inner.size() != 1 || (code.loops.size() > 1) != shape.nested) return std::nullopt;
  // A loop with branches may jump back from several places; the longest range is the whole loop.
  const AsmLoop outer =
      *std::ranges::max_element(code.loops, {}, [](const AsmLoop& l) { return l.last - l.first; });
  if (!std::ranges::all_of(code.loops, [&](const AsmLoop& loop) { return outer.Contains(loop); }))
    return std::nullopt;
  const auto text = [&](size_t first, size_t last) {
    std::string lines;
    for (size_t i = first; i < last; ++i) lines += code.instructions[i] + "\n";
    return lines;
  };
  std::string turns;
  for (int64_t i = 0; i < shape.inner_turns; ++i) turns += text(inner[0].first, inner[0].last);
  return std::pair{text(outer.first, inner[0].first) + turns + text(inner[0].last, outer.last), turns};
}

// A file in memory that exists as long as this object.
class MemoryFile {
 public:
  explicit MemoryFile(const char* name) : fd_(memfd_create(name, MFD_CLOEXEC)) {}
  ~MemoryFile() {
    if (fd_ >= 0) close(fd_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int fd() const { return fd_; }
  bool Write(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t written = write(fd_, text.data(), text.size());
      if (written <= 0) return false;
      text.remove_prefix(static_cast<size_t>(written));
    }
    return lseek(fd_, 0, SEEK_SET) == 0;
  }
  std::string Read() const {
    std::string text;
    char part[1 << 14];
    lseek(fd_, 0, SEEK_SET);
    for (ssize_t got = 0; (got = read(fd_, part, sizeof part)) > 0;)
      text.append(part, static_cast<size_t>(got));
    return text;
  }

 private:
  int fd_;
};

// Runs a command with the given standard input and returns its standard output.
Result<std::string> RunWithInput(std::vector<std::string> command, std::string_view input) {
  const MemoryFile in("input"), out("output"), errors("errors");
  if (in.fd() < 0 || out.fd() < 0 || errors.fd() < 0 || !in.Write(input)) {
    return Err("{}: cannot make a file in memory: {}", command[0], std::strerror(errno));
  }
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  char* environment[] = {nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.fd(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.fd(), 1);
  posix_spawn_file_actions_adddup2(&actions, errors.fd(), 2);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environment);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Err("{}: {}", command[0], std::strerror(error));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    const std::string message = errors.Read();
    return Err("{}: failed: {}", command[0], message.substr(0, message.find('\n')));
  }
  return out.Read();
}

// "mk.q16.p2.k768.h12" without ".h12".
std::string WithoutHeight(const std::string& name) {
  const size_t height = name.rfind(".h");
  return height == std::string::npos ? name : name.substr(0, height);
}

}  // namespace

Result<CycleReport> CountCycles(const ir::Module& module, const codegen::Target& target,
                                const codegen::EmitOptions& emit, const CycleOptions& options) {
  ASSIGN_OR_RETURN(const std::string assembly, codegen::PrintAssembly(module, target, emit));
  CycleReport report{options.tool, options.cpu, {}};
  struct Micro {
    std::string name;
    Shape shape;
  };
  std::vector<Micro> micros;  // in the order of the regions: two per micro-kernel
  std::string input = "\t.text\n";
  int count = 0;
  const auto add = [&](const std::string& region) {
    input += fmt::format("# LLVM-MCA-BEGIN region{0}\n{1}# LLVM-MCA-END region{0}\n", count++, region);
  };
  for (const ir::Function& function : module.functions) {
    if (function.kind != ir::Function::Kind::kMicro) continue;
    const std::optional<Shape> shape = ShapeOf(function);
    if (!shape) continue;
    const auto regions = Regions(*shape, FindFunction(assembly, emit.symbol_prefix + function.name));
    if (!regions) continue;
    micros.push_back({function.name, *shape});
    add(regions->first);
    add(regions->second);
  }
  if (micros.empty()) return report;

  ASSIGN_OR_RETURN(
      const std::string output,
      RunWithInput({options.tool, "-mtriple=x86_64", "-mcpu=" + options.cpu,
                    fmt::format("-mattr={}", target.features), fmt::format("-iterations={}", kIterations),
                    "-instruction-info=false", "-resource-pressure=false", "-json", "-"},
                   input));
  const nlohmann::json json = nlohmann::json::parse(output, nullptr, /*allow_exceptions=*/false);
  const auto regions = json.is_object() ? json.find("CodeRegions") : json.end();
  if (regions == json.end() || !regions->is_array() || regions->size() != 2 * micros.size()) {
    return Err("{}: expected JSON with {} code regions as its output", options.tool, 2 * micros.size());
  }
  const auto cycles = [&](size_t region) -> double {
    static const nlohmann::json::json_pointer kTotal("/SummaryView/TotalCycles");
    const nlohmann::json& summary = (*regions)[region];
    if (!summary.contains(kTotal) || !summary[kTotal].is_number()) return 0;
    return summary[kTotal].get<double>() / kIterations;
  };
  for (size_t i = 0; i < micros.size(); ++i) {
    const TileCycles tile{micros[i].shape.rows, micros[i].shape.macs, cycles(2 * i), cycles(2 * i + 1)};
    if (tile.cycles <= 0) return Err("{}: its output has no cycles for {}", options.tool, micros[i].name);
    const std::string name = WithoutHeight(micros[i].name);
    auto kernel = std::ranges::find(report.kernels, name, &MicroKernel::name);
    if (kernel == report.kernels.end()) kernel = report.kernels.insert(kernel, {name, {}});
    kernel->tiles.push_back(tile);
  }
  for (MicroKernel& kernel : report.kernels) std::ranges::sort(kernel.tiles, {}, &TileCycles::rows);
  return report;
}

}  // namespace ggufc::roofline
