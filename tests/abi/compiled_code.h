// Ahead-of-time models for the tests of the C interface, without compiling files: the code is generated in this
// process, the structs that an object file would define (runtime/api/code.h) are filled by hand, and the image is put
// together in memory, by other code than the compiler's. Everything can be changed before it is opened.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/jit.h"
#include "driver/loaded_program.h"
#include "runtime/api/code.h"
#include "runtime/exec/memory.h"
#include "runtime/store/image_format.h"
#include "runtime/store/model_card.h"
#include "support/check.h"
#include "test_paths.h"

namespace ggufc::testing {

// The value of a Result, or a failed CHECK with its message.
template <typename T>
T Value(Result<T> result) {
  CHECK(result.has_value(), "{}", result.error().message);
  return std::move(*result);
}

struct ImageParts {
  runtime::FingerprintBytes fingerprint = {};
  runtime::ModelCard info;
  std::vector<uint8_t> tokenizer;
  std::map<uint64_t, std::vector<uint8_t>> weights;  // by layout
  std::vector<uint8_t> tables;
  std::vector<runtime::GoldenVector> golden;  // no section where there are none
};

// The image's bytes, page-aligned.
runtime::PageMemory BuildImage(const ImageParts& parts);

struct CodeOptions {
  std::vector<std::string> targets = {"native"};
  ir::Scalar activations = ir::Scalar::kQ16;
};

class CompiledCode {
 public:
  // `model`: a file of tests/data, or a path.
  explicit CompiledCode(const std::string& model, const CodeOptions& options = {});

  // As a linked object with embedded weights. Valid until the next call of Embed or Detach, or the end.
  ggufc_code code;
  std::vector<ggufc_code_target> targets;  // what code.targets points to

  ImageParts parts;
  // Builds the image from `parts` (the constructor has) and puts it into `code`.
  void Embed();
  // Builds it, writes it to `path` and takes it out of `code`.
  void WriteSidecar(const std::string& path);
  std::span<uint8_t> image() const { return image_.bytes(); }  // for damage

  // What must come out: the vectors of the same model compiled just in time.
  std::vector<float> Reference(const std::vector<int32_t>& ids);
  std::vector<float> Reference(std::string_view text);
  std::vector<int32_t> Ids(std::string_view text);

  // Where the table's row of a token lies, in parts.tables or, once built, in image().
  std::span<uint8_t> Row(int32_t id);
  std::span<uint8_t> RowInImage(int32_t id);

  size_t dims() const { return embedder_->dims(); }
  int64_t context_length() const { return model_->config().context_length; }

 private:
  struct Target {
    std::string name;
    std::vector<uint8_t> program;
    std::vector<ggufc_kernel_fn> kernels;
    std::unique_ptr<codegen::LoadedCode> code;
  };
  void AddTarget(const driver::CompiledProgram& compiled);

  std::shared_ptr<driver::SourceModel> model_;
  std::unique_ptr<runtime::Embedder> embedder_;
  std::vector<std::unique_ptr<Target>> own_;
  runtime::PageMemory image_;
};

struct CloseModel {
  void operator()(ggufc_model* model) const { ggufc_close(model); }
};
using Handle = std::unique_ptr<ggufc_model, CloseModel>;

// An opened model; the test fails, and the handle is null, where it does not open.
Handle Open(const ggufc_code& code, const ggufc_options& options = GGUFC_OPTIONS_INIT);
Handle OpenThreads(const ggufc_code& code, int threads);

// The vectors of a batch of texts, densely; the test fails where the call does.
std::vector<float> Embed(ggufc_model* model, const std::vector<std::string>& texts,
                         const ggufc_embed_options& options = GGUFC_EMBED_OPTIONS_INIT);

}  // namespace ggufc::testing
