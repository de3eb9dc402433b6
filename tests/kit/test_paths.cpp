#include "test_paths.h"

namespace ggufc {

std::string DataPath(const std::string& name) { return SourcePath("tests/data/" + name); }
std::string SourcePath(const std::string& name) { return GGUFC_SOURCE_DIR "/" + name; }
std::string BuildPath(const std::string& name) { return GGUFC_BUILD_DIR "/" + name; }
std::string GgufcBinary() { return BuildPath("bin/ggufc"); }
std::string GgufcOptBinary() { return BuildPath("bin/ggufc-opt"); }
std::string CallerObject() { return GGUFC_CALLER; }
std::string AbiModule() { return GGUFC_ABI_MODULE; }

}  // namespace ggufc
