// Reads and writes plain little-endian values, for the small serialised formats. Each read fails if fewer bytes are
// left than it needs. The caller checks that no bytes are left at the end.
#pragma once

#include <cstdint>
#include <cstring>
#include <ranges>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/result.h"

namespace ggufc::runtime {

class ByteWriter {
 public:
  template <typename T>
    requires std::is_arithmetic_v<T>
  void Put(T value) {
    PutAll(std::span(&value, 1));
  }
  template <std::ranges::contiguous_range R>
    requires std::is_arithmetic_v<std::ranges::range_value_t<R>>
  void PutAll(const R& values) {
    const auto bytes = std::as_bytes(std::span(values));
    const auto* const data = reinterpret_cast<const uint8_t*>(bytes.data());
    bytes_.insert(bytes_.end(), data, data + bytes.size());
  }
  std::vector<uint8_t> Take() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : rest_(bytes) {}

  size_t left() const { return rest_.size(); }

  // `field` names the value in the error.
  template <typename T>
    requires std::is_arithmetic_v<T>
  Status Get(std::string_view field, T& value) {
    return GetAll(field, std::span(&value, 1));
  }
  template <std::ranges::contiguous_range R>
    requires std::is_arithmetic_v<std::ranges::range_value_t<R>>
  Status GetAll(std::string_view field, R&& values) {
    const auto bytes = std::as_writable_bytes(std::span(values));
    if (rest_.size() < bytes.size()) {
      return Err("{}: needs {} bytes, {} are left", field, bytes.size(), rest_.size());
    }
    if (!bytes.empty()) std::memcpy(bytes.data(), rest_.data(), bytes.size());
    rest_ = rest_.subspan(bytes.size());
    return {};
  }

 private:
  std::span<const uint8_t> rest_;
};

}  // namespace ggufc::runtime
