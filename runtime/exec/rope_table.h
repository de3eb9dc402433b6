// Rotary position embeddings as a table, so that generated code computes no sines.
#pragma once

#include <cstdint>

namespace ggufc::runtime {

// float[positions][head_dim]: in row p, cos(p * f(i)) for i < head_dim/2, then sin(p * f(i)), with f(i) =
// theta^(-2i/head_dim). The values are computed to 90 bits and rounded once to the nearest float. Only IEEE additions
// and multiplications are used, so the table has the same bits on every machine and with every C library. positions >=
// 0; head_dim > 0 and even; theta in [1, 1e100]. 2048 x 256 takes 2 ms (Zen 5). `table` may be unaligned.
void MakeRopeTable(int64_t positions, int64_t head_dim, double theta, uint8_t* table);

}  // namespace ggufc::runtime
