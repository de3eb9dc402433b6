// Runs the steps of `ggufc embed` on truncated model files and on files with one changed byte. Each file must be accepted, or
// refused with a message, within bounds of time and memory and without a signal.
//
//   damaged_models [--truncations N] [--flips N] [--compile-every K] [--run-every K] [--seed S] GGUFC MODEL...
//
// --truncations: truncations of each model to random lengths. --flips: changes of one byte in all, distributed over the
// models; half of them are anywhere in the file, half in the header, where most checks are. Each damaged file is tested in a
// forked child process: it is opened, its vocabulary is read, a text is encoded, the program is built and the weights are
// checked. Every K-th file is also compiled and run (--compile-every), and every K-th is given to the program GGUFC
// (--run-every). If a changed weight is so large that the embedding is not finite, the file counts as accepted, although the
// program reports that and exits with 1. The last lines have the totals. Exit status 1 if any file exceeded a bound.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "driver/loaded_program.h"
#include "frontend/gguf/gguf_reader.h"

namespace {

using namespace ggufc;

// The bound of CPU time per file. A file that is also compiled and run may take kTimesUndamaged times as long as the
// undamaged model, because times double if another process uses the same core.
constexpr double kMostSeconds = 1;
constexpr double kTimesUndamaged = 3;
constexpr int64_t kMiB = 1 << 20;

// The bound of peak memory for a file of this size.
int64_t MostMemory(bool accepted, int64_t file_bytes) {
  return (accepted ? 256 : 64) * kMiB + 4 * file_bytes;
}

struct Options {
  uint64_t truncations = 20, flips = 400, compile_every = 100, run_every = 100, seed = 1;
  std::vector<std::string> files;  // the program, then the models
};

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool IsNotFinite(std::string_view message) {
  return message.find("the embedding is not finite") != message.npos;
}

// The steps of `ggufc embed` up to the first error.
Status EmbedSteps(const std::string& path, bool compile) {
  ASSIGN_OR_RETURN(const std::shared_ptr<driver::SourceModel> model, driver::SourceModel::Open(path));
  ASSIGN_OR_RETURN(const runtime::Tokenizer* tokenizer, model->tokenizer());
  std::vector<int32_t> ids;
  RETURN_IF_ERROR(tokenizer->Encode("a text", ids));
  const driver::CompileOptions options;
  if (!compile) return driver::LowerProgram(*model, options).map([](auto&&) {});
  ASSIGN_OR_RETURN(driver::CompiledProgram compiled, driver::CompileProgram(*model, options));
  runtime::ExecutorOptions one_thread;
  one_thread.threads = 1;
  ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Embedder> embedder,
                   driver::MakeEmbedder(model, std::move(compiled), one_thread));
  std::vector<float> embedding(embedder->dims());
  const auto length = static_cast<int32_t>(ids.size());
  return embedder->Run(ids, std::span(&length, 1), embedding.data());
}

constexpr int kNotFinite = 4;

struct Outcome {
  int status = -1;  // exit status (with kNotFinite), or 128 + the signal
  double seconds = 0, cpu_seconds = 0;
  int64_t peak_bytes = 0;
};

Outcome WaitFor(pid_t child, std::chrono::steady_clock::time_point start) {
  Outcome outcome;
  int status = 0;
  rusage usage = {};
  if (wait4(child, &status, 0, &usage) != child) return outcome;
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  outcome.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  outcome.peak_bytes = int64_t{1024} * usage.ru_maxrss;
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

// A signal ends an endless loop. Waiting for a CPU does not count.
void LimitTime() {
  const rlimit limit = {10, 10};
  setrlimit(RLIMIT_CPU, &limit);
}

Outcome InChild(const std::string& path, bool compile) {
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) {
    LimitTime();
    const Status status = EmbedSteps(path, compile);
    _exit(status ? 0 : IsNotFinite(status.error().message) ? kNotFinite : 1);
  }
  return WaitFor(child, start);
}

// ggufc embed PATH "a text" --output /dev/null --threads 1.
Outcome InProgram(const std::string& program, const std::string& path) {
  std::vector<std::string> words = {program,    "embed",     path,        "a text",
                                    "--output", "/dev/null", "--threads", "1"};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string errors = path + ".err";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                   0600);
  const auto start = std::chrono::steady_clock::now();
  pid_t child = 0;
  const int error = posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return {};
  Outcome outcome = WaitFor(child, start);
  if (outcome.status == 1 && IsNotFinite(ReadAll(errors))) outcome.status = kNotFinite;
  unlink(errors.c_str());
  return outcome;
}

// Totals over all files of one kind.
struct Tally {
  uint64_t accepted = 0, refused = 0, exceeded = 0;
  double slowest = 0, slowest_cpu = 0;
  int64_t peak_accepted = 0, peak_refused = 0;

  // Counts one file, and prints it if it exceeded a bound. The bound is on CPU time, because wall time depends on other
  // processes. `undamaged`: CPU seconds of the undamaged model.
  void Add(const Outcome& outcome, int64_t file_bytes, double undamaged, const std::string& what) {
    const bool accepted_one = outcome.status == 0 || outcome.status == kNotFinite;
    ++(accepted_one ? accepted : refused);
    slowest = std::max(slowest, outcome.seconds);
    slowest_cpu = std::max(slowest_cpu, outcome.cpu_seconds);
    int64_t& peak = accepted_one ? peak_accepted : peak_refused;
    peak = std::max(peak, outcome.peak_bytes);
    const bool good_status = accepted_one || outcome.status == 1;
    const double most_seconds =
        accepted_one ? std::max(kMostSeconds, kTimesUndamaged * undamaged) : kMostSeconds;
    if (good_status && outcome.cpu_seconds < most_seconds &&
        outcome.peak_bytes <= MostMemory(accepted_one, file_bytes))
      return;
    ++exceeded;
    std::printf("EXCEEDED %s: status %d, %.2f s, %.2f s of CPU, peak %.1f MiB\n", what.c_str(),
                outcome.status, outcome.seconds, outcome.cpu_seconds,
                static_cast<double>(outcome.peak_bytes) / kMiB);
  }

  void Print(const char* name) const {
    std::printf(
        "%-12s %llu accepted, %llu refused, %llu exceeded a bound; slowest %.3f s (%.3f s of CPU); peak %.1f "
        "MiB "
        "accepted, %.1f MiB refused\n",
        name, static_cast<unsigned long long>(accepted), static_cast<unsigned long long>(refused),
        static_cast<unsigned long long>(exceeded), slowest, slowest_cpu,
        static_cast<double>(peak_accepted) / kMiB, static_cast<double>(peak_refused) / kMiB);
  }
};

class Damage {
 public:
  explicit Damage(const Options& options) : options_(options), random_(options.seed) {
    const char* const folder = std::getenv("TMPDIR");
    path_ = std::string(folder != nullptr ? folder : "/tmp") + "/ggufc-damaged-" + std::to_string(getpid()) +
            ".gguf";
  }
  ~Damage() { unlink(path_.c_str()); }

  // Measures the time of an undamaged model.
  void Measure(const std::string& bytes) {
    Write(bytes);
    undamaged_ = std::max(InChild(path_, true).cpu_seconds, InProgram(options_.files[0], path_).cpu_seconds);
  }

  void Truncate(const std::string& model, const std::string& bytes, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      const size_t length = 1 + Below(bytes.size() - 1);
      Write(bytes.substr(0, length));
      Try(truncations_, model + " truncated to " + std::to_string(length) + " bytes",
          static_cast<int64_t>(length));
    }
  }

  // `header`: number of bytes before the data of the first tensor.
  void Flip(const std::string& model, const std::string& bytes, size_t header, uint64_t count) {
    Write(bytes);
    const int fd = open(path_.c_str(), O_RDWR | O_CLOEXEC);
    for (uint64_t i = 0; i < count; ++i) {
      const size_t at = Below(i % 2 == 0 ? bytes.size() : header);
      const auto value = static_cast<char>(bytes[at] ^ static_cast<char>(1 + Below(255)));
      Put(fd, at, value);
      Try(flips_,
          model + " with byte " + std::to_string(at) + " as " + std::to_string(static_cast<uint8_t>(value)),
          static_cast<int64_t>(bytes.size()));
      Put(fd, at, bytes[at]);
    }
    close(fd);
  }

  uint64_t Report() const {
    truncations_.Print("truncated");
    flips_.Print("changed");
    programs_.Print("by ggufc");
    return truncations_.exceeded + flips_.exceeded + programs_.exceeded;
  }

 private:
  size_t Below(size_t limit) { return static_cast<size_t>(random_() % limit); }

  void Write(std::string_view bytes) {
    std::ofstream out(path_, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!out.good()) Stop("cannot write");
  }
  void Put(int fd, size_t at, char value) {
    if (pwrite(fd, &value, 1, static_cast<off_t>(at)) != 1) Stop("cannot write");
  }
  [[noreturn]] void Stop(const char* what) {
    std::perror((path_ + ": " + what).c_str());
    std::exit(2);
  }

  void Try(Tally& tally, const std::string& what, int64_t file_bytes) {
    const uint64_t number = next_++;
    const bool compile = options_.compile_every != 0 && number % options_.compile_every == 0;
    tally.Add(InChild(path_, compile), file_bytes, compile ? undamaged_ : 0, what);
    if (options_.run_every != 0 && number % options_.run_every == 0)
      programs_.Add(InProgram(options_.files[0], path_), file_bytes, undamaged_, "ggufc embed " + what);
  }

  const Options& options_;
  std::mt19937_64 random_;
  std::string path_;
  uint64_t next_ = 0;
  double undamaged_ = 0;
  Tally truncations_, flips_, programs_;
};

bool ReadOptions(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (!flag.starts_with("--")) {
      options.files.push_back(flag);
      continue;
    }
    uint64_t* const number = flag == "--truncations"     ? &options.truncations
                             : flag == "--flips"         ? &options.flips
                             : flag == "--compile-every" ? &options.compile_every
                             : flag == "--run-every"     ? &options.run_every
                             : flag == "--seed"          ? &options.seed
                                                         : nullptr;
    if (number == nullptr || ++i == argc) return false;
    *number = std::strtoull(argv[i], nullptr, 10);
  }
  return options.files.size() >= 2;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!ReadOptions(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: %s [--truncations N] [--flips N] [--compile-every K] [--run-every K] [--seed S] "
                 "GGUFC MODEL...\n",
                 argv[0]);
    return 2;
  }
  // ggufc caches damaged models like others, so use a cache of our own.
  std::string cache = (std::filesystem::temp_directory_path() / "ggufc-damaged-XXXXXX").string();
  if (mkdtemp(cache.data()) == nullptr || setenv("XDG_CACHE_HOME", cache.c_str(), 1) != 0) {
    std::perror(cache.c_str());
    return 2;
  }
  Damage damage(options);
  const size_t models = options.files.size() - 1;
  for (size_t i = 0; i < models; ++i) {
    const std::string& path = options.files[i + 1];
    const std::string bytes = ReadAll(path), name = path.substr(path.rfind('/') + 1);
    // The undamaged file must open; its tensors give the end of the header.
    const Result<frontend::GgufFile> file = frontend::GgufFile::Open(path);
    if (!file) {
      std::fprintf(stderr, "%s\n", file.error().message.c_str());
      return 2;
    }
    size_t header = bytes.size();
    for (const frontend::Tensor& tensor : file->tensors())
      header = std::min(header, static_cast<size_t>(tensor.data.data() - file->bytes().data()));
    damage.Measure(bytes);
    damage.Truncate(name, bytes, options.truncations);
    damage.Flip(name, bytes, header, options.flips / models + (i < options.flips % models ? 1 : 0));
    std::fflush(stdout);
    std::fprintf(stderr, "damaged_models: %s done, %zu of %zu\n", name.c_str(), i + 1, models);
  }
  const uint64_t exceeded = damage.Report();
  std::error_code ignored;
  std::filesystem::remove_all(cache, ignored);
  std::printf("seed %llu: %llu exceeded a bound\n", static_cast<unsigned long long>(options.seed),
              static_cast<unsigned long long>(exceeded));
  return exceeded == 0 ? 0 : 1;
}
