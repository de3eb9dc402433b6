#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "compiler/compile.h"

namespace ggufc::compiler {

// The file is read, not mapped: a mapping would count 300 MB of pages as this process's memory.
Result<std::string> Fingerprint(const Model& model, const CompileOptions& options) {
  const std::string& path = model.file().path();
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  if (!state) return Err("{}: no memory for its fingerprint", path);
  XXH3_128bits_reset(state.get());
  const int64_t dims = options.dims > 0 ? options.dims : model.config().output_dim;
  const std::string settings =
      fmt::format("numerics={} dims={} normalize={} activations={}", kNumericsVersion, dims,
                  options.normalize, ActivationsName(options.activations));
  XXH3_128bits_update(state.get(), settings.data(), settings.size());

  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Err("{}: cannot open: {}", path, std::strerror(errno));
  std::vector<char> buffer(size_t{1} << 20);
  ssize_t count = 0;
  while ((count = read(fd, buffer.data(), buffer.size())) > 0) {
    XXH3_128bits_update(state.get(), buffer.data(), static_cast<size_t>(count));
  }
  const int error = errno;
  close(fd);
  if (count < 0) return Err("{}: cannot read: {}", path, std::strerror(error));
  const XXH128_hash_t hash = XXH3_128bits_digest(state.get());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace ggufc::compiler
