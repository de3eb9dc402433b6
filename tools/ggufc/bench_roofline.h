// bench --roofline: the study of roofline/, from what bench has measured.
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <vector>

#include "driver/compile.h"
#include "tools/roofline/study.h"

namespace ggufc::tools {

struct RooflineFlags {
  bool roofline = false;
  bool cycles = false;
  std::string svg;

  void Add(CLI::App& app, CLI::Option* serve);
};

// A batch by its lengths, with its times; without any where the machine cannot run the target's code.
struct RooflineBatch {
  std::vector<int32_t> lengths;
  roofline::Measured measured;
};

// Measures the machine with `threads` threads if it runs the target, and prints the study; draws it where the
// flags ask for that. Cycles are counted on request and for targets that cannot run; without llvm-mca a
// warning takes their place.
Status PrintRoofline(const driver::SourceModel& model, const driver::CompileOptions& options,
                     const RooflineFlags& flags, int threads, bool json,
                     std::span<const RooflineBatch> batches);

}  // namespace ggufc::tools
