#include "run_ggufc.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace ggufc::testing {
namespace {

// An unnamed temporary file, for the child's standard streams.
class Scratch {
 public:
  Scratch() : file_(std::tmpfile()) {}
  ~Scratch() { std::fclose(file_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  int fd() const { return fileno(file_); }
  std::string Text() const {
    std::string text;
    char piece[65536];
    ssize_t count = 0;
    while ((count = pread(fd(), piece, sizeof piece, static_cast<off_t>(text.size()))) > 0) {
      text.append(piece, static_cast<size_t>(count));
    }
    return text;
  }
  void Fill(std::string_view text) {
    // An empty text may lie nowhere, which fwrite does not take.
    if (!text.empty()) {
      EXPECT_EQ(std::fwrite(text.data(), 1, text.size(), file_), text.size());
    }
    std::fflush(file_);
    lseek(fd(), 0, SEEK_SET);
  }

 private:
  std::FILE* file_;
};

// The programs that tests run have a cache of their own, which goes with the test.
class PrivateCache {
 public:
  PrivateCache() : folder_(::testing::TempDir() + "ggufc-cache-" + std::to_string(getpid())) {
    setenv("XDG_CACHE_HOME", folder_.c_str(), 1);
  }
  ~PrivateCache() {
    std::error_code ignored;
    if (getpid() == owner_) std::filesystem::remove_all(folder_, ignored);
  }
  PrivateCache(const PrivateCache&) = delete;
  PrivateCache& operator=(const PrivateCache&) = delete;

 private:
  const std::string folder_;
  const pid_t owner_ = getpid();
};
const PrivateCache private_cache;

}  // namespace

Outcome RunProgram(const std::string& binary, const std::vector<std::string>& arguments,
                   std::string_view standard_input, Stdout standard_output) {
  Scratch in, out, err;
  in.Fill(standard_input);
  int out_fd = out.fd();
  if (standard_output == Stdout::kFullDevice) out_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (standard_output == Stdout::kClosedPipe) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    out_fd = ends[1];
  }
  std::vector<std::string> owned = arguments;
  owned.insert(owned.begin(), binary);
  std::vector<char*> argv;
  for (std::string& argument : owned) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const pid_t child = fork();
  if (child == 0) {
    dup2(in.fd(), STDIN_FILENO);
    dup2(out_fd, STDOUT_FILENO);
    dup2(err.fd(), STDERR_FILENO);
    execv(binary.c_str(), argv.data());
    _exit(127);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (out_fd != out.fd()) close(out_fd);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out.Text(), err.Text()};
}

Outcome RunGgufc(const std::vector<std::string>& arguments, std::string_view standard_input,
                 Stdout standard_output) {
  return RunProgram(GgufcBinary(), arguments, standard_input, standard_output);
}

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void WriteFile(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(out.good()) << path;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<nlohmann::json> ParseLines(const std::string& text) {
  std::vector<nlohmann::json> values;
  for (const std::string& line : Lines(text)) {
    values.push_back(nlohmann::json::parse(line, nullptr, false));
    EXPECT_FALSE(values.back().is_discarded()) << line;
  }
  return values;
}

void CliTest::SetUp() {
  folder_ = ::testing::TempDir() + "ggufc-cli-" + std::to_string(getpid());
  std::filesystem::create_directories(folder_);
}

void CliTest::TearDown() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::vector<std::string> CliTest::FilesThere() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

}  // namespace ggufc::testing
