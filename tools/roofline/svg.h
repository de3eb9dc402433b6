// A study as a picture: operations a second over operations a byte, both axes logarithmic, the machine's
// roofs and a point for each kernel and batch.
#pragma once

#include <string>

#include "tools/roofline/study.h"

namespace ggufc::roofline {

// An SVG document of its own, light or dark as the viewer prefers. The study has a machine and was measured.
// A filled point lies at its intensity cold (against DRAM), a hollow one at its intensity warm: kernels
// without weights, and all where the weights stay in the caches. Kernels without multiply-adds have no place
// in it.
std::string DrawSvg(const Study& study);

}  // namespace ggufc::roofline
