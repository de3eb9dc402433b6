// Reads a GGUF file (gguf_format.h) in place: the file is mapped and its header is checked in full. All results are views
// into the mapping, valid as long as the GgufFile lives (also after a move). Opening a file does not read tensor data.
//
// The file is untrusted. Open() succeeds only if every length, count, type, offset and size in the header is valid; after
// that no accessor reads outside the mapping. Each error message starts with the path and names the entry and the limit.
// A tensor may have an unsupported type (IsSupportedType), of which only the extent is known; only a tensor that is used
// needs a supported one.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/gguf/gguf_format.h"
#include "support/os/mapped_file.h"
#include "support/result.h"

namespace ggufc::frontend {

struct MetadataEntry {
  std::string_view key;
  ValueType type = ValueType::kU8;
  ValueType element_type = ValueType::kU8;  // of an array; the same as `type` otherwise
  uint64_t count = 1;                       // elements of an array; 1 otherwise
  std::span<const uint8_t> data;  // the value as it lies in the file, unaligned; an array's elements
};

// Shapes are in GGUF's order: dims[0] is contiguous in memory. A weight of shape [in, out] has `out` rows of
// `in` values.
struct Tensor {
  std::string_view name;
  GgmlType type = GgmlType::F32;
  uint32_t rank = 0;
  std::array<uint64_t, kMaxRank> dims = {1, 1, 1, 1};
  // Aligned to 8 bytes or more. Of a type without traits: up to the next tensor or the end of the file.
  std::span<const uint8_t> data;

  std::span<const uint64_t> shape() const { return {dims.data(), rank}; }
  uint64_t row_length() const { return dims[0]; }
  uint64_t rows() const { return dims[1] * dims[2] * dims[3]; }
  uint64_t elements() const { return row_length() * rows(); }
  uint64_t row_bytes() const { return data.size() / rows(); }
};

// "[768,3072]"
std::string ShapeText(std::span<const uint64_t> shape);

class GgufFile {
 public:
  static Result<GgufFile> Open(const std::string& path);
  static Result<GgufFile> Read(MappedFile mapped);

  const std::string& path() const { return file_.path(); }
  const FileIdentity& identity() const { return file_.identity(); }
  std::span<const uint8_t> bytes() const { return file_.bytes(); }
  // Lets the system reclaim the memory of this tensor's data, or of this part of bytes(). It stays readable.
  void Release(const Tensor& tensor) const { file_.Release(tensor.data); }
  void Release(std::span<const uint8_t> part) const { file_.Release(part); }
  uint32_t version() const { return version_; }
  uint64_t alignment() const { return alignment_; }
  std::span<const MetadataEntry> metadata() const { return metadata_; }  // in file order
  std::span<const Tensor> tensors() const { return tensors_; }           // in file order

  // Binary search. Null if there is no such entry.
  const MetadataEntry* Find(std::string_view key) const;
  const Tensor* FindTensor(std::string_view name) const;
  bool Has(std::string_view key) const { return Find(key) != nullptr; }
  // Like FindTensor, but a missing tensor is an error.
  Result<const Tensor*> GetTensor(std::string_view name) const;

  // The value of a required key. Integers of any stored type are accepted if the value fits;
  // GetF32 takes f32 and f64. A missing key, another type, or a value out of range is an error that names
  // file, key and what was expected.
  Result<uint32_t> GetU32(std::string_view key) const;
  Result<uint64_t> GetU64(std::string_view key) const;
  Result<int64_t> GetI64(std::string_view key) const;
  Result<float> GetF32(std::string_view key) const;
  Result<bool> GetBool(std::string_view key) const;
  Result<std::string_view> GetString(std::string_view key) const;
  Result<std::vector<std::string_view>> GetStringArray(std::string_view key) const;
  // Copies: the numbers in the file are not aligned. I32: any integer element type whose values fit.
  Result<std::vector<float>> GetF32Array(std::string_view key) const;
  Result<std::vector<int32_t>> GetI32Array(std::string_view key) const;

  // The same for optional keys: `fallback` if the key is absent. A wrong type is still an error.
  Result<uint32_t> GetU32Or(std::string_view key, uint32_t fallback) const;
  Result<float> GetF32Or(std::string_view key, float fallback) const;
  Result<bool> GetBoolOr(std::string_view key, bool fallback) const;
  Result<std::string_view> GetStringOr(std::string_view key, std::string_view fallback) const;

 private:
  class Parser;

  Result<const MetadataEntry*> Expect(std::string_view key) const;

  MappedFile file_;
  uint32_t version_ = 0;
  uint64_t alignment_ = kDefaultAlignment;
  std::vector<MetadataEntry> metadata_;
  std::vector<Tensor> tensors_;
  // Indices sorted by name, for binary search. In a hash table a hostile file could choose names that collide, because
  // the standard library's hash is not keyed.
  std::vector<uint32_t> metadata_by_key_;
  std::vector<uint32_t> tensors_by_name_;
};

// A value as readable text: 42, 1e-06, true, 'gemma-embedding', [640 x string: '<pad>', '<eos>', ...].
std::string ValueText(const MetadataEntry& entry, uint64_t max_elements = 8);

}  // namespace ggufc::frontend
