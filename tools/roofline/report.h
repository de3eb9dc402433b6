// A study as text for people and as JSON for other tools. svg.h draws it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tools/roofline/machine/mca.h"
#include "tools/roofline/study.h"

namespace ggufc::roofline {

// The machine's roofs and ridge points, a table of kernels for each batch, and the floor of its latency.
std::string TextReport(const Study& study);

// One object a batch, in their order: tokens, documents, threads, median_ms, min_ms, max_ms and runs as
// `bench --json` has them (null when nothing was measured), and `roofline`: the machine, the kernels, and the
// floors. Rates are a second; operations are two a multiply-add.
nlohmann::ordered_json JsonReport(const Study& study);

// Multiply-adds a cycle for each micro-kernel and height.
std::string TextReport(const CycleReport& report);
nlohmann::ordered_json JsonReport(const CycleReport& report);

}  // namespace ggufc::roofline
