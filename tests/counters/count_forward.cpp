// The program whose instructions counters.instructions counts.
//
//   count_forward prepare DIR   writes a synthetic model and its object code for each activation mode
//   count_forward run DIR MODE  loads them and embeds one text of 64 tokens twice; the second time, with everything
//                               linked and every page touched, in CountedForward
//
// There are two processes, because only the second runs under valgrind, without LLVM's work. The model has the shapes
// of EmbeddingGemma 300M and two layers. The target is avx2, because valgrind runs neither AVX-512 nor AVX-VNNI.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "driver/loaded_program.h"
#include "frontend/synth.h"

using namespace ggufc;

// Named in `valgrind --toggle-collect`, so it has C linkage and is not inlined.
extern "C" __attribute__((noinline)) void CountedForward(runtime::Embedder* embedder, const int32_t* ids,
                                                         int32_t tokens, float* out, bool* good) {
  *good = embedder->Run({ids, static_cast<size_t>(tokens)}, {&tokens, 1}, out).has_value();
}

namespace {

constexpr int32_t kTokens = 64;
constexpr uint32_t kVocabulary = 1000;

std::string ModelPath(const std::string& dir) { return dir + "/model.gguf"; }
std::string ObjectPath(const std::string& dir, std::string_view mode) {
  return fmt::format("{}/{}.o", dir, mode);
}

Result<driver::CompileOptions> Options(std::string_view mode) {
  driver::CompileOptions options;
  ASSIGN_OR_RETURN(options.target, codegen::FindTarget("avx2"));
  ASSIGN_OR_RETURN(options.activations, driver::ParseActivations(mode));
  return options;
}

Status Prepare(const std::string& dir) {
  const frontend::SynthOptions synth{.layers = 2, .vocab = kVocabulary};
  RETURN_IF_ERROR(frontend::WriteSyntheticModel(synth, std::nullopt, ModelPath(dir)));
  ASSIGN_OR_RETURN(const auto model, driver::SourceModel::Open(ModelPath(dir)));
  for (const char* mode : {"i16", "i7"}) {
    ASSIGN_OR_RETURN(const driver::CompileOptions options, Options(mode));
    ASSIGN_OR_RETURN(const driver::CompiledProgram compiled, driver::CompileProgram(*model, options));
    std::ofstream file(ObjectPath(dir, mode), std::ios::binary);
    file.write(reinterpret_cast<const char*>(compiled.object.data()),
               static_cast<std::streamsize>(compiled.object.size()));
    if (!file.flush()) return Err("{}: cannot be written", ObjectPath(dir, mode));
  }
  return {};
}

// Like driver::CompileProgram, with the object that Prepare wrote instead of code generation.
Result<driver::CompiledProgram> Compiled(const driver::SourceModel& model, const std::string& dir,
                                         std::string_view mode) {
  ASSIGN_OR_RETURN(const driver::CompileOptions options, Options(mode));
  driver::CompiledProgram compiled;
  compiled.options = options;
  ASSIGN_OR_RETURN(compiled.module, driver::ImportGraph(model, options));
  RETURN_IF_ERROR(passes::RunPipeline(compiled.module, driver::ContextOf(model, options)));
  ASSIGN_OR_RETURN(compiled.built, driver::BuildProgram(compiled.module, model.file(), model.config().vocab,
                                                        model.config().context_length));
  std::ifstream file(ObjectPath(dir, mode), std::ios::binary);
  compiled.object.assign(std::istreambuf_iterator<char>(file), {});
  if (compiled.object.empty()) return Err("{}: cannot be read", ObjectPath(dir, mode));
  return compiled;
}

Status Run(const std::string& dir, std::string_view mode) {
  ASSIGN_OR_RETURN(const auto model, driver::SourceModel::Open(ModelPath(dir)));
  ASSIGN_OR_RETURN(driver::CompiledProgram compiled, Compiled(*model, dir, mode));
  ASSIGN_OR_RETURN(const auto embedder, driver::MakeEmbedder(model, std::move(compiled), {.threads = 1}));
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < kTokens; ++i) ids.push_back((i * 37 + 5) % static_cast<int32_t>(kVocabulary));
  std::vector<float> out(embedder->dims());
  RETURN_IF_ERROR(embedder->Run(ids, {&kTokens, 1}, out.data()));
  bool good = false;
  CountedForward(embedder.get(), ids.data(), kTokens, out.data(), &good);
  if (!good) return Err("the counted run failed");
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (!(command == "prepare" && argc == 3) && !(command == "run" && argc == 4)) {
    std::fputs("usage: count_forward prepare DIR | run DIR MODE\n", stderr);
    return 2;
  }
  if (!codegen::HostRuns(**codegen::FindTarget("avx2"))) {
    std::fputs("count_forward: this machine does not run target avx2\n", stderr);
    return 77;
  }
  const Status status = command == "prepare" ? Prepare(argv[2]) : Run(argv[2], argv[3]);
  if (status) return 0;
  std::fprintf(stderr, "count_forward: %s\n", status.error().message.c_str());
  return 1;
}
