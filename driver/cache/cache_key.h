// What an entry of the cache is the result of: the model file's contents, the options, this compiler, this machine. Two
// compilations with equal keys give equal bytes, and a compiler that was built anew has other keys than before.
#pragma once

#include <string>

#include "driver/compile.h"
#include "support/hash.h"
#include "support/result.h"

namespace ggufc::driver {

struct CacheKey {
  std::string text;  // all of it, for people and for comparison

  std::string FileName() const;  // as CacheFile::kEntry says
};

// The version and, of the program or shared library that holds this compiler and of LLVM, the build id that the linker
// wrote (.note.gnu.build-id). Two compilers of one version can give different code. An error where there is no
// build id: such a compiler cannot be told from others, and must not use a cache.
Result<std::string> CompilerIdentity();

// `options.target` is not null.
CacheKey MakeCacheKey(const Hash128& contents, const CompileOptions& options, const std::string& compiler);

}  // namespace ggufc::driver
