#include "driver/fingerprint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <vector>

#include "runtime/text/prompts.h"

namespace ggufc::driver {
namespace {

// Tensors by their place in the file, hashed while the file's bytes pass by.
class TensorHashes {
 public:
  // Those of the model's graph. A model that cannot be imported has none; compiling it is an error.
  explicit TensorHashes(const SourceModel& model) {
    const auto graph = ImportGraph(model, {});
    if (!graph) return;
    const uint8_t* const start = model.file().bytes().data();
    for (const ir::Weight& weight : graph->weights) {
      const frontend::Tensor* const tensor = model.file().FindTensor(weight.name);
      if (tensor == nullptr) continue;
      const auto offset = static_cast<uint64_t>(tensor->data.data() - start);
      parts_.push_back({tensor, offset, offset + tensor->data.size(), {}});
    }
    std::ranges::sort(parts_, {}, &Part::begin);
  }

  // `bytes` lie at `offset` of the file; calls come in the order of the file.
  void Update(uint64_t offset, std::span<const uint8_t> bytes) {
    const uint64_t end = offset + bytes.size();
    for (; next_ < parts_.size() && parts_[next_].begin < end; ++next_) {
      Part& part = parts_[next_];
      const uint64_t from = std::max(part.begin, offset), to = std::min(part.end, end);
      part.hash.Update(bytes.subspan(from - offset, to - from));
      if (part.end > end) return;
    }
  }

  Hash128 Digest() {
    if (parts_.empty()) return {};
    std::ranges::sort(parts_, {}, [](const Part& part) { return part.tensor->name; });
    std::string text;
    for (const Part& part : parts_) {
      text += fmt::format("{} {} {} {}\n", part.tensor->name, frontend::TypeName(part.tensor->type),
                          frontend::ShapeText(part.tensor->shape()), part.hash.Digest().Text());
    }
    return HashText128(text);
  }

 private:
  struct Part {
    const frontend::Tensor* tensor;
    uint64_t begin, end;
    Hash128Stream hash;
  };
  std::vector<Part> parts_;  // tensors do not overlap
  size_t next_ = 0;          // the first whose end has not been reached
};

Result<FileContents> HashOpenFile(int fd, const std::string& path, const SourceModel* model) {
  struct stat before = {}, after = {};
  if (fstat(fd, &before) != 0) return Err(ErrorKind::kIo, "{}: cannot read: {}", path, std::strerror(errno));
  Hash128Stream hash;
  std::optional<TensorHashes> tensors;
  if (model != nullptr) tensors.emplace(*model);
  std::vector<uint8_t> buffer(size_t{1} << 20);
  ssize_t count = 0;
  uint64_t offset = 0;
  while ((count = read(fd, buffer.data(), buffer.size())) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Err(ErrorKind::kIo, "{}: cannot read: {}", path, std::strerror(errno));
    const auto bytes = std::span<const uint8_t>(buffer).first(static_cast<size_t>(count));
    hash.Update(bytes);
    if (tensors) tensors->Update(offset, bytes);
    offset += bytes.size();
  }
  if (fstat(fd, &after) != 0 || IdentityOf(before) != IdentityOf(after)) {
    return Err(ErrorKind::kIo, "{}: the file changed while it was read", path);
  }
  return FileContents{hash.Digest(), IdentityOf(after), tensors ? tensors->Digest() : Hash128()};
}

// The ops of `forward` in order, with what decides their results: operands by number or weight name, and attributes. Types
// follow from the operands. Not the IR's text format, which may change without any result changing.
std::string GraphText(const ir::Module& graph) {
  const ir::Function& forward = graph.forward();
  std::map<uint32_t, size_t> numbers;  // of values
  const auto operand = [&](ir::ValueId id) {
    const ir::Value& value = forward.value(id);
    if (value.def == ir::Value::Def::kWeight) return "@" + graph.weight(value.weight).name;
    return fmt::format("%{}", numbers.try_emplace(id.index, numbers.size()).first->second);
  };
  for (const ir::ValueId param : forward.params) operand(param);
  std::string text;
  forward.ForEachOp([&](ir::OpId, const ir::Op& op) {
    text += ir::Info(op.kind).name;
    for (const ir::ValueId id : op.operands) text += " " + operand(id);
    for (const ir::AttrValue& attr : op.attrs) {
      text += ir::Info(attr.attr).is_float ? fmt::format(" {}={:a}", ir::Info(attr.attr).name, attr.f)
                                           : fmt::format(" {}={}", ir::Info(attr.attr).name, attr.i);
    }
    for (const ir::ValueId id : op.results) text += " -> " + operand(id);
    text += '\n';
  });
  return text;
}

std::string PromptsText() {
  std::string text;
  for (const runtime::Prompt& prompt : runtime::Prompts()) {
    text += fmt::format("{} {} {}\n", prompt.name, prompt.takes_title, prompt.prefix);
  }
  return text;
}

}  // namespace

Result<FileContents> HashFile(const std::string& path, const SourceModel* model) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Err(ErrorKind::kIo, "{}: cannot open: {}", path, std::strerror(errno));
  Result<FileContents> contents = HashOpenFile(fd, path, model);
  close(fd);
  return contents;
}

Result<std::string> Fingerprint(SourceModel& model, const CompileOptions& options, std::string_view numerics,
                                const Hash128& tensors) {
  ASSIGN_OR_RETURN(const ir::Module graph, ImportGraph(model, options));
  const bool quantized = numerics.find("quantize=") != numerics.npos;
  std::string tokenizer = "none";
  if (const auto made = model.tokenizer()) {
    Hash128Stream hash;
    hash.Update((*made)->Serialize());
    tokenizer = hash.Digest().Text();
  }
  return HashText128(
             fmt::format("numerics {}\nactivations {}\ncontext {}\ntensors {}\ntokenizer {}\nprompts {}\n{}",
                         numerics, quantized ? ActivationsName(options.activations) : "f32",
                         model.config().context_length, tensors.Text(), tokenizer,
                         HashText128(PromptsText()).Text(), GraphText(graph)))
      .Text();
}

Result<std::string> Fingerprint(SourceModel& model, const CompileOptions& options) {
  const std::string& path = model.file().path();
  ASSIGN_OR_RETURN(const FileContents contents, HashFile(path, &model));
  // The path may lead to another file by now; the one that is compiled is the one that was mapped.
  if (contents.file != model.file().identity()) {
    return Err(ErrorKind::kIo, "{}: the file was replaced or changed while it was compiled", path);
  }
  ASSIGN_OR_RETURN(const std::string numerics, NumericsOf(model, options));
  return Fingerprint(model, options, numerics, contents.tensors);
}

}  // namespace ggufc::driver
