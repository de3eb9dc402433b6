#include "tools/ggufc/bench_roofline.h"

#include <utility>

#include "support/os/output_file.h"
#include "tools/ggufc/command_line.h"
#include "tools/roofline/machine/mca.h"
#include "tools/roofline/report.h"
#include "tools/roofline/svg.h"

namespace ggufc::tools {

void RooflineFlags::Add(CLI::App& app, CLI::Option* serve) {
  CLI::Option* study =
      app.add_flag("--roofline", roofline, "how near each kernel is to what this machine can do")
          ->excludes(serve);
  app.add_option("--svg", svg, "with --roofline: draw it into FILE")->type_name("FILE")->needs(study);
  app.add_flag("--cycles", cycles,
               "with --roofline: multiply-adds a cycle of the micro-kernels, by llvm-mca\n(Debian: llvm-19)")
      ->needs(study);
}

Status PrintRoofline(const driver::SourceModel& model, const driver::CompileOptions& options,
                     const RooflineFlags& flags, int threads, bool json,
                     std::span<const RooflineBatch> batches) {
  const codegen::Target& target = *options.target;
  const bool runs = codegen::HostRuns(target);
  if (!flags.svg.empty() && !runs) {
    return Err("--svg: this machine cannot run code for {}, so there is nothing to draw", target.name());
  }
  Progress progress;
  progress.Show("measuring the machine ...");
  ASSIGN_OR_RETURN(const ir::Module kernels, roofline::KernelStage(model, options));
  ASSIGN_OR_RETURN(const driver::CompiledProgram compiled, driver::CompileProgram(model, options));
  roofline::Study study{.model = model.file().path(),
                        .target = target.info.name,
                        .activations = driver::ActivationsName(options.activations),
                        .packed_weight_bytes = compiled.built.program.weights_bytes,
                        .machine = {},
                        .batches = {}};
  if (runs) {
    ASSIGN_OR_RETURN(study.machine, roofline::MeasureMachine(target, {.threads = threads}));
  }
  for (const RooflineBatch& batch : batches) {
    study.batches.push_back(roofline::Analyse(roofline::CountCalls(kernels, target, batch.lengths),
                                              batch.lengths, study.machine ? &*study.machine : nullptr,
                                              batch.measured));
  }
  std::optional<roofline::CycleReport> cycles;
  if (flags.cycles || !runs) {
    progress.Show("counting cycles ...");
    Result<roofline::CycleReport> counted = roofline::CountCycles(compiled.module, target, options.emit);
    progress.Clear();
    if (counted) {
      cycles = std::move(*counted);
    } else {
      Warn(fmt::format("no cycles: {}", counted.error().message));
    }
  }
  progress.Clear();

  if (!flags.svg.empty()) {
    ASSIGN_OR_RETURN(OutputFile svg, OutputFile::Create(flags.svg));
    RETURN_IF_ERROR(svg.Write(roofline::DrawSvg(study)));
    RETURN_IF_ERROR(svg.Finish());
  }
  if (!json) {
    return WriteToStdout(roofline::TextReport(study) + (cycles ? "\n" + roofline::TextReport(*cycles) : ""));
  }
  nlohmann::ordered_json all = roofline::JsonReport(study);
  if (cycles) {
    for (auto& batch : all) batch["roofline"]["cycles"] = roofline::JsonReport(*cycles);
  }
  return WriteToStdout(all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace ggufc::tools
