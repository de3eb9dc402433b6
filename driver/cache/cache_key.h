// The key of a cache entry: the model file's contents, the options, this compiler and this machine. Compilations with equal
// keys give equal bytes. A rebuilt compiler has different keys.
#pragma once

#include <string>

#include "driver/compile.h"
#include "support/hash.h"
#include "support/result.h"

namespace ggufc::driver {

struct CacheKey {
  std::string text;  // the whole key as readable text

  std::string FileName() const;  // the file name of the entry (CacheFile::kEntry)
};

// The version and the linker's build ids (.note.gnu.build-id) of LLVM and of the program or library that contains this
// compiler. Two builds of one version can generate different code, so it is an error if a build id is missing: such a
// compiler must not use a cache.
Result<std::string> CompilerIdentity();

// `options.target` must not be null.
CacheKey MakeCacheKey(const Hash128& contents, const CompileOptions& options, const std::string& compiler);

}  // namespace ggufc::driver
