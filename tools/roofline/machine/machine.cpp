#include "tools/roofline/machine/machine.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <thread>

#include "codegen/jit.h"
#include "codegen/object_emitter.h"
#include "runtime/exec/memory.h"
#include "runtime/exec/thread_pool.h"
#include "runtime/sys/cpu_count.h"
#include "support/check.h"

namespace ggufc::roofline {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMinRuns = 5;
// Long compared with a rendezvous of threads (1 us) and short compared with the time slices of a busy system (3 ms and
// more), so that some runs are not interrupted.
constexpr double kRunSeconds = 0.002;
constexpr int64_t kLeastDramBytes = int64_t{256} << 20, kMostDramBytes = int64_t{1} << 30;

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

int64_t RoundDown(int64_t bytes) { return std::max(bytes / kReadTurn * kReadTurn, kReadTurn); }

// Runs `work` on all threads of the pool at the same time. Returns the seconds from the first start to the last end.
double TimeOnAllThreads(runtime::ThreadPool& pool, const std::function<void(int)>& work) {
  const int threads = pool.threads();
  std::atomic<int> arrived{0};
  std::vector<Clock::time_point> starts(static_cast<size_t>(threads)), ends(starts);
  // Threads wait for each other, so each thread takes exactly one item.
  pool.ForEach(threads, [&](int64_t, int thread) {
    arrived.fetch_add(1);
    while (arrived.load() < threads) std::this_thread::yield();
    starts[static_cast<size_t>(thread)] = Clock::now();
    work(thread);
    ends[static_cast<size_t>(thread)] = Clock::now();
  });
  return Seconds(std::ranges::max(ends) - std::ranges::min(starts));
}

// Iterations per second of all threads of the pool together: the best of as many runs as fit into `seconds`.
double BestRate(runtime::ThreadPool& pool, double seconds, const std::function<void(int, int64_t)>& run) {
  const auto time = [&](int64_t turns) {
    return TimeOnAllThreads(pool, [&](int thread) { run(thread, turns); });
  };
  int64_t turns = 1;
  double last = time(turns);
  while (last < kRunSeconds / 4 && turns < INT64_MAX / 8) last = time(turns *= 4);
  turns = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(turns) * kRunSeconds / last));
  double best = 0, spent = 0;
  for (int i = 0; i < kMinRuns || spent < seconds; ++i) {
    const double elapsed = time(turns);
    spent += elapsed;
    best = std::max(best, static_cast<double>(turns) * pool.threads() / elapsed);
  }
  return best;
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The number of CPUs in a list such as "0-3,8"; 1 if the list is invalid.
int CountList(std::string_view list) {
  int count = 0;
  const char* at = list.data();
  const char* const end = at + list.size();
  while (at < end) {
    int first = 0;
    auto [next, error] = std::from_chars(at, end, first);
    if (error != std::errc()) break;
    int last = first;
    if (next < end && *next == '-') next = std::from_chars(next + 1, end, last).ptr;
    count += std::max(1, last - first + 1);
    at = next < end && *next == ',' ? next + 1 : end;
  }
  return std::max(count, 1);
}

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

// The memory levels to measure, with the bytes that each thread reads.
std::vector<MemoryRoof> Levels(std::vector<Cache> caches, const codegen::Target& target, int threads) {
  if (caches.empty()) caches = {{1, target.caches.l1_data, 1}, {2, target.caches.l2, 1}};
  std::vector<MemoryRoof> levels;
  int64_t inner = 0, all_caches = 0;
  for (const Cache& cache : caches) {
    // Read less than the whole share of a shared cache, because other cores use it too, and more than fits in the inner
    // cache.
    const int64_t instances = (threads + cache.sharing - 1) / cache.sharing;
    const int64_t share = cache.bytes / std::min(cache.sharing, threads);
    const int64_t read = cache.sharing > 1 ? inner + share / 4 : cache.bytes / 4 * 3;
    levels.push_back({fmt::format("L{}", cache.level), cache.bytes * instances, RoundDown(read), {}});
    inner = share;
    all_caches = cache.bytes * instances;
  }
  const int64_t dram = std::clamp(4 * all_caches, kLeastDramBytes, kMostDramBytes);
  levels.push_back({"DRAM", 0, RoundDown(dram / threads), {}});
  return levels;
}

// The machine code of the probes.
class Probes {
 public:
  static Result<Probes> Load(const codegen::Target& target) {
    ASSIGN_OR_RETURN(const ir::Module module, BuildProbes(target));
    ASSIGN_OR_RETURN(const std::vector<uint8_t> object, codegen::EmitObject(module, target));
    ASSIGN_OR_RETURN(codegen::LoadedCode code, codegen::LoadedCode::Load(object));
    return Probes(std::move(code));
  }

  template <typename Fn>
  Result<Fn> Get(const std::string& name) const {
    ASSIGN_OR_RETURN(void* const address, code_.Lookup(name));
    return reinterpret_cast<Fn>(address);
  }

 private:
  explicit Probes(codegen::LoadedCode code) : code_(std::move(code)) {}
  codegen::LoadedCode code_;
};

// The operands of the dot probes: no float is or becomes a denormal, and no two accumulators are equal.
struct alignas(64) ProbeData {
  uint8_t in[kProbeBytes], out[kProbeBytes];
  explicit ProbeData(Arithmetic arithmetic) : in{}, out{} {
    for (size_t i = 0; i < sizeof in / sizeof(float); ++i) {
      const float fraction = 0.5f + static_cast<float>(i) * 0x1p-12f;
      const auto bits = static_cast<uint32_t>(i * 2654435761u);
      const bool floats = arithmetic == Arithmetic::kF32;
      std::memcpy(in + i * sizeof(float), floats ? static_cast<const void*>(&fraction) : &bits,
                  sizeof(float));
    }
  }
};

// Both rates of one roof. `run` gets a thread and a number of iterations; an iteration does `work` units of work.
Rate BothRates(runtime::ThreadPool& one, runtime::ThreadPool& all, double seconds, double work,
               const std::function<void(int, int64_t)>& run) {
  Rate rate;
  rate.one = work * BestRate(one, seconds, run);
  // Several threads are at least as fast as one. A lower measurement means that another process interrupted a thread.
  rate.all = std::max(rate.one, all.threads() > 1 ? work * BestRate(all, seconds, run) : 0);
  return rate;
}

}  // namespace

double Machine::Peak(Arithmetic arithmetic) const {
  const auto roof = std::ranges::find(compute, arithmetic, &ComputeRoof::arithmetic);
  CHECK(roof != compute.end(), "no roof for {}", Name(arithmetic));
  return roof->macs.all;
}

const MemoryRoof& Machine::LevelFor(int64_t bytes) const {
  for (const MemoryRoof& level : memory) {
    if (level.capacity >= bytes) return level;
  }
  return Dram();
}

int64_t Machine::LastCacheBytes() const { return memory.size() > 1 ? memory[memory.size() - 2].capacity : 0; }

std::vector<Cache> ReadCaches(const std::string& folder) {
  std::vector<Cache> caches;
  for (int i = 0;; ++i) {
    const std::string cache_folder = fmt::format("{}/index{}/", folder, i);
    const std::string type = FirstLine(cache_folder + "type"), size = FirstLine(cache_folder + "size");
    const std::string level = FirstLine(cache_folder + "level");
    if (type.empty()) break;
    if (type == "Instruction") continue;
    Cache cache;
    const char* const end = size.data() + size.size();
    const auto [unit, error] = std::from_chars(size.data(), end, cache.bytes);
    const auto level_error = std::from_chars(level.data(), level.data() + level.size(), cache.level).ec;
    if (error != std::errc() || level_error != std::errc() || cache.bytes <= 0 || cache.bytes > (1 << 30))
      continue;
    cache.bytes <<= unit == end ? 0 : *unit == 'K' ? 10 : *unit == 'M' ? 20 : 0;
    cache.sharing = CountList(FirstLine(cache_folder + "shared_cpu_list"));
    caches.push_back(cache);
  }
  std::ranges::stable_sort(caches, {}, &Cache::level);
  return caches;
}

Result<Machine> MeasureMachine(const codegen::Target& target, const MeasureOptions& options) {
  ASSIGN_OR_RETURN(const Probes probes, Probes::Load(target));
  const int wanted = options.threads > 0 ? options.threads : runtime::CpuCount();
  runtime::ThreadPool one(1), all(std::min(wanted, runtime::ThreadPool::kMaxThreads));
  const int threads = all.threads();
  const auto rates = [&](double work, const std::function<void(int, int64_t)>& run) {
    return BothRates(one, all, options.seconds_per_rate, work, run);
  };

  Machine machine;
  machine.cpu = CpuName();
  machine.target = target.name();
  machine.threads = threads;

  ASSIGN_OR_RETURN(const DotProbe chain, probes.Get<DotProbe>("chain"));
  std::vector<ProbeData> data(static_cast<size_t>(threads), ProbeData(Arithmetic::kI16));
  machine.hertz = kChainTurn * BestRate(one, options.seconds_per_rate, [&](int thread, int64_t turns) {
                    chain(turns, data[static_cast<size_t>(thread)].in, data[static_cast<size_t>(thread)].out);
                  });

  for (const Arithmetic arithmetic : kAllArithmetic) {
    if (!Uses(target, arithmetic)) continue;
    ASSIGN_OR_RETURN(const DotProbe dot, probes.Get<DotProbe>(fmt::format("dot.{}", Name(arithmetic))));
    data.assign(static_cast<size_t>(threads), ProbeData(arithmetic));
    const double macs = static_cast<double>(DotTurnMacs(target, arithmetic));
    machine.compute.push_back({arithmetic, rates(macs, [&](int thread, int64_t turns) {
                                 ProbeData& mine = data[static_cast<size_t>(thread)];
                                 dot(turns, mine.in, mine.out);
                               })});
  }

  ASSIGN_OR_RETURN(const ReadProbe read, probes.Get<ReadProbe>("read"));
  machine.memory = Levels(ReadCaches(), target, threads);
  ASSIGN_OR_RETURN(
      const runtime::PageMemory buffer,
      runtime::PageMemory::Allocate(machine.Dram().measured * threads, "memory to measure bandwidth"));
  // Each thread writes its part first, so that its pages are allocated near the thread.
  const auto part = [&](int thread) { return buffer.data() + machine.Dram().measured * thread; };
  TimeOnAllThreads(
      all, [&](int thread) { std::memset(part(thread), 1, static_cast<size_t>(machine.Dram().measured)); });
  for (MemoryRoof& level : machine.memory) {
    level.measured = std::min(level.measured, machine.Dram().measured);
    level.bytes = rates(static_cast<double>(level.measured), [&](int thread, int64_t passes) {
      read(passes, part(thread), level.measured, data[static_cast<size_t>(thread)].out);
    });
  }
  return machine;
}

}  // namespace ggufc::roofline
