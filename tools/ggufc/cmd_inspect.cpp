// ggufc inspect: what is in a model file, and what will be compiled from it.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "driver/fingerprint.h"
#include "support/os/output_file.h"
#include "support/text.h"
#include "tools/ggufc/command_line.h"
#include "tools/io/report.h"
#include "tools/roofline/multiply_adds.h"

namespace ggufc::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr CommandHelp kInspectHelp = {
    "inspect", "MODEL [options]",
    "Prints what MODEL holds (metadata, tensors, configuration), what will be "
    "compiled from it (kernels, packed\n"
    "weights, multiply-adds), warnings, and the fingerprint: it changes when any "
    "bit of an embedding may change.",
    R"(Examples:
  ggufc inspect model.gguf
  ggufc inspect model.gguf --json | jq .config)"};

struct TensorSum {
  int64_t count = 0;
  int64_t elements = 0;  // at most INT64_MAX: shapes of types that are not known say what they like
  int64_t bytes = 0;

  void Add(const frontend::Tensor& tensor) {
    ++count;
    const uint64_t room = static_cast<uint64_t>(INT64_MAX - elements);
    elements += static_cast<int64_t>(std::min(room, tensor.elements()));
    bytes += static_cast<int64_t>(tensor.data.size());
  }
};

struct KernelRow {
  std::string name;
  int64_t calls = 0;
  std::string rows;  // what it ranges over: T tokens, B documents, Q query tiles
  int64_t columns = 0;
};

// What the commands print, gathered once.
struct Inspection {
  std::map<std::string, TensorSum> tensors;  // by type
  std::vector<std::pair<std::string, std::string>> config;
  std::vector<KernelRow> kernels;
  std::map<std::string, int64_t> packed;  // bytes by kind
  bool compiles = false;                  // otherwise there are no kernels and no program
  driver::BuiltProgram built;
  std::string fingerprint;
  std::vector<std::string> warnings;
};

std::vector<KernelRow> KernelRows(const ir::Module& module) {
  std::vector<KernelRow> rows;
  std::map<uint32_t, size_t> row_of;
  module.forward().ForEachOp([&](ir::OpId, const ir::Op& op) {
    if (op.kind != ir::OpKind::kCall) return;
    const ir::Function& kernel = module.function(op.callee);
    const auto [at, fresh] = row_of.try_emplace(op.callee.index, rows.size());
    if (fresh) rows.push_back({kernel.name, 0, ir::Name(kernel.domain.rows), kernel.domain.cols});
    ++rows[at->second].calls;
  });
  return rows;
}

const char* KindName(runtime::PackJob::Kind kind) {
  switch (kind) {
    case runtime::PackJob::Kind::kVector:
      return "vectors";
    case runtime::PackJob::Kind::kPanels:
      return "matrices";
    case runtime::PackJob::Kind::kRopeTable:
      return "rope tables";
  }
  return "";
}

Status GatherProgram(const driver::SourceModel& model, const driver::CompileOptions& options,
                     Inspection& result) {
  const frontend::Hparams& c = model.config();
  ASSIGN_OR_RETURN(ir::Module module, driver::ImportGraph(model, options));
  RETURN_IF_ERROR(passes::RunPipeline(module, driver::ContextOf(model, options)));
  result.kernels = KernelRows(module);
  ASSIGN_OR_RETURN(result.built, driver::BuildProgram(module, model.file(), c.vocab, c.context_length));
  for (const runtime::PackJob& job : result.built.jobs)
    result.packed[KindName(job.kind)] += runtime::PackedBytes(job);
  return {};
}

Result<Inspection> Gather(driver::SourceModel& model, const driver::CompileOptions& options) {
  Inspection result;
  for (const frontend::Tensor& tensor : model.file().tensors()) {
    result.tensors[frontend::TypeName(tensor.type)].Add(tensor);
  }
  const frontend::Hparams& c = model.config();
  const auto number = [](auto value) { return fmt::format("{}", value); };
  result.config = {{"architecture", c.architecture},
                   {"layers", number(c.layers)},
                   {"dim", number(c.dim)},
                   {"heads", number(c.heads)},
                   {"kv_heads", number(c.kv_heads)},
                   {"head_dim", number(c.head_dim)},
                   {"ffn", number(c.ffn)},
                   {"sliding_window", number(c.window)},
                   {"global_every", number(c.global_every)},
                   {"context_length", number(c.context_length)},
                   {"vocab", number(c.vocab)},
                   {"rms_eps", number(static_cast<float>(c.rms_eps))},
                   {"rope_theta_global", number(c.rope_theta_global)},
                   {"rope_theta_local", number(c.rope_theta_local)},
                   {"dense_hidden", number(c.dense_hidden)},
                   {"output_dim", number(c.output_dim)}};
  result.compiles = c.unsupported.empty();
  if (result.compiles) {
    RETURN_IF_ERROR(GatherProgram(model, options, result));
    ASSIGN_OR_RETURN(result.fingerprint, driver::Fingerprint(model, options));
  }
  const auto tokenizer = model.tokenizer();
  result.warnings = model.warnings();
  if (!tokenizer) {
    result.warnings.push_back(
        fmt::format("without a tokenizer texts cannot be embedded, only ids: {}", tokenizer.error().message));
  }
  if (!result.compiles) {
    result.warnings.push_back(fmt::format("the model cannot be compiled: {} ({} are supported)",
                                          c.unsupported, frontend::kSupportedTypes));
  }
  return result;
}

std::string ProgramAsText(const driver::SourceModel& model, const driver::CompileOptions& options,
                          const Inspection& i) {
  std::string out = fmt::format("\nCompiled for {}, activations {}\n", options.target->name(),
                                driver::ActivationsName(options.activations));
  std::vector<std::vector<std::string>> rows = {{"kernel", "calls", "over", "column units"}};
  for (const KernelRow& kernel : i.kernels) {
    rows.push_back({kernel.name, Grouped(kernel.calls), kernel.rows, Grouped(kernel.columns)});
  }
  out += Table(rows, "  ");
  out += "  (over T tokens, B documents, Q tiles of attention queries)\n";
  out += fmt::format("  packed weights: {} bytes", Grouped(i.built.program.weights_bytes));
  for (const auto& [kind, bytes] : i.packed) out += fmt::format(", {} {}", kind, Grouped(bytes));
  const roofline::MultiplyAdds work = roofline::CountMultiplyAdds(model.config());
  out += fmt::format("\n  memory for T tokens in B documents: {} + {} T + {} B bytes, {} a thread\n",
                     Grouped(i.built.program.arena_bytes), Grouped(i.built.program.arena_bytes_t),
                     Grouped(i.built.program.arena_bytes_b), Grouped(i.built.program.scratch_bytes));
  const auto whole = [](double value) { return Grouped(static_cast<int64_t>(value)); };
  out +=
      fmt::format("  multiply-adds: {} a token, {} a document; attention of {} tokens: {}\n",
                  whole(work.linear_per_token), whole(work.dense_per_document), model.config().context_length,
                  whole(roofline::AttentionMultiplyAdds(model.config(), model.config().context_length)));
  return out;
}

std::string AsText(const driver::SourceModel& model, const driver::CompileOptions& options,
                   const Inspection& i) {
  const frontend::GgufFile& file = model.file();
  std::string out =
      fmt::format("{}\n  GGUF version {}, {} bytes, {} metadata entries, {} tensors\n  fingerprint {}\n",
                  Printable(file.path()), file.version(), Grouped(static_cast<int64_t>(file.bytes().size())),
                  file.metadata().size(), file.tensors().size(),
                  i.compiles ? i.fingerprint : "none: the model cannot be compiled");
  out += "\nConfiguration\n";
  for (const auto& [name, value] : i.config) out += fmt::format("  {:<18} {}\n", name, value);
  out += "\nMetadata\n";
  // A key may have 64 KB, and a file as many entries.
  constexpr size_t kMaxWidth = 60;
  size_t width = 0;
  for (const frontend::MetadataEntry& entry : file.metadata()) {
    width = std::max(width, std::min(entry.key.size(), kMaxWidth));
  }
  for (const frontend::MetadataEntry& entry : file.metadata()) {
    out += fmt::format("  {:<{}}  {}\n", entry.key, width, frontend::ValueText(entry, 4));
  }
  out += "\nTensors\n";
  std::vector<std::vector<std::string>> rows = {{"type", "tensors", "values", "bytes"}};
  for (const auto& [type, sum] : i.tensors) {
    rows.push_back({type, Grouped(sum.count), Grouped(sum.elements), Grouped(sum.bytes)});
  }
  out += Table(rows, "  ");
  if (i.compiles) out += ProgramAsText(model, options, i);
  out += i.warnings.empty() ? "\nNo warnings\n" : "\nWarnings\n";
  for (const std::string& warning : i.warnings) out += fmt::format("  {}\n", warning);
  return out;
}

std::string AsJson(const driver::SourceModel& model, const driver::CompileOptions& options,
                   const Inspection& i) {
  const frontend::GgufFile& file = model.file();
  Json json;
  json["file"] = file.path();
  json["bytes"] = file.bytes().size();
  json["gguf_version"] = file.version();
  if (i.compiles) json["fingerprint"] = i.fingerprint;
  if (!i.compiles) json["fingerprint"] = nullptr;
  json["warnings"] = i.warnings;
  for (const auto& [name, value] : i.config) {
    const Json number = Json::parse(value, nullptr, false);
    json["config"][name] = number.is_number() ? number : Json(value);
  }
  json["metadata"] = Json::array();
  for (const frontend::MetadataEntry& entry : file.metadata()) {
    json["metadata"].push_back({{"key", entry.key},
                                {"type", frontend::ValueTypeName(entry.type)},
                                {"value", frontend::ValueText(entry)}});
  }
  json["tensors"] = Json::array();
  for (const frontend::Tensor& tensor : file.tensors()) {
    const auto shape = tensor.shape();
    json["tensors"].push_back({{"name", tensor.name},
                               {"type", frontend::TypeName(tensor.type)},
                               {"shape", std::vector<uint64_t>(shape.begin(), shape.end())},
                               {"bytes", tensor.data.size()}});
  }
  Json& compiled = json["compiled"];  // null where nothing can be
  if (!i.compiles) return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  compiled["target"] = options.target->name();
  compiled["activations"] = driver::ActivationsName(options.activations);
  compiled["dims"] = i.built.program.dims;
  compiled["kernels"] = Json::array();
  for (const KernelRow& kernel : i.kernels) {
    compiled["kernels"].push_back({{"name", kernel.name},
                                   {"calls", kernel.calls},
                                   {"over", kernel.rows},
                                   {"column_units", kernel.columns}});
  }
  compiled["packed_weight_bytes"] = i.built.program.weights_bytes;
  for (const auto& [kind, bytes] : i.packed) compiled["packed_weight_bytes_by_kind"][kind] = bytes;
  compiled["arena_bytes"] = {{"fixed", i.built.program.arena_bytes},
                             {"per_token", i.built.program.arena_bytes_t},
                             {"per_document", i.built.program.arena_bytes_b}};
  compiled["scratch_bytes_per_thread"] = i.built.program.scratch_bytes;
  const roofline::MultiplyAdds work = roofline::CountMultiplyAdds(model.config());
  compiled["multiply_adds"] = {{"per_token", static_cast<int64_t>(work.linear_per_token)},
                               {"per_document", static_cast<int64_t>(work.dense_per_document)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Status Inspect(const ModelFlags& flags, bool json) {
  ASSIGN_OR_RETURN(const driver::CompileOptions options, flags.Options());
  // Warnings are part of the result here.
  ASSIGN_OR_RETURN(const std::shared_ptr<driver::SourceModel> model, driver::SourceModel::Open(flags.model));
  const Result<Inspection> inspection = Gather(*model, options);
  if (!inspection) return tl::unexpected(NameModel(*model, inspection.error()));
  return WriteToStdout(json ? AsJson(*model, options, *inspection) : AsText(*model, options, *inspection));
}

}  // namespace

int RunInspect(const Arguments& arguments) {
  CommandLine line(kInspectHelp);
  ModelFlags flags;
  bool json = false;
  flags.AddModel(line.app());
  line.app().add_flag("--json", json, "as one JSON object, with every tensor");
  flags.AddDims(line.app());
  flags.AddTarget(line.app());
  if (const auto status = line.Parse(arguments)) return *status;
  const Status status = Inspect(flags, json);
  return status ? kGood : Fail(status.error());
}

}  // namespace ggufc::tools
