// From a model file to graph IR, by the architecture that the file names.
//
// An architecture is one file with two functions: one reads and checks the metadata and the tensor list, one
// builds the graph. architecture.cpp has the table. What a config holds has been checked against the file;
// building the graph from it cannot fail on account of the file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/gguf/gguf_reader.h"
#include "ir/core/module.h"
#include "ir/interpret/interpreter.h"
#include "support/result.h"

namespace ggufc::frontend {

enum class Pooling : uint8_t { kMean };

// The numbers of an encoder-only transformer with alternating local and global attention.
struct Hparams {
  std::string architecture;  // "gemma-embedding"
  int64_t layers = 0;
  int64_t dim = 0;  // width of the residual stream
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
  int64_t ffn = 0;
  int64_t window = 0;        // token i sees token j when |i - j| <= window / 2, on local layers
  int64_t global_every = 0;  // layer i is global when i % global_every == global_every - 1
  int64_t context_length = 0;
  int64_t vocab = 0;
  double rms_eps = 0;
  double rope_theta_global = 0;
  double rope_theta_local = 0;
  int64_t dense_hidden = 0;  // width between the two dense modules; 0: the file has none
  int64_t output_dim = 0;    // of an embedding that is not cut short
  Pooling pooling = Pooling::kMean;
  std::vector<std::string> warnings;  // about a file that is accepted; whole sentences without the path
  // The first tensor that the model uses and whose type is not supported, with its type: such a file can be looked
  // at, but ImportModel refuses it. Empty: there is none.
  std::string unsupported;

  bool IsGlobal(int64_t layer) const { return layer % global_every == global_every - 1; }
  double ThetaOf(int64_t layer) const { return IsGlobal(layer) ? rope_theta_global : rope_theta_local; }
};

struct ImportOptions {
  int64_t dims = 0;       // keep the first dims values of an embedding; 0: all
  bool normalize = true;  // to length 1, after cutting
};

// Errors: a file of another kind than a model (an adapter, a projector), an unknown architecture, a missing key or
// tensor, a value outside its limits, a tensor of another shape; the message names file, key or tensor, value and
// limit.
Result<Hparams> ReadHparams(const GgufFile& file);

// `config` is what ReadHparams said of `file`. The module is at the graph stage and verifies; its weights
// are the file's tensors under their names. Errors: config.unsupported; dims above config.output_dim.
Result<ir::Module> ImportModel(const GgufFile& file, const Hparams& config,
                               const ImportOptions& options = {});

// The file's tensors as the weights of a module made from it, for the interpreter. `file` must outlive the
// result.
ir::WeightSource FileWeights(const GgufFile& file);

}  // namespace ggufc::frontend
