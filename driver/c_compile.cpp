// ggufc_compile (runtime/api/ggufc_compiler.h) over ModelOpener: arguments are checked, everything else is done there.
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "codegen/target.h"
#include "driver/model_opener.h"
#include "runtime/api/c_api.h"
#include "runtime/api/ggufc_compiler.h"

namespace ggufc::driver {
namespace {

constexpr uint32_t kKnownFlags = GGUFC_COMPILE_NO_CACHE | GGUFC_COMPILE_NO_NORMALIZE;

// The one place of the library where the environment is read; not by a program with more rights than its user.
std::string CacheFolderOfUser() {
  return DefaultCacheFolder(secure_getenv("XDG_CACHE_HOME"), secure_getenv("HOME"));
}

Result<ModelOpenerOptions> ReadOpenOptions(const ggufc_compile_options& options) {
  if ((options.flags & ~kKnownFlags) != 0) {
    return Err("ggufc_compile_options.flags: {:#x} is not known", options.flags & ~kKnownFlags);
  }
  if (options.dims < 0) return Err("ggufc_compile_options.dims is {}", options.dims);
  ModelOpenerOptions open;
  ASSIGN_OR_RETURN(open.compile.target,
                   codegen::FindTarget(options.target != nullptr ? options.target : "native"));
  ASSIGN_OR_RETURN(open.compile.activations,
                   ParseActivations(options.activations != nullptr ? options.activations : "i16"));
  open.compile.dims = options.dims;
  open.compile.normalize = (options.flags & GGUFC_COMPILE_NO_NORMALIZE) == 0;
  open.hash_file = true;  // a handle has a fingerprint, and can be verified
  if (options.cache_bytes != 0) open.cache_bytes = options.cache_bytes;
  if (options.cache_folder != nullptr && *options.cache_folder != '/') {
    return Err("ggufc_compile_options.cache_folder is no absolute path");
  }
  if ((options.flags & GGUFC_COMPILE_NO_CACHE) != 0) return open;
  open.cache_folder = options.cache_folder != nullptr ? options.cache_folder : CacheFolderOfUser();
  return open;
}

Result<ggufc_model*> OpenModel(const char* path, const ggufc_compile_options* given) {
  if (path == nullptr || *path == '\0') return Err("model_path is {}", path == nullptr ? "NULL" : "empty");
  ASSIGN_OR_RETURN(const auto options, runtime::ReadOptions(given, "ggufc_compile_options"));
  ASSIGN_OR_RETURN(ModelOpenerOptions open, ReadOpenOptions(options));
  runtime::ExecutorOptions executor;
  executor.threads = options.threads;
  if (options.chunk_tokens != 0) executor.chunk_tokens = options.chunk_tokens;
  ASSIGN_OR_RETURN(const std::unique_ptr<ModelOpener> opened,
                   WithKind(ErrorKind::kBadFile, ModelOpener::Open(path, std::move(open))));
  // The handle takes texts.
  RETURN_IF_ERROR(WithKind(ErrorKind::kBadFile, opened->tokenizer().map([](auto&&) {})));
  if (options.dims > opened->full_dims()) {
    return Err("ggufc_compile_options.dims is {} (a vector of {} has {})", options.dims, path,
               opened->full_dims());
  }
  auto model = std::make_unique<ggufc_model>();
  ASSIGN_OR_RETURN(model->embedder, opened->MakeEmbedder(executor));
  return model.release();
}

}  // namespace
}  // namespace ggufc::driver

extern "C" ggufc_status ggufc_compile(const char* model_path, const ggufc_compile_options* options,
                                      ggufc_model** model) {
  return ggufc::runtime::Guard([&]() -> ggufc::Status {
    if (model == nullptr) return ggufc::Err("model is NULL");
    *model = nullptr;
    ASSIGN_OR_RETURN(*model, ggufc::driver::OpenModel(model_path, options));
    return {};
  });
}
