// The subcommands of ggufc. Each takes the arguments behind its name and returns the exit status.
#pragma once

#include <string>
#include <vector>

namespace ggufc::tools {

using Arguments = std::vector<std::string>;

int RunEmbed(const Arguments& arguments);
int RunTokenize(const Arguments& arguments);
int RunInspect(const Arguments& arguments);
int RunDump(const Arguments& arguments);
int RunBench(const Arguments& arguments);
int RunSynth(const Arguments& arguments);

}  // namespace ggufc::tools
