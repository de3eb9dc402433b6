// What assign-layouts and tile assume of kernels, beyond what ir::Verify holds for all of them. Fuse makes kernels such;
// those that are written by hand need not be.
//
// A kernel
//   * has one anchor at most, returns something, and returns no parameter and no value twice.
//   * works on the rows of its domain (the prologue of a mean_pool: on tokens).
//   * has a prologue only before a linear or a mean_pool, and an epilogue only behind a linear; other anchors are returned.
//   * An op of an epilogue works on columns of the linear's result and on weights: on all of the columns, on those of one
//     slice, or on ways of a deinterleave. Slices and deinterleaves are of the linear's result itself, and the deinterleaves
//     are equal but for their way.
//   * Keys and values are put in panels behind a linear, or where there is no anchor. These, and what an epilogue
//     quantises, are returned and not read in the kernel.
// `forward`
//   * passes keys and values in panels to attention alone, which knows them as such.
#pragma once

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::passes {

// An error names the kernel and what it does.
Status CheckKernel(const ir::Function& kernel);

// `laid_out`: attention also reads its keys, and with dots its values, as nothing but panels.
Status CheckPanels(const ir::Module& module, bool laid_out);

}  // namespace ggufc::passes
