// Writes a GGUF v3 file as a stream: metadata, then the list of tensors, then their data in that order, in pieces of any
// size. Memory use does not depend on the tensors' sizes.
//
// The file appears under its name at Finish() (support/os/output_file.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "frontend/gguf/gguf_format.h"
#include "support/os/output_file.h"
#include "support/result.h"

namespace ggufc::frontend {

class GgufWriter {
 public:
  static Result<GgufWriter> Create(const std::string& path);

  // Metadata. Errors: an empty, overlong or repeated key.
  template <typename T>
  Status Add(std::string_view key, T value) {
    static_assert(std::is_arithmetic_v<T>, "strings have AddString");
    return AddEncoded(key, ValueTypeOf<T>(), Bytes(&value, 1));
  }
  Status AddString(std::string_view key, std::string_view value);
  template <typename T>
  Status AddArray(std::string_view key, std::span<const T> values) {
    return AddEncodedArray(key, ValueTypeOf<T>(), values.size(), Bytes(values.data(), values.size()));
  }
  Status AddStringArray(std::string_view key, std::span<const std::string> values);

  // Declares the next tensor; shape[0] is the contiguous dimension. Errors: an invalid or repeated name, a shape of the
  // wrong rank, with a 0, too large, or with rows that are not a multiple of the type's block.
  Status AddTensor(std::string_view name, GgmlType type, std::span<const uint64_t> shape);

  // Appends to the data of tensor `name`, which must be the first incomplete tensor. After the first call neither metadata
  // nor tensors can be added. Errors: the wrong tensor, more bytes than it has, an error of the system.
  Status WriteTensorData(std::string_view name, std::span<const uint8_t> bytes);

  // Checks that all data has been written, then renames the file to its name.
  Status Finish();

 private:
  struct TensorInfo {
    std::string name;
    GgmlType type;
    std::vector<uint64_t> shape;
    uint64_t offset;
    uint64_t bytes;
  };

  GgufWriter(std::string path, OutputFile file) : path_(std::move(path)), file_(std::move(file)) {}

  template <typename T>
  static std::span<const uint8_t> Bytes(const T* values, size_t count) {
    return {reinterpret_cast<const uint8_t*>(values), count * sizeof(T)};
  }
  template <typename T>
  void PutNumber(T value) {
    header_.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  void PutString(std::string_view text);
  Status BeginEntry(std::string_view key, ValueType type);
  Status AddEncoded(std::string_view key, ValueType type, std::span<const uint8_t> value);
  Status AddEncodedArray(std::string_view key, ValueType element, uint64_t count,
                         std::span<const uint8_t> values);
  Status WriteHeader();
  Status WriteRaw(std::span<const uint8_t> bytes);

  std::string path_;
  OutputFile file_;
  bool finished_ = false;
  std::string header_;  // the metadata section until the header is written
  uint64_t entries_ = 0;
  std::unordered_set<std::string> names_;  // keys, and tensor names with a NUL before them
  std::vector<TensorInfo> tensors_;
  uint64_t data_bytes_ = 0;  // of all declared tensors, with padding
  bool header_written_ = false;
  size_t current_ = 0;         // the tensor being written
  uint64_t current_done_ = 0;  // bytes written of the current tensor
};

}  // namespace ggufc::frontend
