// Opens a model that was compiled ahead of time: its code, which the linker put into this process (code.h), and its
// weights, an image (image.h) that lies in the object too or in a file of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/api/code.h"
#include "runtime/api/embedder.h"
#include "runtime/sys/cpu_features.h"
#include "support/result.h"

namespace ggufc::runtime {

struct OpenOptions {
  std::string weights_path;  // empty: the embedded image, else the first of WeightsPlaces() that is there
  std::string target;        // empty or "native": the last target that this machine runs
  bool check_all = false;    // compare all bytes of the image with their hashes now
  ExecutorOptions executor;
};

// `code` and what it points to must outlive the embedder. Checked are magic, version, counts and null pointers of the
// struct, all of the image and program, and that they are of one model and one layout of weights. Errors are of the
// kind that says what a caller can do about it.
Result<std::unique_ptr<Embedder>> OpenCode(const ggufc_code& code, const OpenOptions& options);

// The target of that name, or the last one whose features are all among `host`. The error says for each target
// what is missing.
Result<const ggufc_code_target*> ChooseTarget(const ggufc_code& code, std::string_view name,
                                              CpuFeatures host);

// Where the weights of `code` are looked for: NAME.weights beside the shared library or program that contains it, then
// in the working directory.
std::vector<std::string> WeightsPlaces(const ggufc_code& code);

}  // namespace ggufc::runtime
