#include "frontend/gguf/gguf_writer.h"

#include <array>
#include <utility>

#include "support/text.h"

namespace ggufc::frontend {
namespace {

constexpr uint64_t kAlignment = kDefaultAlignment;

uint64_t Padding(uint64_t position) { return (kAlignment - position % kAlignment) % kAlignment; }

// A tensor and a key may have the same name. The NUL separates them: valid keys do not contain one.
std::string TensorKey(std::string_view name) { return '\0' + std::string(name); }

}  // namespace

Result<GgufWriter> GgufWriter::Create(const std::string& path) {
  ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  return GgufWriter(path, std::move(file));
}

void GgufWriter::PutString(std::string_view text) {
  PutNumber<uint64_t>(text.size());
  header_ += text;
}

Status GgufWriter::BeginEntry(std::string_view key, ValueType type) {
  if (header_written_) return Err("{}: key {}: the header is written already", path_, Quoted(key));
  if (key.empty() || key.size() > kMaxKeyBytes) {
    return Err("{}: key {}: 1 to {} bytes are allowed", path_, Quoted(key), kMaxKeyBytes);
  }
  if (const std::string fault = NameFault(key); !fault.empty())
    return Err("{}: key {}: {}", path_, Quoted(key), fault);
  if (entries_ == kMaxMetadataEntries)
    return Err("{}: more than {} metadata entries", path_, kMaxMetadataEntries);
  if (!names_.emplace(key).second) return Err("{}: key {} is added twice", path_, Quoted(key));
  ++entries_;
  PutString(key);
  PutNumber(static_cast<uint32_t>(type));
  return {};
}

Status GgufWriter::AddEncoded(std::string_view key, ValueType type, std::span<const uint8_t> value) {
  RETURN_IF_ERROR(BeginEntry(key, type));
  header_.append(reinterpret_cast<const char*>(value.data()), value.size());
  return {};
}

Status GgufWriter::AddEncodedArray(std::string_view key, ValueType element, uint64_t count,
                                   std::span<const uint8_t> values) {
  RETURN_IF_ERROR(BeginEntry(key, ValueType::kArray));
  PutNumber(static_cast<uint32_t>(element));
  PutNumber(count);
  header_.append(reinterpret_cast<const char*>(values.data()), values.size());
  return {};
}

Status GgufWriter::AddString(std::string_view key, std::string_view value) {
  RETURN_IF_ERROR(BeginEntry(key, ValueType::kString));
  PutString(value);
  return {};
}

Status GgufWriter::AddStringArray(std::string_view key, std::span<const std::string> values) {
  RETURN_IF_ERROR(BeginEntry(key, ValueType::kArray));
  PutNumber(static_cast<uint32_t>(ValueType::kString));
  PutNumber<uint64_t>(values.size());
  for (const std::string& value : values) PutString(value);
  return {};
}

Status GgufWriter::AddTensor(std::string_view name, GgmlType type, std::span<const uint64_t> shape) {
  if (header_written_) return Err("{}: tensor {}: the header is written already", path_, Quoted(name));
  if (name.empty() || name.size() > kMaxTensorNameBytes) {
    return Err("{}: tensor {}: a name has 1 to {} bytes", path_, Quoted(name), kMaxTensorNameBytes);
  }
  if (const std::string fault = NameFault(name); !fault.empty())
    return Err("{}: tensor {}: {}", path_, Quoted(name), fault);
  if (tensors_.size() == kMaxTensors) return Err("{}: more than {} tensors", path_, kMaxTensors);
  if (shape.empty() || shape.size() > kMaxRank) {
    return Err("{}: tensor {}: rank {} (1 to {} are allowed)", path_, Quoted(name), shape.size(), kMaxRank);
  }
  const TypeTraits& traits = Traits(type);
  if (shape[0] % traits.block_size != 0) {
    return Err("{}: tensor {}: rows of {} values (type {} needs a multiple of {})", path_, Quoted(name),
               shape[0], traits.name, traits.block_size);
  }
  uint64_t bytes = traits.block_bytes;
  bool overflow = __builtin_mul_overflow(bytes, shape[0] / traits.block_size, &bytes);
  for (const uint64_t dim : shape.subspan(1)) overflow |= __builtin_mul_overflow(bytes, dim, &bytes);
  uint64_t end = 0;
  overflow |= __builtin_add_overflow(data_bytes_, bytes, &end) || end > INT64_MAX - kAlignment;
  if (overflow || bytes == 0) return Err("{}: tensor {}: its size is 0 or too large", path_, Quoted(name));
  if (!names_.emplace(TensorKey(name)).second)
    return Err("{}: tensor {} is added twice", path_, Quoted(name));
  tensors_.push_back({std::string(name), type, {shape.begin(), shape.end()}, data_bytes_, bytes});
  data_bytes_ = end + Padding(end);
  return {};
}

Status GgufWriter::WriteHeader() {
  const std::string metadata = std::exchange(header_, {});
  PutNumber(kGgufMagic);
  PutNumber(kGgufVersion);
  PutNumber<uint64_t>(tensors_.size());
  PutNumber(entries_);
  header_ += metadata;
  for (const TensorInfo& tensor : tensors_) {
    PutString(tensor.name);
    PutNumber(static_cast<uint32_t>(tensor.shape.size()));
    for (const uint64_t dim : tensor.shape) PutNumber(dim);
    PutNumber(static_cast<uint32_t>(tensor.type));
    PutNumber(tensor.offset);
  }
  header_.resize(header_.size() + Padding(header_.size()));
  header_written_ = true;
  const std::string all = std::exchange(header_, {});
  return WriteRaw(Bytes(all.data(), all.size()));
}

Status GgufWriter::WriteRaw(std::span<const uint8_t> bytes) {
  return file_.Write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Status GgufWriter::WriteTensorData(std::string_view name, std::span<const uint8_t> bytes) {
  if (!header_written_) RETURN_IF_ERROR(WriteHeader());
  if (current_ == tensors_.size() || tensors_[current_].name != name) {
    return Err("{}: data for tensor {}, expected data for {}", path_, Quoted(name),
               current_ == tensors_.size() ? "none" : Quoted(tensors_[current_].name));
  }
  const TensorInfo& tensor = tensors_[current_];
  if (bytes.size() > tensor.bytes - current_done_) {
    return Err("{}: tensor {}: more than its {} bytes", path_, Quoted(name), tensor.bytes);
  }
  RETURN_IF_ERROR(WriteRaw(bytes));
  current_done_ += bytes.size();
  if (current_done_ == tensor.bytes) {
    ++current_;
    current_done_ = 0;
    static constexpr std::array<uint8_t, kAlignment> kZeros = {};
    RETURN_IF_ERROR(WriteRaw(std::span(kZeros).first(Padding(tensor.bytes))));
  }
  return {};
}

Status GgufWriter::Finish() {
  if (finished_) return Err("{}: finished already", path_);
  if (!header_written_) RETURN_IF_ERROR(WriteHeader());
  if (current_ != tensors_.size()) {
    const TensorInfo& tensor = tensors_[current_];
    return Err("{}: tensor {} has {} of its {} bytes", path_, Quoted(tensor.name), current_done_,
               tensor.bytes);
  }
  RETURN_IF_ERROR(file_.Finish());
  finished_ = true;
  return {};
}

}  // namespace ggufc::frontend
