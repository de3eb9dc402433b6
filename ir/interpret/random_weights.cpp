#include "ir/interpret/random_weights.h"

#include <cmath>
#include <numbers>

#include "ir/core/weight_layout.h"

namespace ggufc::ir {
namespace {

// Limits time and memory of runs with random weights.
constexpr int64_t kMaxElements = int64_t{1} << 28;

// SplitMix64 (Steele, Lea, Flood 2014), and normal numbers by Box and Muller's transform.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  double Normal() {
    const double u = (static_cast<double>(Next() >> 11) + 1) * 0x1p-53;  // (0, 1]
    const double v = static_cast<double>(Next() >> 11) * 0x1p-53;
    return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
  }

 private:
  uint64_t state_;
};

// FNV-1a.
uint64_t Hash(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

WeightSource RandomWeights(uint64_t seed) {
  return WeightsFromTensors([seed](const Module& module, WeightId id) -> Result<std::vector<uint8_t>> {
    const Weight& weight = module.weight(id);
    const int64_t elements = weight.type.rows().size * weight.type.columns();
    if (elements > kMaxElements) {
      return Err("weight @{}: {} elements (at most {})", weight.name, elements, kMaxElements);
    }
    Random random(seed ^ Hash(weight.name));
    const bool vector = weight.type.rank == 1;
    const double spread = vector ? 0.1 : 1 / std::sqrt(static_cast<double>(weight.type.columns()));
    std::vector<float> values(static_cast<size_t>(elements));
    for (float& value : values) value = static_cast<float>((vector ? 1 : 0) + spread * random.Normal());
    return Encode(weight.type, values);
  });
}

}  // namespace ggufc::ir
