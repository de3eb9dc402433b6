#include "case_file.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <type_traits>

namespace ggufc::emulator {
namespace {

// The format is described once for both directions: Visit(archive, value) writes or reads the fields of value in order.
class Writer {
 public:
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  void operator()(const T& value) {
    Bytes(&value, sizeof value);
  }
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  void operator()(const std::vector<T>& values) {
    (*this)(uint64_t{values.size()});
    Bytes(values.data(), values.size() * sizeof(T));
  }
  void operator()(const std::string& text) {
    (*this)(uint64_t{text.size()});
    Bytes(text.data(), text.size());
  }
  template <typename T>
    requires(!std::is_trivially_copyable_v<T>)
  void operator()(const std::vector<T>& values);

  const std::string& bytes() const { return bytes_; }

 private:
  void Bytes(const void* data, size_t size) {
    if (size > 0) bytes_.append(static_cast<const char*>(data), size);
  }
  std::string bytes_;
};

// After the first read past the end, ok() is false and values are empty.
class Reader {
 public:
  explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}

  template <typename T>
    requires std::is_trivially_copyable_v<T>
  void operator()(T& value) {
    if (Has(1, sizeof value)) Bytes(&value, sizeof value);
  }
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  void operator()(std::vector<T>& values) {
    values.resize(Count(sizeof(T)));
    Bytes(values.data(), values.size() * sizeof(T));
  }
  void operator()(std::string& text) {
    text.resize(Count(1));
    Bytes(text.data(), text.size());
  }
  template <typename T>
    requires(!std::is_trivially_copyable_v<T>)
  void operator()(std::vector<T>& values);

  bool ok() const { return ok_; }
  bool at_end() const { return position_ == bytes_.size(); }

 private:
  bool Has(uint64_t count, uint64_t size) {
    ok_ = ok_ && count <= (bytes_.size() - position_) / size;
    return ok_;
  }
  // A count of elements of at least `size` bytes each.
  uint64_t Count(uint64_t size) {
    uint64_t count = 0;
    (*this)(count);
    return Has(count, size) ? count : 0;
  }
  void Bytes(void* data, size_t size) {
    if (size > 0) std::memcpy(data, bytes_.data() + position_, size);
    position_ += size;
  }
  std::string bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

template <typename Archive, typename T>
void Visit(Archive& archive, T& value) {
  using Plain = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Plain, Case>) {
    archive(value.name);
    Visit(archive, value.program);
    archive(value.weights);
    archive(value.file);
    archive(value.batches);
  } else if constexpr (std::is_same_v<Plain, Batch>) {
    archive(value.ids);
    archive(value.lengths);
    archive(value.expected);
  } else if constexpr (std::is_same_v<Plain, runtime::Program>) {
    archive(value.kernels);
    archive(value.steps);
    archive(value.args);
    for (auto* number :
         {&value.arena_bytes, &value.arena_bytes_t, &value.arena_bytes_b, &value.scratch_bytes,
          &value.weights_bytes, &value.file_bytes, &value.dims, &value.vocab, &value.context_length}) {
      archive(*number);
    }
  } else {
    archive(value);
  }
}

template <typename T>
  requires(!std::is_trivially_copyable_v<T>)
void Writer::operator()(const std::vector<T>& values) {
  (*this)(uint64_t{values.size()});
  for (const T& value : values) Visit(*this, value);
}

template <typename T>
  requires(!std::is_trivially_copyable_v<T>)
void Reader::operator()(std::vector<T>& values) {
  values.resize(Count(1));
  for (T& value : values) Visit(*this, value);
}

}  // namespace

Status WriteCases(const std::string& path, const std::vector<Case>& cases) {
  Writer writer;
  writer(cases);
  std::ofstream file(path, std::ios::binary);
  file.write(writer.bytes().data(), static_cast<std::streamsize>(writer.bytes().size()));
  file.close();
  if (!file) return Err("{}: cannot write", path);
  return {};
}

Result<std::vector<Case>> ReadCases(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Err("{}: cannot open", path);
  Reader reader(std::string(std::istreambuf_iterator<char>(file), {}));
  std::vector<Case> cases;
  reader(cases);
  if (!reader.ok()) return Err("{}: ends early", path);
  if (!reader.at_end()) return Err("{}: bytes after the last case", path);
  return cases;
}

}  // namespace ggufc::emulator
