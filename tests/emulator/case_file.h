// A file of compiled models with inputs and expected outputs. make_cases writes it on the machine that compiles;
// emulator_program reads it on the machine that runs. Both belong to one build, so plain data has the same layout in
// the file and in memory. The code is not in the file: it is linked into emulator_program, under the symbols in
// Program::kernels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/exec/program.h"
#include "support/result.h"

namespace ggufc::emulator {

struct Batch {
  std::vector<int32_t> ids;      // of all sequences, one after another
  std::vector<int32_t> lengths;  // tokens of each sequence
  std::vector<float> expected;   // [lengths.size()][dims]
};

struct Case {
  std::string name;
  runtime::Program program;
  std::vector<uint8_t> weights;  // packed
  std::vector<uint8_t> file;     // the model file, for arguments of kind kFile
  std::vector<Batch> batches;
};

Status WriteCases(const std::string& path, const std::vector<Case>& cases);
Result<std::vector<Case>> ReadCases(const std::string& path);

}  // namespace ggufc::emulator
