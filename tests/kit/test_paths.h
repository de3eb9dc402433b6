// Where a test finds its files. The folders are compiled into test_paths.cpp alone: no other object of the tests depends
// on where the checkout lies, so a compiler cache serves every checkout.
#pragma once

#include <string>

namespace ggufc {

std::string DataPath(const std::string& name);    // in tests/data
std::string SourcePath(const std::string& name);  // from the root of the sources
std::string BuildPath(const std::string& name);   // from the root of the build folder
std::string GgufcBinary();
std::string GgufcOptBinary();
// The object of tests/artifact/caller.c, and the shared library made of tests/abi/module.c.
std::string CallerObject();
std::string AbiModule();

}  // namespace ggufc
