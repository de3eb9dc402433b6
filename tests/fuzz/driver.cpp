// Runs a fuzz target without libFuzzer, so that the targets run in every build: every file of the corpus unchanged, then
// `--runs` inputs made from them by random changes, which depend on the seed. It does not measure coverage. An input that
// ends the process is saved as crash-NAME in the working directory.
//
//   fuzz_gguf [--runs N] [--seconds S] [--seed X] [--max-bytes B] [--dict FILE]... FILE_OR_FOLDER...
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "fuzz_target.h"

namespace {

namespace fs = std::filesystem;

struct Options {
  uint64_t runs = 2000;
  double seconds = 1e9;
  uint64_t seed = 1;
  size_t max_bytes = 1 << 16;
  std::vector<std::string> dictionaries;
  std::vector<std::string> inputs;
};

// The current input, which the signal handler saves.
const uint8_t* current_data = nullptr;
size_t current_size = 0;
char crash_path[512];

void SaveInput(int signal) {
  const int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd >= 0) {
    static_cast<void>(!write(fd, current_data, current_size));
    close(fd);
  }
  static constexpr char kMessage[] = "fuzz driver: the failing input was saved as crash-*\n";
  static_cast<void>(!write(STDERR_FILENO, kMessage, sizeof kMessage - 1));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void Run(const std::string& input) {
  // An allocation of exactly this size, so that a sanitizer detects reads past the end.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  current_data = bytes.data();
  current_size = bytes.size();
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<std::string> ReadCorpus(const std::vector<std::string>& inputs) {
  std::vector<fs::path> paths;
  for (const std::string& input : inputs) {
    if (!fs::is_directory(input)) {
      paths.emplace_back(input);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(input)) {
      if (entry.is_regular_file()) paths.push_back(entry.path());
    }
  }
  std::ranges::sort(paths);
  std::vector<std::string> corpus;
  for (const fs::path& path : paths) corpus.push_back(ReadAll(path));
  return corpus;
}

// The words of a dictionary in libFuzzer's format: one quoted word per line, with the escapes \xNN and \"; a name before the
// word is ignored.
std::vector<std::string> ReadDictionary(const std::string& path) {
  std::vector<std::string> words;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t begin = line.find('"'), end = line.rfind('"');
    if (begin == std::string::npos || end <= begin) continue;
    std::string word;
    for (size_t i = begin + 1; i < end; ++i) {
      if (line[i] != '\\' || i + 1 >= end) {
        word += line[i];
      } else if (line[i + 1] == 'x' && i + 3 < end) {
        word += static_cast<char>(std::stoi(line.substr(i + 2, 2), nullptr, 16));
        i += 3;
      } else {
        word += line[++i];
      }
    }
    words.push_back(word);
  }
  return words;
}

class Mutator {
 public:
  Mutator(const Options& options, const std::vector<std::string>& corpus)
      : corpus_(corpus), max_bytes_(options.max_bytes), random_(options.seed) {
    for (const std::string& path : options.dictionaries) {
      for (std::string& word : ReadDictionary(path)) words_.push_back(std::move(word));
    }
  }

  std::string Next() {
    std::string input = corpus_.empty() ? std::string() : corpus_[Below(corpus_.size())];
    for (uint64_t changes = 1 + Below(6); changes > 0; --changes) Change(input);
    if (input.size() > max_bytes_) input.resize(max_bytes_);
    return input;
  }

 private:
  size_t Below(size_t limit) { return limit == 0 ? 0 : static_cast<size_t>(random_() % limit); }

  void Change(std::string& input) {
    const size_t at = Below(input.size() + 1);
    switch (Below(10)) {
      case 0:
        input.resize(at);
        return;
      case 1:  // a part of another input
      {
        if (corpus_.empty()) return;
        const std::string& other = corpus_[Below(corpus_.size())];
        const size_t from = Below(other.size() + 1);
        input.insert(at, other, from, Below(256));
        return;
      }
      case 2:
        input.erase(at, 1 + Below(32));
        return;
      case 3:  // a part of the same input
        input.insert(at, input.substr(Below(input.size() + 1), Below(64)));
        return;
      case 4:
        if (words_.empty()) return;
        input.insert(at, words_[Below(words_.size())]);
        return;
      case 5:
        if (words_.empty()) return;
        input.replace(at, words_[Below(words_.size())].size(), words_[Below(words_.size())]);
        return;
      case 6: {
        static constexpr uint64_t kNumbers[] = {
            0,     1,     31,         32,         33,         64,         127,       255,   256,       32767,
            65535, 65536, 0x7fffffff, 0xffffffff, 1ull << 32, 1ull << 40, INT64_MAX, ~0ull, ~0ull - 31};
        const uint64_t number = kNumbers[Below(std::size(kNumbers))];
        const size_t width = size_t{1} << Below(4);
        input.replace(at, width, std::string(reinterpret_cast<const char*>(&number), width));
        return;
      }
      default:
        if (at == input.size()) return;
        input[at] = static_cast<char>(Below(2) != 0 ? random_()
                                                    : static_cast<uint64_t>(input[at]) ^ (1u << Below(8)));
    }
  }

  const std::vector<std::string>& corpus_;
  std::vector<std::string> words_;
  size_t max_bytes_;
  std::mt19937_64 random_;
};

bool ReadOptions(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (!flag.starts_with("--")) {
      options.inputs.push_back(flag);
      continue;
    }
    if (++i == argc) return false;
    const char* const value = argv[i];
    if (flag == "--runs") {
      options.runs = std::strtoull(value, nullptr, 10);
    } else if (flag == "--seconds") {
      options.seconds = std::strtod(value, nullptr);
    } else if (flag == "--seed") {
      options.seed = std::strtoull(value, nullptr, 10);
    } else if (flag == "--max-bytes") {
      options.max_bytes = std::strtoull(value, nullptr, 10);
    } else if (flag == "--dict") {
      options.dictionaries.emplace_back(value);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!ReadOptions(argc, argv, options)) {
    std::fprintf(
        stderr,
        "usage: %s [--runs N] [--seconds S] [--seed X] [--max-bytes B] [--dict FILE]... FILE_OR_FOLDER...\n",
        argv[0]);
    return 2;
  }
  std::snprintf(crash_path, sizeof crash_path, "crash-%s", fs::path(argv[0]).filename().c_str());
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) std::signal(signal, SaveInput);

  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const std::vector<std::string> corpus = ReadCorpus(options.inputs);
  double slowest = 0;
  const auto timed = [&](const std::string& input) {
    const double before = elapsed();
    Run(input);
    slowest = std::max(slowest, elapsed() - before);
  };
  timed({});
  for (const std::string& input : corpus) timed(input);
  Mutator mutator(options, corpus);
  uint64_t runs = 0;
  while (runs < options.runs && elapsed() < options.seconds) {
    timed(mutator.Next());
    ++runs;
  }
  std::printf("%zu files, then %llu changed inputs (seed %llu) in %.1f s, the slowest took %.3f s\n",
              corpus.size(), static_cast<unsigned long long>(runs),
              static_cast<unsigned long long>(options.seed), elapsed(), slowest);
  return 0;
}
