// GgufFile's typed access to metadata. Open() has checked extent and type number of every value, so decoding stays within
// the file. The functions here check that a value has the requested type and range.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "frontend/gguf/gguf_reader.h"
#include "support/check.h"
#include "support/text.h"

namespace ggufc::frontend {
namespace {

// Represents all values of all integer types of the format.
using Wide = __int128;

bool IsInteger(ValueType type) {
  switch (type) {
    case ValueType::kU8:
    case ValueType::kI8:
    case ValueType::kU16:
    case ValueType::kI16:
    case ValueType::kU32:
    case ValueType::kI32:
    case ValueType::kU64:
    case ValueType::kI64:
      return true;
    default:
      return false;
  }
}

Wide LoadInteger(ValueType type, const uint8_t* from) {
  switch (type) {
    case ValueType::kU8:
      return LoadUnaligned<uint8_t>(from);
    case ValueType::kI8:
      return LoadUnaligned<int8_t>(from);
    case ValueType::kU16:
      return LoadUnaligned<uint16_t>(from);
    case ValueType::kI16:
      return LoadUnaligned<int16_t>(from);
    case ValueType::kU32:
      return LoadUnaligned<uint32_t>(from);
    case ValueType::kI32:
      return LoadUnaligned<int32_t>(from);
    case ValueType::kU64:
      return LoadUnaligned<uint64_t>(from);
    case ValueType::kI64:
      return LoadUnaligned<int64_t>(from);
    default:
      CHECK(false, "type {} is not an integer type", ValueTypeName(type));
      return 0;
  }
}

// The string at `from`; sets `next` to the address after it.
std::string_view LoadString(const uint8_t* from, const uint8_t** next = nullptr) {
  const auto length = LoadUnaligned<uint64_t>(from);
  if (next != nullptr) *next = from + sizeof(uint64_t) + length;
  return {reinterpret_cast<const char*>(from + sizeof(uint64_t)), length};
}

std::string TypeText(const MetadataEntry& entry) {
  if (entry.type != ValueType::kArray) return std::string(ValueTypeName(entry.type));
  return fmt::format("array of {}", ValueTypeName(entry.element_type));
}

tl::unexpected<Error> WrongType(const GgufFile& file, const MetadataEntry& entry, std::string_view expected) {
  return Err("{}: key {} is of type {} ({} is expected)", file.path(), Quoted(entry.key), TypeText(entry),
             expected);
}

template <typename T>
Result<T> IntegerOf(const GgufFile& file, const MetadataEntry& entry) {
  if (!IsInteger(entry.type)) return WrongType(file, entry, "an integer");
  const Wide value = LoadInteger(entry.type, entry.data.data());
  if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) {
    return Err("{}: key {}: {} is outside {} to {}", file.path(), Quoted(entry.key), ValueText(entry),
               std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
  }
  return static_cast<T>(value);
}

// The entry named `wanted`, or null; `order` has the entries' indices sorted by name.
template <typename Entry>
const Entry* FindByName(const std::vector<Entry>& entries, const std::vector<uint32_t>& order,
                        std::string_view Entry::* name, std::string_view wanted) {
  const auto it =
      std::ranges::lower_bound(order, wanted, {}, [&](uint32_t index) { return entries[index].*name; });
  if (it == order.end() || entries[*it].*name != wanted) return nullptr;
  return &entries[*it];
}

std::string ScalarText(ValueType type, const uint8_t* from) {
  switch (type) {
    case ValueType::kF32:
      return fmt::format("{}", LoadUnaligned<float>(from));
    case ValueType::kF64:
      return fmt::format("{}", LoadUnaligned<double>(from));
    case ValueType::kBool:
      return *from != 0 ? "true" : "false";
    case ValueType::kString:
      return Quoted(LoadString(from));
    case ValueType::kU64:
      return fmt::format("{}", LoadUnaligned<uint64_t>(from));
    default:
      return fmt::format("{}", static_cast<int64_t>(LoadInteger(type, from)));
  }
}

}  // namespace

const MetadataEntry* GgufFile::Find(std::string_view key) const {
  return FindByName(metadata_, metadata_by_key_, &MetadataEntry::key, key);
}

const Tensor* GgufFile::FindTensor(std::string_view name) const {
  return FindByName(tensors_, tensors_by_name_, &Tensor::name, name);
}

Result<const Tensor*> GgufFile::GetTensor(std::string_view name) const {
  const Tensor* tensor = FindTensor(name);
  if (tensor == nullptr) return Err("{}: tensor {} is missing", path(), Quoted(name));
  return tensor;
}

Result<const MetadataEntry*> GgufFile::Expect(std::string_view key) const {
  const MetadataEntry* entry = Find(key);
  if (entry == nullptr) return Err("{}: key {} is missing", path(), Quoted(key));
  return entry;
}

Result<uint32_t> GgufFile::GetU32(std::string_view key) const {
  ASSIGN_OR_RETURN(const MetadataEntry* entry, Expect(key));
  return IntegerOf<uint32_t>(*this, *entry);
}

Result<uint64_t> GgufFile::GetU64(std::string_view key) const {
  ASSIGN_OR_RETURN(const MetadataEntry* entry, Expect(key));
  return IntegerOf<uint64_t>(*this, *entry);
}

Result<int64_t> GgufFile::GetI64(std::string_view key) const {
  ASSIGN_OR_RETURN(const MetadataEntry* entry, Expect(key));
  return IntegerOf<int64_t>(*this, *entry);
}

Result<float> GgufFile::GetF32(std::string_view key) const {
  ASSIGN_OR_RETURN(const MetadataEntry* entry, Expect(key));
  if (entry->type == ValueType::kF32) return LoadUnaligned<float>(entry->data.data());
  if (entry->type != ValueType::kF64) return WrongType(*this, *entry, "f32 or f64");
  const auto value = LoadUnaligned<double>(entry->data.data());
  if (std::isfinite(value) && std::fabs(value) > std::numeric_limits<float>::max()) {
    return Err("{}: key {}: {} does not fit in an f32", path(), Quoted(key), value);
  }
  return static_cast<float>(value);
}

Result<bool> GgufFile::GetBool(std::string_view key) const {
  ASSIGN_OR_RETURN(const MetadataEntry* entry, Expect(key));
  if (entry->type != ValueType::kBool) return WrongType(*this, *entry, "bool");
  return entry->data[0] != 0;
}

Result<std::string_view> GgufFile::GetString(std::string_view key) const {
  ASSIGN_OR_RETURN(const MetadataEntry* entry, Expect(key));
  if (entry->type != ValueType::kString) return WrongType(*this, *entry, "string");
  return LoadString(entry->data.data());
}

Result<std::vector<std::string_view>> GgufFile::GetStringArray(std::string_view key) const {
  ASSIGN_OR_RETURN(const MetadataEntry* entry, Expect(key));
  if (entry->type != ValueType::kArray || entry->element_type != ValueType::kString) {
    return WrongType(*this, *entry, "array of string");
  }
  std::vector<std::string_view> strings;
  strings.reserve(entry->count);
  const uint8_t* next = entry->data.data();
  for (uint64_t i = 0; i < entry->count; ++i) strings.push_back(LoadString(next, &next));
  return strings;
}

Result<std::vector<float>> GgufFile::GetF32Array(std::string_view key) const {
  ASSIGN_OR_RETURN(const MetadataEntry* entry, Expect(key));
  if (entry->type != ValueType::kArray || entry->element_type != ValueType::kF32) {
    return WrongType(*this, *entry, "array of f32");
  }
  std::vector<float> values(entry->count);
  if (!values.empty()) std::memcpy(values.data(), entry->data.data(), entry->data.size());
  return values;
}

Result<std::vector<int32_t>> GgufFile::GetI32Array(std::string_view key) const {
  ASSIGN_OR_RETURN(const MetadataEntry* entry, Expect(key));
  if (entry->type != ValueType::kArray || !IsInteger(entry->element_type)) {
    return WrongType(*this, *entry, "array of integers");
  }
  const uint64_t step = ValueTypeBytes(entry->element_type);
  std::vector<int32_t> values(entry->count);
  for (uint64_t i = 0; i < entry->count; ++i) {
    const Wide value = LoadInteger(entry->element_type, entry->data.data() + i * step);
    if (value < INT32_MIN || value > INT32_MAX) {
      return Err("{}: key {}: element {} does not fit in an i32", path(), Quoted(key), i);
    }
    values[i] = static_cast<int32_t>(value);
  }
  return values;
}

Result<uint32_t> GgufFile::GetU32Or(std::string_view key, uint32_t fallback) const {
  return Has(key) ? GetU32(key) : Result<uint32_t>(fallback);
}

Result<float> GgufFile::GetF32Or(std::string_view key, float fallback) const {
  return Has(key) ? GetF32(key) : Result<float>(fallback);
}

Result<bool> GgufFile::GetBoolOr(std::string_view key, bool fallback) const {
  return Has(key) ? GetBool(key) : Result<bool>(fallback);
}

Result<std::string_view> GgufFile::GetStringOr(std::string_view key, std::string_view fallback) const {
  return Has(key) ? GetString(key) : Result<std::string_view>(fallback);
}

std::string ValueText(const MetadataEntry& entry, uint64_t max_elements) {
  if (entry.type != ValueType::kArray) return ScalarText(entry.type, entry.data.data());
  std::string out = fmt::format("[{} x {}:", entry.count, ValueTypeName(entry.element_type));
  const uint64_t shown = std::min(entry.count, max_elements);
  const uint8_t* next = entry.data.data();
  for (uint64_t i = 0; i < shown; ++i) {
    out += i == 0 ? " " : ", ";
    out += ScalarText(entry.element_type, next);
    if (entry.element_type == ValueType::kString) {
      LoadString(next, &next);
    } else {
      next += ValueTypeBytes(entry.element_type);
    }
  }
  out += shown < entry.count ? ", ...]" : "]";
  return out;
}

}  // namespace ggufc::frontend
