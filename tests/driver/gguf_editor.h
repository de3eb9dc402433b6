// A GGUF file as lists of keys and tensors that a test can change and write again, in any order and alignment. Written here
// byte by byte, so that a test does not depend on GgufWriter's choices.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/gguf/gguf_reader.h"

namespace ggufc::testing {

struct GgufEditor {
  struct Key {
    std::string name;
    frontend::ValueType type;
    std::vector<uint8_t> value;  // as in the file, after the type
  };
  struct TensorEntry {
    std::string name;
    frontend::GgmlType type;
    std::vector<uint64_t> shape;
    std::vector<uint8_t> data;
  };
  std::vector<Key> keys;
  std::vector<TensorEntry> tensors;
  uint64_t alignment = 32;

  explicit GgufEditor(const std::string& path);
  void Write(const std::string& path) const;

  Key& Find(const std::string& name);
  TensorEntry& FindTensor(const std::string& name);
  void Remove(const std::string& name);
  // Replaces the value of a key, or adds the key at the end.
  template <typename T>
  void Set(const std::string& name, T value) {
    SetBytes(name, frontend::ValueTypeOf<T>(), &value, sizeof(value));
  }
  void Set(const std::string& name, const std::string& value);
  void SetBytes(const std::string& name, frontend::ValueType type, const void* value, size_t bytes);
};

}  // namespace ggufc::testing
