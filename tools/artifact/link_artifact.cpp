#include "tools/artifact/link_artifact.h"

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <vector>

#include "support/os/subprocess.h"

namespace ggufc::tools {
namespace {

namespace fs = std::filesystem;

Result<std::string> FindLibrary(Linked kind) {
  std::error_code error;
  fs::path runtime;
  if (const char* given = std::getenv("GGUFC_RUNTIME_LIBRARY"); given != nullptr && *given != '\0') {
    runtime = given;
  } else {
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    runtime = self.parent_path().parent_path() / "lib" / "libggufc_runtime.a";
  }
  const fs::path wanted = kind == Linked::kShared ? runtime : runtime.parent_path() / "libggufc_main.a";
  if (fs::is_regular_file(wanted, error)) return wanted.string();
  return Err(
      ErrorKind::kIo,
      "{}: not found: {} is linked with it (it is installed with ggufc; GGUFC_RUNTIME_LIBRARY says where "
      "libggufc_runtime.a is)",
      wanted.string(), kind == Linked::kShared ? "a shared library" : "an executable");
}

// CC may carry arguments, as in make: "ccache gcc".
std::vector<std::string> CompilerCommand() {
  const char* given = std::getenv("CC");
  std::istringstream words(given != nullptr ? given : "");
  std::vector<std::string> command;
  for (std::string word; words >> word;) command.push_back(word);
  if (command.empty()) command.emplace_back("cc");
  return command;
}

Status Run(const std::vector<std::string>& command) {
  const Result<int> run = RunProgram(command);
  if (!run) {
    return Err(run.error().kind, "{} (a C compiler is needed to link; CC names it)", run.error().message);
  }
  const int status = *run;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Err("'{}' could not link: {} {}", command[0], WIFEXITED(status) ? "exit status" : "signal",
             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

}  // namespace

Status LinkArtifact(Linked kind, const std::string& object, const std::string& name,
                    const std::string& file_name, OutputFile& output) {
  ASSIGN_OR_RETURN(const std::string library, FindLibrary(kind));
  std::vector<std::string> command = CompilerCommand();
  const auto add = [&](std::initializer_list<std::string> words) { command.insert(command.end(), words); };
  if (kind == Linked::kExecutable) {
    add({"-o", output.temporary(), object, library, "-lm", "-lpthread"});
    return Run(command);
  }
  // A temporary file like the others: beside the output, and gone when this returns.
  ASSIGN_OR_RETURN(OutputFile exports, OutputFile::Create(object + ".map"));
  RETURN_IF_ERROR(exports.Write(fmt::format("{{ global: {}_open; ggufc_*; local: *; }};\n", name)));
  RETURN_IF_ERROR(exports.Flush());
  add({"-shared", "-o", output.temporary(), object, "-Wl,--whole-archive", library, "-Wl,--no-whole-archive",
       "-Wl,--version-script=" + exports.temporary(), "-Wl,-soname," + file_name, "-Wl,-Bsymbolic",
       "-Wl,-z,defs", "-lm", "-lpthread"});
  return Run(command);
}

}  // namespace ggufc::tools
