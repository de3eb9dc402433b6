// What passes need to know of a target; codegen/target.cpp holds the table that these rows come from.
#pragma once

#include <cstdint>
#include <string>

#include "ir/core/types.h"

namespace ggufc::ir {

struct TargetInfo {
  std::string name = "generic";
  int rows = 6;  // rows of a micro-kernel's register tile; it is 16 columns wide
  bool sums_in_registers =
      false;               // the f32 sums of an integer tile live in registers beside the i32 accumulators
  bool fused_dot = false;  // a dot's multiplier adds to the accumulator (VNNI), not another instruction
  int pack_q16 = 2, pack_q8 = 2, pack_q7 = 2;  // consecutive k that lie together in a weight panel
  bool seven_bit_dot = false;  // q7 with pack 4 uses dot_u8s7 (vpmaddubsw) rather than dot_u8s8
  int seven_bit_rows = 5;      // rows of its tile, which needs a register more
  int row_block = 48;          // rows of activations that one pass over the weights serves

  int Rows(Scalar activation) const {
    return activation == Scalar::kQ7 && seven_bit_dot ? seven_bit_rows : rows;
  }
  int Pack(Scalar activation) const {
    return activation == Scalar::kQ16 ? pack_q16 : activation == Scalar::kQ8 ? pack_q8 : pack_q7;
  }
};

}  // namespace ggufc::ir
