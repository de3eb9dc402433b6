// Names for what a model file holds, and for the vectors that come out of it.
#pragma once

#include <string>

#include "driver/compile.h"
#include "support/hash.h"
#include "support/os/mapped_file.h"
#include "support/result.h"

namespace ggufc::driver {

struct FileContents {
  Hash128 hash;
  FileIdentity file;  // of the file that was read
};
// Reads the whole file once, without mapping it: a mapping would count 300 MB of pages as this process's memory. A file
// that changes meanwhile is an error.
Result<FileContents> HashFile(const std::string& path);

// 32 hex digits over everything that decides an output's bits: the file's bytes, dims, normalisation, activation mode and
// numerics version. `dims`: floats of an embedding.
std::string Fingerprint(const Hash128& contents, int64_t dims, const CompileOptions& options);
// The same from the model's file, which is read for it. An error where its path no longer leads to the file that was
// opened, in the state that it was in.
Result<std::string> Fingerprint(const SourceModel& model, const CompileOptions& options);

}  // namespace ggufc::driver
