#include "driver/fingerprint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace ggufc::driver {
namespace {

Result<FileContents> HashOpenFile(int fd, const std::string& path) {
  struct stat before = {}, after = {};
  if (fstat(fd, &before) != 0) return Err(ErrorKind::kIo, "{}: cannot read: {}", path, std::strerror(errno));
  Hash128Stream hash;
  std::vector<uint8_t> buffer(size_t{1} << 20);
  ssize_t count = 0;
  while ((count = read(fd, buffer.data(), buffer.size())) != 0) {
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Err(ErrorKind::kIo, "{}: cannot read: {}", path, std::strerror(errno));
    hash.Update(std::span(buffer).first(static_cast<size_t>(count)));
  }
  if (fstat(fd, &after) != 0 || IdentityOf(before) != IdentityOf(after)) {
    return Err(ErrorKind::kIo, "{}: the file changed while it was read", path);
  }
  return FileContents{hash.Digest(), IdentityOf(after)};
}

}  // namespace

Result<FileContents> HashFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Err(ErrorKind::kIo, "{}: cannot open: {}", path, std::strerror(errno));
  Result<FileContents> contents = HashOpenFile(fd, path);
  close(fd);
  return contents;
}

std::string Fingerprint(const Hash128& contents, int64_t dims, const CompileOptions& options) {
  return HashText128(fmt::format("numerics={} dims={} normalize={} activations={} contents={}",
                                 kNumericsVersion, dims, options.normalize,
                                 ActivationsName(options.activations), contents.Text()))
      .Text();
}

Result<std::string> Fingerprint(const SourceModel& model, const CompileOptions& options) {
  const std::string& path = model.file().path();
  ASSIGN_OR_RETURN(const FileContents contents, HashFile(path));
  // The path may have another file by now; what is compiled is the one that was mapped.
  if (contents.file != model.file().identity()) {
    return Err(ErrorKind::kIo, "{}: the file was replaced or changed while it was compiled", path);
  }
  return Fingerprint(contents.hash, options.dims > 0 ? options.dims : model.config().output_dim, options);
}

}  // namespace ggufc::driver
