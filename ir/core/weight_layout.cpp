#include "ir/core/weight_layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "support/check.h"
#include "support/float_formats.h"

namespace ggufc::ir {
namespace {

// 16 GiB, above any weight of a model that fits in memory. A type in IR text may claim far more.
constexpr int64_t kMaxBytes = int64_t{1} << 34;

constexpr int64_t kPanel = 16;
constexpr int64_t kBlockBytes = 2 + kQuantBlock;

int64_t RoundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

int64_t RowBytes(const Type& type) {
  if (type.scalar == Scalar::kQ8_0) return type.columns() / kQuantBlock * kBlockBytes;
  return type.columns() * Bits(type.scalar) / 8;
}

template <typename T>
T Read(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}
template <typename T>
void Write(uint8_t* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

float ReadFloat(Scalar scalar, const uint8_t* at) {
  switch (scalar) {
    case Scalar::kF32:
      return Read<float>(at);
    case Scalar::kF16:
      return F16ToF32(Read<uint16_t>(at));
    case Scalar::kBF16:
      return BF16ToF32(Read<uint16_t>(at));
    default:
      CHECK(false, "weights cannot be {}", Name(scalar));
      return 0;
  }
}

void EncodeBlock(const float* x, uint8_t* out) {
  float amax = 0;
  for (int64_t i = 0; i < kQuantBlock; ++i) amax = std::max(amax, std::fabs(x[i]));
  const float scale = amax / 127.0f;
  const float inverse = scale != 0 ? 1.0f / scale : 0.0f;
  Write(out, F32ToF16(scale));
  for (int64_t i = 0; i < kQuantBlock; ++i) {
    out[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::round(x[i] * inverse)));
  }
}

Result<std::vector<uint8_t>> Interleave(const Module& module, const Weight& weight,
                                        const TensorBytes& tensor) {
  const int64_t row_bytes = RowBytes(weight.type);
  const int64_t rows = module.weight(weight.sources[0]).type.rows().size;
  const auto ways = static_cast<int64_t>(weight.sources.size());
  std::vector<uint8_t> bytes(static_cast<size_t>(FileBytes(weight.type)), 0);
  for (int64_t way = 0; way < ways; ++way) {
    ASSIGN_OR_RETURN(const std::vector<uint8_t> source, DerivedBytes(module, weight.sources[way], tensor));
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t to = (row / weight.granule * ways + way) * weight.granule + row % weight.granule;
      std::memcpy(bytes.data() + to * row_bytes, source.data() + row * row_bytes, row_bytes);
    }
  }
  return bytes;
}

std::vector<uint8_t> RopeTable(const Weight& weight) {
  const int64_t positions = weight.type.rows().size, head_dim = weight.type.columns(), half = head_dim / 2;
  std::vector<float> table(static_cast<size_t>(positions * head_dim));
  for (int64_t p = 0; p < positions; ++p) {
    for (int64_t i = 0; i < half; ++i) {
      const double frequency =
          std::pow(weight.factor, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
      const double angle = static_cast<double>(p) * frequency;
      table[p * head_dim + i] = static_cast<float>(std::cos(angle));
      table[p * head_dim + half + i] = static_cast<float>(std::sin(angle));
    }
  }
  return Encode(weight.type, table);
}

// Packs one panel from `count` <= 16 rows of the weight in file order.
void PackPanel(const Weight& weight, const uint8_t* rows, int64_t count, uint8_t* out) {
  const int64_t k = weight.type.columns(), row_bytes = RowBytes(weight.type), pack = weight.pack;
  if (weight.type.scalar != Scalar::kQ8_0) {
    const int64_t size = Bits(weight.type.scalar) / 8;
    for (int64_t i = 0; i < k; ++i) {
      for (int64_t c = 0; c < count; ++c)
        std::memcpy(out + (i * kPanel + c) * size, rows + c * row_bytes + i * size, size);
    }
    return;
  }
  uint8_t* const scales = out + k * kPanel;
  const uint8_t bias = pack == 4 ? 128 : 0;
  for (int64_t c = 0; c < kPanel; ++c) {
    for (int64_t i = 0; i < k; ++i) {
      const uint8_t* const block = rows + c * row_bytes + i / kQuantBlock * kBlockBytes;
      const uint8_t w = c < count ? block[2 + i % kQuantBlock] : uint8_t{0};
      // w + 128 modulo 256, on the bits of the two's complement.
      out[(i / pack * kPanel + c) * pack + i % pack] = static_cast<uint8_t>(w + bias);
    }
    for (int64_t b = 0; c < count && b < k / kQuantBlock; ++b) {
      std::memcpy(scales + (b * kPanel + c) * 2, rows + c * row_bytes + b * kBlockBytes, 2);
    }
  }
}

}  // namespace

int64_t FileBytes(const Type& type) { return type.rows().size * RowBytes(type); }

std::vector<double> Dequantize(const Type& type, std::span<const uint8_t> bytes) {
  CHECK(static_cast<int64_t>(bytes.size()) == FileBytes(type), "{} bytes for {}", bytes.size(),
        ToString(type));
  std::vector<double> values(static_cast<size_t>(type.rows().size * type.columns()));
  for (size_t i = 0; i < values.size(); ++i) {
    if (type.scalar == Scalar::kQ8_0) {
      const uint8_t* const block = bytes.data() + i / kQuantBlock * kBlockBytes;
      const auto w = static_cast<int8_t>(block[2 + i % kQuantBlock]);
      values[i] = static_cast<double>(F16ToF32(Read<uint16_t>(block))) * w;
    } else {
      values[i] = ReadFloat(type.scalar, bytes.data() + i * Bits(type.scalar) / 8);
    }
  }
  return values;
}

std::vector<uint8_t> Encode(const Type& type, std::span<const float> values) {
  CHECK(static_cast<int64_t>(values.size()) == type.rows().size * type.columns(), "{} values for {}",
        values.size(), ToString(type));
  std::vector<uint8_t> bytes(static_cast<size_t>(FileBytes(type)));
  const size_t step = type.scalar == Scalar::kQ8_0 ? kQuantBlock : 1;
  for (size_t i = 0; i < values.size(); i += step) {
    switch (type.scalar) {
      case Scalar::kF32:
        Write(&bytes[4 * i], values[i]);
        break;
      case Scalar::kF16:
        Write(&bytes[2 * i], F32ToF16(values[i]));
        break;
      case Scalar::kBF16:
        Write(&bytes[2 * i], F32ToBF16(values[i]));
        break;
      case Scalar::kQ8_0:
        EncodeBlock(&values[i], &bytes[i / kQuantBlock * kBlockBytes]);
        break;
      default:
        CHECK(false, "weights cannot be {}", Name(type.scalar));
    }
  }
  return bytes;
}

Result<std::vector<uint8_t>> DerivedBytes(const Module& module, WeightId id, const TensorBytes& tensor) {
  const Weight& weight = module.weight(id);
  if (FileBytes(weight.type) > kMaxBytes) {
    return Err("weight @{}: {} bytes (at most {})", weight.name, FileBytes(weight.type), kMaxBytes);
  }
  switch (weight.def) {
    case Weight::Def::kTensor: {
      ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, tensor(module, id));
      if (static_cast<int64_t>(bytes.size()) != FileBytes(weight.type)) {
        return Err("weight @{}: {} bytes, expected {} for {}", weight.name, bytes.size(),
                   FileBytes(weight.type), ToString(weight.type));
      }
      return bytes;
    }
    case Weight::Def::kConcat: {
      std::vector<uint8_t> bytes;
      for (const WeightId source : weight.sources) {
        ASSIGN_OR_RETURN(const std::vector<uint8_t> part, DerivedBytes(module, source, tensor));
        bytes.insert(bytes.end(), part.begin(), part.end());
      }
      return bytes;
    }
    case Weight::Def::kInterleave:
      return Interleave(module, weight, tensor);
    case Weight::Def::kScale: {
      double factor = 1;
      WeightId from = id;
      for (; module.weight(from).def == Weight::Def::kScale; from = module.weight(from).sources[0])
        factor *= module.weight(from).factor;
      ASSIGN_OR_RETURN(const std::vector<uint8_t> source, DerivedBytes(module, from, tensor));
      const std::vector<double> values = Dequantize(weight.type, source);
      std::vector<float> scaled;
      for (const double value : values) scaled.push_back(static_cast<float>(value * factor));
      return Encode(weight.type, scaled);
    }
    case Weight::Def::kRopeTable:
      return RopeTable(weight);
  }
  return Err("weight @{}: no such definition", weight.name);
}

std::vector<uint8_t> PackedBytes(const Weight& weight, std::span<const uint8_t> bytes) {
  CHECK(static_cast<int64_t>(bytes.size()) == FileBytes(weight.type), "@{}: {} bytes", weight.name,
        bytes.size());
  std::vector<uint8_t> packed(bytes.begin(), bytes.end());
  if (weight.type.rank == 1)
    packed.resize(static_cast<size_t>(RoundUp(packed.size(), kPanel * sizeof(float))), 0);
  if (weight.pack == 0) return packed;

  const int64_t k = weight.type.columns(), rows = weight.type.rows().size, row_bytes = RowBytes(weight.type);
  const bool quantised = weight.type.scalar == Scalar::kQ8_0;
  const int64_t content =
      quantised ? k * kPanel + k / kQuantBlock * kPanel * 2 : k * kPanel * Bits(weight.type.scalar) / 8;
  const int64_t panel_bytes = RoundUp(content, 64);
  packed.clear();
  for (int64_t unit = 0; unit < rows; unit += weight.unit) {
    const int64_t end = std::min(unit + weight.unit, rows);
    for (int64_t row = unit; row < end; row += kPanel) {
      packed.resize(packed.size() + panel_bytes, 0);
      PackPanel(weight, bytes.data() + row * row_bytes, std::min(kPanel, end - row),
                packed.data() + packed.size() - panel_bytes);
    }
  }
  return packed;
}

WeightSource WeightsFromTensors(TensorBytes tensor) {
  WeightSource source;
  source.floats = [tensor](const Module& module, WeightId id) -> Result<std::vector<double>> {
    ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, DerivedBytes(module, id, tensor));
    return Dequantize(module.weight(id).type, bytes);
  };
  source.bytes = [tensor = std::move(tensor)](const Module& module,
                                              WeightId id) -> Result<std::vector<uint8_t>> {
    ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, DerivedBytes(module, id, tensor));
    return PackedBytes(module.weight(id), bytes);
  };
  return source;
}

}  // namespace ggufc::ir
