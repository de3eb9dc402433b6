// Draws a study: operations per second over operations per byte, both axes logarithmic, with the machine's roofs and one
// point per kernel and batch.
#pragma once

#include <string>

#include "tools/roofline/study.h"

namespace ggufc::roofline {

// A complete SVG document, light or dark as the viewer prefers. The study must have a machine and measured times. Filled
// points are at the cold intensity (against DRAM). Hollow points are at the warm intensity: kernels without weights, and
// all kernels if the weights stay in the caches. Kernels without multiply-adds are not drawn.
std::string DrawSvg(const Study& study);

}  // namespace ggufc::roofline
