// Makes shared libraries and executables of ahead-of-time models with the system's C compiler, which knows how things are
// linked there.
#pragma once

#include <string>

#include "support/os/output_file.h"
#include "support/result.h"

namespace ggufc::tools {

enum class Linked { kShared, kExecutable };

// Links the object at `object` with the runtime into what `output` holds then; nothing may have been written to it.
// A shared library exports NAME_open and the functions of ggufc.h, and nothing else; `file_name` is what it calls itself.
//
// The linker is ${CC:-cc}. The runtime is libggufc_runtime.a, for an executable libggufc_main.a beside it, in ../lib as
// seen from this program, or where GGUFC_RUNTIME_LIBRARY says libggufc_runtime.a is. The error says what is missing.
Status LinkArtifact(Linked kind, const std::string& object, const std::string& name,
                    const std::string& file_name, OutputFile& output);

}  // namespace ggufc::tools
