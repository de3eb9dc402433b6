#include "tools/ggufc/command_line.h"

#include <cstdlib>

#include "codegen/target.h"
#include "driver/cache/cache_folder.h"

namespace ggufc::tools {

void ModelFlags::AddModel(CLI::App& app) {
  app.add_option("MODEL", model, "the model, a GGUF file")->required();
}

void ModelFlags::AddTarget(CLI::App& app) {
  std::vector<std::string> targets = {"native"};
  for (const codegen::Target& row : codegen::Targets()) targets.emplace_back(row.name());
  app.add_option("--target", target,
                 fmt::format("instructions to use: {};\nnative (default): the best this machine has",
                             fmt::join(targets, ", ")))
      ->check(OneOf(targets))
      ->type_name("NAME");
  AddActivations(app);
}

void ModelFlags::AddActivations(CLI::App& app) {
  app.add_option("--activations", activations,
                 "bits of activations in products with q8_0 weights: i16 (default, 1 - cos to\n"
                 "exact below 1e-7), i8 (fast with VNNI), i7 (fast with AVX2)")
      ->check(OneOf({"i16", "i8", "i7"}))
      ->type_name("MODE");
}

void ModelFlags::AddDims(CLI::App& app) {
  app.add_option("--dims", dims,
                 "keep the first N numbers of an embedding (this family is trained for\n768, 512, 256, 128)")
      ->check(NumberFrom(1, int64_t{1} << 30))
      ->type_name("N");
  app.add_flag("--no-normalize", no_normalize, "do not scale embeddings to length 1");
}

Result<driver::CompileOptions> ModelFlags::Options() const {
  driver::CompileOptions options;
  ASSIGN_OR_RETURN(options.target, codegen::FindTarget(target));
  ASSIGN_OR_RETURN(options.activations, driver::ParseActivations(activations));
  options.dims = dims;
  options.normalize = !no_normalize;
  return options;
}

Result<std::shared_ptr<driver::SourceModel>> OpenModel(const std::string& path) {
  ASSIGN_OR_RETURN(std::shared_ptr<driver::SourceModel> model, driver::SourceModel::Open(path));
  // Reading the vocabulary adds its warnings. Commands that need a tokenizer report a vocabulary that cannot be used.
  static_cast<void>(model->tokenizer());
  for (const std::string& warning : model->warnings()) Warn(fmt::format("{}: {}", path, warning));
  return model;
}

std::string CacheFolderOfUser() {
  return driver::DefaultCacheFolder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"));
}

Status CheckTargetRuns(const codegen::Target& target) {
  if (codegen::HostRuns(target)) return {};
  return Err("--target {}: this machine cannot run its code (the best it runs is {})", target.name(),
             codegen::NativeTarget().name());
}

Error NameModel(const driver::SourceModel& model, Error error) {
  const std::string prefix = model.file().path() + ": ";
  if (!error.message.starts_with(prefix)) error.message.insert(0, prefix);
  return error;
}

}  // namespace ggufc::tools
