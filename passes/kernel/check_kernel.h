// Checks what assign-layouts and tile assume of kernels beyond ir::Verify. The kernels that fuse makes satisfy it;
// hand-written kernels may not.
//
// A kernel
//   * has at most one anchor, returns at least one value, and returns no parameter and no value twice.
//   * computes rows of its domain (in the prologue of a mean_pool: tokens).
//   * has a prologue only before a linear or a mean_pool, and an epilogue only after a linear. Other anchors are
//     returned.
//   * has an epilogue whose ops read weights and one part of the linear's columns each: all columns, one slice, or the
//     ways of a deinterleave. Slices and deinterleaves read the linear's result, and the deinterleaves differ in their
//     way only.
//   * has key_panels and value_panels only in the epilogue of a linear, or where there is no anchor. Panels are
//     returned and not read in the kernel. What an epilogue quantises is returned.
// `forward`
//   * passes panels only to attention that expects these panels.
#pragma once

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::passes {

// The error names the kernel and the op that breaks a rule.
Status CheckKernel(const ir::Function& kernel);

// `laid_out`: after assign-layouts. Attention must then read its keys, and with 16-bit dots its values, from panels.
Status CheckPanels(const ir::Module& module, bool laid_out);

}  // namespace ggufc::passes
