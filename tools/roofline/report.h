// A study as readable text and as JSON. svg.h draws it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tools/roofline/machine/mca.h"
#include "tools/roofline/study.h"

namespace ggufc::roofline {

// The machine's roofs and ridge points, and for each batch a table of kernels and the floor of its latency.
std::string TextReport(const Study& study);

// One object per batch, in order: tokens, documents, threads, median_ms, min_ms, max_ms and runs as in `bench --json` (null
// if nothing was measured), and `roofline`: the machine, the kernels, and the floors. Rates are per second; a multiply-add
// is two operations.
nlohmann::ordered_json JsonReport(const Study& study);

// Multiply-adds per cycle for each micro-kernel and tile height.
std::string TextReport(const CycleReport& report);
nlohmann::ordered_json JsonReport(const CycleReport& report);

}  // namespace ggufc::roofline
