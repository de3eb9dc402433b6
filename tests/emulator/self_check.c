// Checks that the emulated CPU has the features that the other programs of this folder assume. Without arguments:
// compares AVX-512 VNNI arithmetic (vpdpbusd, vpdpwssd, and the scaling of a block: f16 scales, convert, fma) with
// plain loops. With `illegal`: executes one vpdpbusd on zmm, which must end in SIGILL (status 132) on a CPU without it.
// Links only libc, statically.
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c,fma"), noinline))

enum { kBytes = 64, kLanes = 16, kRounds = 1000 };

static uint32_t Next(uint32_t* state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

AVX512 static void DotBytes(const uint8_t* a, const int8_t* w, int32_t* sums) {
  __m512i acc = _mm512_loadu_si512(sums);
  acc = _mm512_dpbusd_epi32(acc, _mm512_loadu_si512(a), _mm512_loadu_si512(w));
  _mm512_storeu_si512(sums, acc);
}

// As in a micro-kernel: one group of four activations is broadcast from memory.
AVX512 static void DotBroadcast(const uint8_t* a, const int8_t* w, int32_t* sums) {
  int32_t group;
  memcpy(&group, a, sizeof group);
  __m512i acc = _mm512_loadu_si512(sums);
  acc = _mm512_dpbusd_epi32(acc, _mm512_set1_epi32(group), _mm512_loadu_si512(w));
  _mm512_storeu_si512(sums, acc);
}

AVX512 static void DotWords(const int16_t* a, const int16_t* w, int32_t* sums) {
  __m512i acc = _mm512_loadu_si512(sums);
  acc = _mm512_dpwssd_epi32(acc, _mm512_loadu_si512(a), _mm512_loadu_si512(w));
  _mm512_storeu_si512(sums, acc);
}

// The scaling of a block: sums = fma(float(ints), scale from f16, sums).
AVX512 static void Epilogue(const int32_t* ints, const uint16_t* scales, float* sums) {
  __m512 scale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)scales));
  __m512 value = _mm512_cvtepi32_ps(_mm512_loadu_si512(ints));
  _mm512_storeu_ps(sums, _mm512_fmadd_ps(value, scale, _mm512_loadu_ps(sums)));
}

static int CheckArithmetic(uint32_t seed) {
  uint8_t bytes[kBytes];
  int8_t weights[kBytes];
  int16_t words_a[kBytes / 2], words_w[kBytes / 2];
  int32_t sums[kLanes], expected[kLanes];
  for (int i = 0; i < kBytes; ++i) {
    bytes[i] = (uint8_t)Next(&seed);
    weights[i] = (int8_t)Next(&seed);
  }
  for (int i = 0; i < kBytes / 2; ++i) {
    words_a[i] = (int16_t)Next(&seed);
    words_w[i] = (int16_t)(Next(&seed) % 256 - 128);
  }
  for (int i = 0; i < kLanes; ++i) expected[i] = sums[i] = (int32_t)(Next(&seed) % 1000);

  DotBytes(bytes, weights, sums);
  for (int i = 0; i < kBytes; ++i) expected[i / 4] += bytes[i] * weights[i];
  if (memcmp(sums, expected, sizeof sums)) return puts("vpdpbusd zmm: wrong"), 1;

  DotBroadcast(bytes, weights, sums);
  for (int i = 0; i < kBytes; ++i) expected[i / 4] += bytes[i % 4] * weights[i];
  if (memcmp(sums, expected, sizeof sums)) return puts("vpdpbusd zmm, broadcast: wrong"), 1;

  DotWords(words_a, words_w, sums);
  for (int i = 0; i < kBytes / 2; ++i) expected[i / 2] += words_a[i] * words_w[i];
  if (memcmp(sums, expected, sizeof sums)) return puts("vpdpwssd zmm: wrong"), 1;

  uint16_t scales[kLanes];
  float floats[kLanes], expected_floats[kLanes];
  for (int i = 0; i < kLanes; ++i) {
    int exponent = (int)(Next(&seed) % 30), mantissa = (int)(Next(&seed) % 1024);
    scales[i] = (uint16_t)(exponent << 10 | mantissa);
    double scale = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    floats[i] = (float)Next(&seed) / 1024.0f;
    expected_floats[i] = fmaf((float)sums[i], (float)scale, floats[i]);
  }
  Epilogue(sums, scales, floats);
  if (memcmp(floats, expected_floats, sizeof floats)) return puts("vcvtph2ps, vcvtdq2ps, vfmadd: wrong"), 1;
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "illegal") == 0) {
    uint8_t bytes[kBytes] = {0};
    int8_t weights[kBytes] = {0};
    int32_t sums[kLanes] = {0};
    DotBytes(bytes, weights, sums);
    printf("vpdpbusd zmm executes: %d\n", sums[argc]);
    return 0;
  }
  for (uint32_t seed = 1; seed <= kRounds; ++seed) {
    if (CheckArithmetic(seed)) {
      printf("self-check: seed %u\n", seed);
      return 1;
    }
  }
  printf("self-check: %d rounds, 0 mismatches\n", kRounds);
  return 0;
}
