// Identities: of a model file's bytes, which is a key of the cache, and of the vectors that a model gives.
#pragma once

#include <string>
#include <string_view>

#include "driver/compile.h"
#include "support/hash.h"
#include "support/os/mapped_file.h"
#include "support/result.h"

namespace ggufc::driver {

struct FileContents {
  Hash128 hash;       // of all bytes
  FileIdentity file;  // of the file that was read
  Hash128 tensors;    // of the tensors that the model uses, see HashFile; zeros if there was no model

  bool operator==(const FileContents&) const = default;
};

// Reads the whole file once, without mapping it: a mapping would count 300 MB of pages as this process's memory. A file
// that changes while it is read is an error. With `model`, which was opened from the same file, also hashes the tensors of
// its graph: name, type, shape and data of each, by name. The order of tensors, their alignment and tensors that no op
// reads do not change that hash.
Result<FileContents> HashFile(const std::string& path, const SourceModel* model = nullptr);

// The fingerprint of the vectors: 32 hex digits over all that decides their bits, and nothing else: the graph with its
// hyperparameters, pooling, dims and normalisation; the tensors; the tables of the tokenizer; the prompts; the context
// length; the versions of the arithmetic (ir/core/numerics.def); the activation mode, where the model has quantised
// activations. It does not depend on how the file spells them: order of keys, widths of integers, alignment and keys that
// decide nothing are not part of it. A model without a usable tokenizer has a fingerprint, too.
// `numerics` is NumericsOf(model, options), `tensors` is FileContents::tensors.
Result<std::string> Fingerprint(SourceModel& model, const CompileOptions& options, std::string_view numerics,
                                const Hash128& tensors);
// The same from the model's file, which is read for it. An error if its path leads to another file than the one that was
// opened, or the file has changed.
Result<std::string> Fingerprint(SourceModel& model, const CompileOptions& options);

}  // namespace ggufc::driver
