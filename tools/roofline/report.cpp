#include "tools/roofline/report.h"

#include <algorithm>

namespace ggufc::roofline {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

// Formats a table: the first column is left-aligned, the others are right-aligned.
std::string Columns(const std::vector<Row>& rows) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += i == 0 ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("  {:>{}}", row[i], widths[i]);
    }
    line.resize(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string Number(double value, int digits) { return fmt::format("{:.{}f}", value, digits); }
std::string Number(const std::optional<double>& value, int digits) {
  return value ? Number(*value, digits) : "-";
}
double Giga(double value) { return value * 1e-9; }

std::string MachineText(const Machine& machine) {
  std::string out =
      fmt::format("{}, about {:.2f} GHz, code for {}\n\n", machine.cpu, Giga(machine.hertz), machine.target);
  const bool several = machine.threads > 1;
  std::vector<Row> rows = {{"multiply-adds", "GMAC/s", "per cycle"}};
  if (several) rows[0].push_back(fmt::format("{} threads", machine.threads));
  for (const ComputeRoof& roof : machine.compute) {
    rows.push_back(
        {Name(roof.arithmetic), Number(Giga(roof.macs.one), 1), Number(roof.macs.one / machine.hertz, 1)});
    if (several) rows.back().push_back(Number(Giga(roof.macs.all), 1));
  }
  out += Columns(rows) + "\n";
  rows = {{"reading from", "GB/s", "bytes per cycle"}};
  if (several) rows[0].push_back(fmt::format("{} threads", machine.threads));
  for (const MemoryRoof& roof : machine.memory) {
    rows.push_back({roof.name, Number(Giga(roof.bytes.one), 1), Number(roof.bytes.one / machine.hertz, 1)});
    if (several) rows.back().push_back(Number(Giga(roof.bytes.all), 1));
  }
  out += Columns(rows) + "\n";
  // Ridge points: memory bounds kernels with a lower intensity, arithmetic those with a higher one.
  rows = {{fmt::format("ridge, ops/B, {} thread{}", machine.threads, several ? "s" : "")}};
  for (const MemoryRoof& memory : machine.memory) rows[0].push_back(memory.name);
  for (const ComputeRoof& roof : machine.compute) {
    rows.push_back({Name(roof.arithmetic)});
    for (const MemoryRoof& memory : machine.memory) {
      rows.back().push_back(Number(2 * roof.macs.all / memory.bytes.all, 1));
    }
  }
  return out + Columns(rows);
}

std::string BatchText(const Study& study, const BatchResult& batch) {
  const bool measured = !batch.measured.step_seconds.empty();
  const bool roofs = study.machine.has_value();
  std::vector<Row> rows = {{"kernel", "calls", "unit", "Mops", "cold MB", "ops/B", "warm MB", "ops/B"}};
  if (roofs) rows[0].insert(rows[0].end(), {"in", "cold", "warm", "floor ms"});
  if (measured) rows[0].insert(rows[0].end(), {"ms", "GOPS", "GB/s", "% of roof"});
  for (const KernelResult& kernel : batch.kernels) {
    Row row = {kernel.kernel,
               fmt::format("{}", kernel.calls),
               kernel.macs > 0 ? Name(kernel.arithmetic) : "-",
               Number(kernel.ops() * 1e-6, 1),
               Number(static_cast<double>(kernel.weight_bytes) * 1e-6, 2),
               Number(kernel.cold_intensity(), 1),
               Number(static_cast<double>(kernel.cache_bytes) * 1e-6, 2),
               Number(kernel.warm_intensity(), 1)};
    if (roofs) {
      row.push_back(kernel.level);
      row.push_back(kernel.cold_memory_bound() ? "memory" : kernel.macs > 0 ? "compute" : "-");
      row.push_back(kernel.warm_memory_bound() ? "memory" : "compute");
      row.push_back(Number(1e3 * (study.WeightsStayInCache() ? kernel.warm_floor : kernel.cold_floor), 3));
    }
    if (measured && kernel.seconds > 0) {
      row.push_back(Number(1e3 * kernel.seconds, 3));
      row.push_back(Number(Giga(kernel.ops() / kernel.seconds), 1));
      row.push_back(Number(Giga(static_cast<double>(kernel.weight_bytes) / kernel.seconds), 1));
      row.push_back(Number(100 * study.ShareOfRoof(kernel), 0));
    }
    rows.push_back(std::move(row));
  }
  std::string out = fmt::format("{} token{}", batch.tokens, batch.tokens == 1 ? "" : "s");
  if (batch.documents > 1) out += fmt::format(" in {} documents", batch.documents);
  out += fmt::format(": {:.1f} Mops, {:.1f} MB of weights\n", 2e-6 * static_cast<double>(batch.macs),
                     1e-6 * static_cast<double>(batch.weight_bytes));
  out += Columns(rows);
  if (!roofs) return out;
  out += fmt::format("floor {:.3f} ms with weights from DRAM, {:.3f} ms with weights in cache",
                     1e3 * batch.cold_floor, 1e3 * batch.warm_floor);
  if (measured) {
    const double floor = study.WeightsStayInCache() ? batch.warm_floor : batch.cold_floor;
    out += fmt::format("; measured {:.3f} ms, {:.2f} times the floor", batch.measured.median_ms,
                       1e-3 * batch.measured.median_ms / floor);
  }
  return out + "\n";
}

Json Optional(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json RateJson(const Rate& rate) { return {{"one_thread", rate.one}, {"all_threads", rate.all}}; }

Json MachineJson(const Machine& machine) {
  Json compute = Json::object(), memory = Json::object(), ridges = Json::object();
  for (const ComputeRoof& roof : machine.compute) {
    compute[Name(roof.arithmetic)] = {{"macs", RateJson(roof.macs)},
                                      {"macs_a_cycle", roof.macs.one / machine.hertz}};
    for (const MemoryRoof& level : machine.memory) {
      ridges[Name(roof.arithmetic)][level.name] = 2 * roof.macs.all / level.bytes.all;
    }
  }
  for (const MemoryRoof& level : machine.memory) {
    memory[level.name] = {{"bytes", RateJson(level.bytes)},
                          {"bytes_a_cycle", level.bytes.one / machine.hertz},
                          {"capacity", level.capacity},
                          {"read_by_a_thread", level.measured}};
  }
  return {{"cpu", machine.cpu},        {"target", machine.target}, {"threads", machine.threads},
          {"hertz", machine.hertz},    {"compute", compute},       {"memory", memory},
          {"ridge_ops_a_byte", ridges}};
}

Json KernelJson(const Study& study, const KernelResult& kernel) {
  Json json = {{"name", kernel.kernel},
               {"calls", kernel.calls},
               {"arithmetic", kernel.macs > 0 ? Json(Name(kernel.arithmetic)) : Json()},
               {"ops", kernel.ops()},
               {"cold", {{"bytes", kernel.weight_bytes}, {"ops_a_byte", Optional(kernel.cold_intensity())}}},
               {"warm", {{"bytes", kernel.cache_bytes}, {"ops_a_byte", Optional(kernel.warm_intensity())}}}};
  if (study.machine) {
    json["cold"]["bound"] = kernel.cold_memory_bound() ? "memory" : "compute";
    json["cold"]["floor_ms"] = 1e3 * kernel.cold_floor;
    json["warm"]["bound"] = kernel.warm_memory_bound() ? "memory" : "compute";
    json["warm"]["floor_ms"] = 1e3 * kernel.warm_floor;
    json["warm"]["level"] = kernel.level;
  }
  if (kernel.seconds > 0) {
    json["ms"] = 1e3 * kernel.seconds;
    json["ops_a_second"] = kernel.ops() / kernel.seconds;
    json["weight_bytes_a_second"] = static_cast<double>(kernel.weight_bytes) / kernel.seconds;
    json["percent_of_roof"] = 100 * study.ShareOfRoof(kernel);
  }
  return json;
}

}  // namespace

std::string TextReport(const Study& study) {
  std::string out =
      fmt::format("{}: target {}, activations {}, {:.1f} MB of packed weights\n", study.model, study.target,
                  study.activations, 1e-6 * static_cast<double>(study.packed_weight_bytes));
  if (study.machine) {
    out += MachineText(*study.machine);
  } else {
    out += "this machine cannot run the target's code, so nothing was measured\n";
  }
  for (const BatchResult& batch : study.batches) out += fmt::format("\n{}", BatchText(study, batch));
  out +=
      "\nops: two per multiply-add of linears and attention; norms, softmax and quantisation do not count\n"
      "cold: weights from DRAM, the rest in cache; warm: all bytes to and from the cache in column 'in'\n";
  if (study.machine) {
    out += fmt::format(
        "floor: the larger of ops at the peak and {}; %: floor / measured\n",
        study.WeightsStayInCache() ? "bytes at the cache's bandwidth" : "cold bytes at DRAM's bandwidth");
  }
  return out;
}

Json JsonReport(const Study& study) {
  Json all = Json::array();
  for (const BatchResult& batch : study.batches) {
    const Measured& measured = batch.measured;
    const bool timed = measured.runs > 0;
    const auto time = [&](double ms) { return timed ? Json(ms) : Json(); };
    Json kernels = Json::array();
    for (const KernelResult& kernel : batch.kernels) kernels.push_back(KernelJson(study, kernel));
    Json roofline = {{"target", study.target},
                     {"activations", study.activations},
                     {"packed_weight_bytes", study.packed_weight_bytes},
                     {"weights_stay_in_cache", study.WeightsStayInCache()},
                     {"machine", study.machine ? MachineJson(*study.machine) : Json()},
                     {"ops", 2 * static_cast<double>(batch.macs)},
                     {"weight_bytes", batch.weight_bytes},
                     {"kernels", std::move(kernels)}};
    if (study.machine) {
      roofline["cold_floor_ms"] = 1e3 * batch.cold_floor;
      roofline["warm_floor_ms"] = 1e3 * batch.warm_floor;
    }
    all.push_back({{"tokens", batch.tokens},
                   {"documents", batch.documents},
                   {"threads", study.machine ? Json(study.machine->threads) : Json()},
                   {"median_ms", time(measured.median_ms)},
                   {"min_ms", time(measured.min_ms)},
                   {"max_ms", time(measured.max_ms)},
                   {"runs", measured.runs},
                   {"roofline", std::move(roofline)}});
  }
  return all;
}

std::string TextReport(const CycleReport& report) {
  std::string out =
      fmt::format("{} -mcpu={}: multiply-adds per cycle by tile height, with the block epilogue\n",
                  report.tool, report.cpu);
  std::vector<int> heights;
  for (const MicroKernel& kernel : report.kernels) {
    for (const TileCycles& tile : kernel.tiles) heights.push_back(tile.rows);
  }
  std::ranges::sort(heights);
  heights.erase(std::ranges::unique(heights).begin(), heights.end());
  std::vector<Row> rows = {{"micro-kernel"}};
  for (const int height : heights) rows[0].push_back(fmt::format("{}", height));
  rows[0].push_back("epilogue %");
  for (const MicroKernel& kernel : report.kernels) {
    Row row = {kernel.name};
    for (const int height : heights) {
      const auto tile = std::ranges::find(kernel.tiles, height, &TileCycles::rows);
      row.push_back(tile == kernel.tiles.end() ? "-" : Number(tile->MacsPerCycle(), 1));
    }
    const TileCycles& tallest = kernel.tiles.back();
    row.push_back(Number(100 * std::max(0.0, 1 - tallest.inner_cycles / tallest.cycles), 0));
    rows.push_back(std::move(row));
  }
  return out + Columns(rows) + "epilogue %: share of the tallest tile's cycles outside the loop over k\n";
}

Json JsonReport(const CycleReport& report) {
  Json kernels = Json::array();
  for (const MicroKernel& kernel : report.kernels) {
    Json tiles = Json::array();
    for (const TileCycles& tile : kernel.tiles) {
      tiles.push_back({{"rows", tile.rows},
                       {"macs", tile.macs},
                       {"cycles", tile.cycles},
                       {"inner_cycles", tile.inner_cycles},
                       {"macs_a_cycle", tile.MacsPerCycle()}});
    }
    kernels.push_back({{"name", kernel.name}, {"tiles", std::move(tiles)}});
  }
  return {{"tool", report.tool}, {"cpu", report.cpu}, {"micro_kernels", std::move(kernels)}};
}

}  // namespace ggufc::roofline
