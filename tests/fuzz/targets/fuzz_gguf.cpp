// A model file: the steps of `ggufc embed` before code generation. Opens it, reads everything in it, checks hyperparameters
// and vocabulary, and builds the program.
#include <vector>

#include "driver/compile.h"
#include "frontend/gguf/tensor_data.h"
#include "fuzz_target.h"
#include "support/text.h"

namespace ggufc::fuzz {
namespace {

// Reads all values that `inspect` prints, and calls every getter, also with the wrong type.
void ReadEverything(const frontend::GgufFile& file) {
  for (const frontend::MetadataEntry& entry : file.metadata()) {
    Require(!frontend::ValueText(entry, 16).empty(), "a value has a text");
    RequireMessage(Quoted(entry.key));
    static_cast<void>(file.GetU32(entry.key));
    static_cast<void>(file.GetI64(entry.key));
    static_cast<void>(file.GetF32(entry.key));
    static_cast<void>(file.GetBool(entry.key));
    static_cast<void>(file.GetString(entry.key));
    static_cast<void>(file.GetStringArray(entry.key));
    static_cast<void>(file.GetF32Array(entry.key));
    static_cast<void>(file.GetI32Array(entry.key));
  }
  uint64_t bytes = 0;
  for (const frontend::Tensor& tensor : file.tensors()) {
    bytes += tensor.data.size();
    Require(!tensor.data.empty(), "a tensor has bytes");
    RequireMessage(frontend::TypeName(tensor.type));
    if (!frontend::IsSupportedType(tensor.type)) continue;
    std::vector<float> row(tensor.row_length());
    frontend::DequantizeRow(tensor, 0, row.data());
    frontend::DequantizeRow(tensor, tensor.rows() - 1, row.data());
    const Status finite = frontend::CheckFinite(file, tensor);
    if (!finite) RequireMessage(finite.error().message, file.path() + ": tensor ");
  }
  Require(bytes <= file.bytes().size(), "tensors do not overlap");
}

}  // namespace
}  // namespace ggufc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ggufc;
  static fuzz::MemoryFile file;
  file.Write(fuzz::AsText(data, size));
  const std::string start = file.path() + ": ";
  {
    const Result<frontend::GgufFile> opened = frontend::GgufFile::Open(file.path());
    if (!opened) {
      fuzz::RequireMessage(opened.error().message, start);
      return 0;
    }
    fuzz::ReadEverything(*opened);
  }
  const Result<std::shared_ptr<driver::SourceModel>> model = driver::SourceModel::Open(file.path());
  if (!model) {
    fuzz::RequireMessage(model.error().message, start);
    return 0;
  }
  for (const std::string& warning : (*model)->warnings()) fuzz::RequireMessage(warning);
  if (const Result<const runtime::Tokenizer*> tokenizer = (*model)->tokenizer(); tokenizer) {
    std::vector<int32_t> ids;
    const Status encoded = (*tokenizer)->Encode("Some text, <eos> \xe2\x96\x81 and \xff.", ids);
    fuzz::Require(encoded.has_value(), "a short text can be encoded");
    for (const int32_t id : ids)
      fuzz::Require(id >= 0 && id < (*model)->config().vocab, "ids are rows of the table");
  } else {
    fuzz::RequireMessage(tokenizer.error().message, start);
  }
  driver::CompileOptions options;
  options.target = &codegen::Targets()[0];
  if (const Result<driver::CompiledProgram> lowered = driver::LowerProgram(**model, options); !lowered)
    fuzz::RequireMessage(lowered.error().message, start);
  return 0;
}
