#include "frontend/gguf_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace ggufc::frontend {
namespace {

constexpr uint64_t kAlignment = kDefaultAlignment;

uint64_t Padding(uint64_t position) { return (kAlignment - position % kAlignment) % kAlignment; }

// Tensors and keys may share a name; a key never contains a NUL here.
std::string TensorKey(std::string_view name) { return '\0' + std::string(name); }

}  // namespace

Result<GgufWriter> GgufWriter::Create(const std::string& path) {
  GgufWriter writer;
  writer.path_ = path;
  // O_EXCL finds a free name; open() instead of mkstemp() so that the file gets the usual permissions.
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::string temporary = fmt::format("{}.{}-{}.tmp", path, getpid(), attempt);
    writer.fd_ = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (writer.fd_ >= 0) {
      writer.temporary_ = temporary;
      return writer;
    }
    if (errno != EEXIST) break;
  }
  return Err("{}: cannot create: {}", path, std::strerror(errno));
}

GgufWriter::GgufWriter(GgufWriter&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)),
      header_(std::move(other.header_)),
      entries_(other.entries_),
      names_(std::move(other.names_)),
      tensors_(std::move(other.tensors_)),
      data_bytes_(other.data_bytes_),
      header_written_(other.header_written_),
      current_(other.current_),
      current_done_(other.current_done_) {}

GgufWriter::~GgufWriter() {
  if (fd_ >= 0) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void GgufWriter::PutString(std::string_view text) {
  PutNumber<uint64_t>(text.size());
  header_ += text;
}

Status GgufWriter::BeginEntry(std::string_view key, ValueType type) {
  if (header_written_) return Err("{}: key {}: the header is written already", path_, Quoted(key));
  if (key.empty() || key.size() > kMaxKeyBytes || key.find('\0') != std::string_view::npos) {
    return Err("{}: key {}: 1 to {} bytes without a NUL are allowed", path_, Quoted(key), kMaxKeyBytes);
  }
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
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return Err("{}: cannot write: {}", path_, std::strerror(errno));
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Status GgufWriter::WriteTensorData(std::string_view name, std::span<const uint8_t> bytes) {
  if (!header_written_) RETURN_IF_ERROR(WriteHeader());
  if (current_ == tensors_.size() || tensors_[current_].name != name) {
    return Err("{}: data for tensor {} where {} is due", path_, Quoted(name),
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
  if (temporary_.empty()) return Err("{}: finished already", path_);
  if (!header_written_) RETURN_IF_ERROR(WriteHeader());
  if (current_ != tensors_.size()) {
    const TensorInfo& tensor = tensors_[current_];
    return Err("{}: tensor {} has {} of its {} bytes", path_, Quoted(tensor.name), current_done_,
               tensor.bytes);
  }
  const int closed = close(std::exchange(fd_, -1));
  if (closed != 0) return Err("{}: cannot write: {}", path_, std::strerror(errno));
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return Err("{}: cannot rename {} to it: {}", path_, temporary_, std::strerror(errno));
  }
  temporary_.clear();
  return {};
}

}  // namespace ggufc::frontend
