// The properties of a target that passes use. The table of targets is in codegen/target.cpp.
#pragma once

#include <cstdint>
#include <string>

#include "ir/core/types.h"

namespace ggufc::ir {

struct TargetInfo {
  std::string name = "generic";
  int rows = 6;  // height of a micro-kernel's register tile, which is 16 columns wide
  // An integer tile keeps its f32 sums in registers, beside the i32 accumulators.
  bool sums_in_registers = false;
  bool fused_dot = false;                      // the dot instruction adds to the accumulator (VNNI)
  int pack_q16 = 2, pack_q8 = 2, pack_q7 = 2;  // adjacent k of one column in a weight panel
  bool seven_bit_dot = false;  // q7 with pack 4 uses dot_u8s7 (vpmaddubsw) instead of dot_u8s8
  int seven_bit_rows = 5;      // height of the dot_u8s7 tile, which needs one more register
  int row_block = 48;          // activation rows per pass over the weights

  int Rows(Scalar activation) const {
    return activation == Scalar::kQ7 && seven_bit_dot ? seven_bit_rows : rows;
  }
  int Pack(Scalar activation) const {
    return activation == Scalar::kQ16 ? pack_q16 : activation == Scalar::kQ8 ? pack_q8 : pack_q7;
  }
};

}  // namespace ggufc::ir
