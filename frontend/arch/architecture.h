// Imports a model file as graph IR, by the architecture that the file names.
//
// An architecture is one file with two functions: the first reads and checks the metadata and the tensor list, the second
// builds the graph. architecture.cpp has the table of architectures. Hparams have been checked against the file, so
// building the graph does not fail because of the file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/gguf/gguf_reader.h"
#include "ir/core/module.h"
#include "ir/interpret/interpreter.h"
#include "support/result.h"

namespace ggufc::frontend {

// The hyperparameters of an encoder-only transformer with alternating local and global attention.
struct Hparams {
  std::string architecture;  // "gemma-embedding"
  int64_t layers = 0;
  int64_t dim = 0;  // width of the residual stream
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t ffn = 0;
  int64_t window = 0;        // local layers: token i attends to j if |i - j| <= window / 2
  int64_t global_every = 0;  // layer i is global if i % global_every == global_every - 1
  int64_t context_length = 0;
  int64_t vocab = 0;
  double rms_eps = 0;
  double rope_theta_global = 0;
  double rope_theta_local = 0;
  int64_t dense_hidden = 0;           // width between the two dense modules; 0: no dense modules
  int64_t output_dim = 0;             // size of a full embedding
  std::vector<std::string> warnings;  // about an accepted file, without the path
  // The first tensor that the model uses and whose type is not supported, with its type. `inspect` shows such a file;
  // ImportModel refuses it. Empty: there is none.
  std::string unsupported;

  bool IsGlobal(int64_t layer) const { return layer % global_every == global_every - 1; }
  double ThetaOf(int64_t layer) const { return IsGlobal(layer) ? rope_theta_global : rope_theta_local; }
};

struct ImportOptions {
  int64_t dims = 0;       // truncate embeddings to this size; 0: full size
  bool normalize = true;  // scale to length 1, after truncation
};

// Errors: a file of another kind than a model (an adapter, a projector), an unknown architecture, a missing key or tensor, a value outside its limits, a tensor of the wrong
// shape. The message names file, key or tensor, value and limit.
Result<Hparams> ReadHparams(const GgufFile& file);

// `config` is the result of ReadHparams for `file`. The module is at the graph stage and passes Verify; its weights have
// the names of the file's tensors. Errors: config.unsupported; dims above config.output_dim.
Result<ir::Module> ImportModel(const GgufFile& file, const Hparams& config,
                               const ImportOptions& options = {});

// The file's tensors as weights of a module imported from it, for the interpreter. `file` must outlive the result.
ir::WeightSource FileWeights(const GgufFile& file);

}  // namespace ggufc::frontend
