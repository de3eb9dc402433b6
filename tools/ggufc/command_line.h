// Flags about models, and what the subcommands of ggufc do with a model before their own work.
#pragma once

#include <memory>
#include <string>

#include "driver/compile.h"
#include "support/result.h"
#include "tools/ggufc/commands.h"
#include "tools/io/console.h"

namespace ggufc::tools {

// Flags that say how a model is compiled.
struct ModelFlags {
  std::string model;
  std::string target = "native";
  std::string activations = "i16";
  int64_t dims = 0;
  bool no_normalize = false;

  void AddModel(CLI::App& app);
  void AddTarget(CLI::App& app);  // and --activations
  void AddActivations(CLI::App& app);
  void AddDims(CLI::App& app);  // and --no-normalize

  Result<driver::CompileOptions> Options() const;
};

// Opens the model and prints its warnings.
Result<std::shared_ptr<driver::SourceModel>> OpenModel(const std::string& path);
// Where this user's cache is; empty where the environment does not say.
std::string CacheFolderOfUser();
// Whether this machine runs the target's code.
Status CheckTargetRuns(const codegen::Target& target);
// Puts the model's path before messages that do not name it.
Error NameModel(const driver::SourceModel& model, Error error);

}  // namespace ggufc::tools
