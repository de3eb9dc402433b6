// The subcommands of ggufc. Each takes the arguments behind its name and returns the exit status.
#pragma once

#include "tools/io/console.h"

namespace ggufc::tools {

int RunEmbed(const Arguments& arguments);
int RunCache(const Arguments& arguments);
int RunTokenize(const Arguments& arguments);
int RunInspect(const Arguments& arguments);
int RunDump(const Arguments& arguments);
int RunBench(const Arguments& arguments);
int RunCompile(const Arguments& arguments);
int RunSynth(const Arguments& arguments);
int RunVerify(const Arguments& arguments);

}  // namespace ggufc::tools
