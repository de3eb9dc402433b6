// Random choices that depend on the seed alone, so that a printed seed gives the same program on every machine. The standard
// library's distributions do not guarantee this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

namespace ggufc::programs {

class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}

  uint64_t Next() { return random_(); }
  int64_t Between(int64_t lo, int64_t hi) {
    return lo + static_cast<int64_t>(random_() % static_cast<uint64_t>(hi - lo + 1));
  }
  size_t Index(size_t size) { return static_cast<size_t>(random_() % size); }
  bool Percent(int64_t percent) { return Between(0, 99) < percent; }
  template <typename T>
  T OneOf(std::initializer_list<T> values) {
    return values.begin()[Index(values.size())];
  }
  template <typename T>
  const T& OneOf(const std::vector<T>& values) {
    return values[Index(values.size())];
  }
  template <typename T>
  void Shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[Index(i)]);
  }

 private:
  std::mt19937_64 random_;
};

// The seed of program `index` of a run. Seeds of neighbouring programs are unrelated (SplitMix64).
inline uint64_t ProgramSeed(uint64_t seed, uint64_t index) {
  uint64_t z = seed * 0x9e3779b97f4a7c15u + (index + 1) * 0xd1342543de82ef95u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

}  // namespace ggufc::programs
