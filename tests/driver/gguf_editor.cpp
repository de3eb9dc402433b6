#include "gguf_editor.h"

#include <algorithm>
#include <cstring>
#include <fstream>

#include "support/check.h"

namespace ggufc::testing {
namespace {

template <typename T>
void Put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void PutText(std::string& out, const std::string& text) {
  Put(out, static_cast<uint64_t>(text.size()));
  out += text;
}

}  // namespace

GgufEditor::GgufEditor(const std::string& path) {
  auto opened = frontend::GgufFile::Open(path);
  CHECK(opened, "{}", opened.error().message);
  for (const frontend::MetadataEntry& entry : opened->metadata()) {
    Key& key = keys.emplace_back(Key{std::string(entry.key), entry.type, {}});
    std::string head;
    if (entry.type == frontend::ValueType::kArray) {
      Put(head, static_cast<uint32_t>(entry.element_type));
      Put(head, entry.count);
    }
    key.value.assign(head.begin(), head.end());
    key.value.insert(key.value.end(), entry.data.begin(), entry.data.end());
  }
  for (const frontend::Tensor& tensor : opened->tensors()) {
    tensors.push_back({std::string(tensor.name),
                       tensor.type,
                       {tensor.shape().begin(), tensor.shape().end()},
                       {tensor.data.begin(), tensor.data.end()}});
  }
}

void GgufEditor::Write(const std::string& path) const {
  std::string out;
  Put(out, frontend::kGgufMagic);
  Put(out, frontend::kGgufVersion);
  Put(out, static_cast<uint64_t>(tensors.size()));
  Put(out, static_cast<uint64_t>(keys.size()));
  for (const Key& key : keys) {
    PutText(out, key.name);
    Put(out, static_cast<uint32_t>(key.type));
    out.append(key.value.begin(), key.value.end());
  }
  const auto align = [&](std::string& text) {
    text.resize((text.size() + alignment - 1) / alignment * alignment);
  };
  std::string data;
  for (const TensorEntry& tensor : tensors) {
    align(data);
    PutText(out, tensor.name);
    Put(out, static_cast<uint32_t>(tensor.shape.size()));
    for (const uint64_t dim : tensor.shape) Put(out, dim);
    Put(out, static_cast<uint32_t>(tensor.type));
    Put(out, static_cast<uint64_t>(data.size()));
    data.append(tensor.data.begin(), tensor.data.end());
  }
  align(out);
  std::ofstream file(path, std::ios::binary);
  file << out << data;
  CHECK(file.flush().good(), "{}", path);
}

GgufEditor::Key& GgufEditor::Find(const std::string& name) {
  const auto key = std::ranges::find(keys, name, &Key::name);
  CHECK(key != keys.end(), "no key {}", name);
  return *key;
}

GgufEditor::TensorEntry& GgufEditor::FindTensor(const std::string& name) {
  const auto tensor = std::ranges::find(tensors, name, &TensorEntry::name);
  CHECK(tensor != tensors.end(), "no tensor {}", name);
  return *tensor;
}

void GgufEditor::Remove(const std::string& name) {
  CHECK(std::erase_if(keys, [&](const Key& key) { return key.name == name; }) == 1, "no key {}", name);
}

void GgufEditor::Set(const std::string& name, const std::string& value) {
  std::string text;
  PutText(text, value);
  SetBytes(name, frontend::ValueType::kString, text.data(), text.size());
}

void GgufEditor::SetBytes(const std::string& name, frontend::ValueType type, const void* value,
                          size_t bytes) {
  auto key = std::ranges::find(keys, name, &Key::name);
  if (key == keys.end()) key = keys.insert(keys.end(), Key{name, type, {}});
  key->type = type;
  key->value.resize(bytes);
  std::memcpy(key->value.data(), value, bytes);
}

}  // namespace ggufc::testing
