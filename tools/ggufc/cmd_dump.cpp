// ggufc dump: the program at any stage of its compilation, as text.
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "codegen/object_emitter.h"
#include "ir/text/printer.h"
#include "support/os/output_file.h"
#include "tools/ggufc/command_line.h"

namespace ggufc::tools {
namespace {

constexpr CommandHelp kDumpHelp = {
    "dump", "MODEL [options]",
    "Writes the program that MODEL becomes, as text. Stages: graph (ops on whole tensors, as imported), "
    "kernel\n"
    "(fused kernels, weight layouts chosen), loop (loops, vectors, memory), llvm (LLVM IR), asm (assembly).\n"
    "ggufc-opt reads the first three, verifies them and runs passes on them.",
    R"(Examples:
  ggufc dump model.gguf --stage graph | head -40
  ggufc dump model.gguf --after fuse
  ggufc dump model.gguf --after-all --dir passes/        one file a pass
  ggufc dump model.gguf --stage asm --target avx512vnni)"};

struct DumpFlags {
  ModelFlags model;
  std::string stage = "graph";
  std::string after;
  bool after_all = false;
  std::string dir;
};

Status WriteFile(const std::string& path, std::string_view text) {
  ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  RETURN_IF_ERROR(file.Write(text));
  return file.Finish();
}

// `graph` becomes a module at the loop stage; the observer sees each step.
Status RunPasses(const driver::SourceModel& model, const driver::CompileOptions& options, ir::Module& module,
                 const passes::PassObserver& observer) {
  const Status status = passes::RunPipeline(module, driver::ContextOf(model, options), observer);
  if (!status) return tl::unexpected(NameModel(model, status.error()));
  return {};
}

Status DumpAll(const driver::SourceModel& model, const driver::CompileOptions& options,
               const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return Err("{}: cannot create the folder: {}", dir, error.message());
  ASSIGN_OR_RETURN(ir::Module module, driver::ImportGraph(model, options));
  int number = 0;
  const auto write = [&](const char* name, const ir::Module& state) {
    return WriteFile((std::filesystem::path(dir) / fmt::format("{:02}-{}.tir", number++, name)).string(),
                     ir::Print(state));
  };
  RETURN_IF_ERROR(write("import", module));
  return RunPasses(model, options, module, [&](const passes::PassReport& report, const ir::Module& state) {
    PrintToStderr(fmt::format("{:<22} {:8.2f} ms{}\n", report.pass->name, 1e3 * report.seconds,
                              report.changed ? "" : "  unchanged"));
    return write(report.pass->name, state);
  });
}

Result<std::string> DumpOne(const driver::SourceModel& model, const driver::CompileOptions& options,
                            const DumpFlags& flags) {
  ASSIGN_OR_RETURN(ir::Module module, driver::ImportGraph(model, options));
  if (flags.after.empty() && flags.stage == "graph") return ir::Print(module);
  std::string text;
  const auto observe = [&](const passes::PassReport& report, const ir::Module& state) -> Status {
    // The kernel stage is what its last pass leaves.
    const bool wanted = flags.after.empty() ? flags.stage == "kernel" && state.stage == ir::Stage::kKernel
                                            : flags.after == report.pass->name;
    if (wanted) text = ir::Print(state);
    return {};
  };
  RETURN_IF_ERROR(RunPasses(model, options, module, observe));
  if (!flags.after.empty() || flags.stage == "kernel") return text;
  if (flags.stage == "loop") return ir::Print(module);
  return flags.stage == "llvm" ? codegen::PrintLlvm(module, *options.target, options.emit)
                               : codegen::PrintAssembly(module, *options.target, options.emit);
}

Status Dump(const DumpFlags& flags) {
  ASSIGN_OR_RETURN(const driver::CompileOptions options, flags.model.Options());
  ASSIGN_OR_RETURN(const std::shared_ptr<driver::SourceModel> model, OpenModel(flags.model.model));
  if (flags.after_all) return DumpAll(*model, options, flags.dir);
  const Result<std::string> text = DumpOne(*model, options, flags);
  if (!text) return tl::unexpected(NameModel(*model, text.error()));
  return WriteToStdout(*text);
}

}  // namespace

int RunDump(const Arguments& arguments) {
  CommandLine line(kDumpHelp);
  DumpFlags flags;
  std::vector<std::string> passes;
  for (const passes::PassInfo& pass : passes::AllPasses()) passes.emplace_back(pass.name);
  flags.model.AddModel(line.app());
  CLI::Option* stage = line.app()
                           .add_option("--stage", flags.stage, "graph (default), kernel, loop, llvm or asm")
                           ->check(OneOf({"graph", "kernel", "loop", "llvm", "asm"}))
                           ->type_name("NAME");
  std::string names;
  for (size_t i = 0; i < passes.size(); ++i)
    names += fmt::format("{}{}", i == 0 ? "" : i % 5 == 0 ? ",\n" : ", ", passes[i]);
  CLI::Option* after =
      line.app()
          .add_option("--after", flags.after, fmt::format("the program after this pass:\n{}", names))
          ->check(OneOf(passes))
          ->excludes(stage)
          ->type_name("PASS");
  CLI::Option* dir = line.app()
                         .add_option("--dir", flags.dir, "where --after-all writes; made if it is not there")
                         ->type_name("DIR");
  CLI::Option* all = line.app().add_flag("--after-all", flags.after_all,
                                         "the program after each pass, into files NN-PASS.tir");
  all->excludes(stage)->excludes(after)->needs(dir);
  dir->needs(all);
  flags.model.AddDims(line.app());
  flags.model.AddTarget(line.app());
  if (const auto status = line.Parse(arguments)) return *status;
  const Status status = Dump(flags);
  return status ? kGood : Fail(status.error());
}

}  // namespace ggufc::tools
