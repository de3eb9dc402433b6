#include "driver/cache/cache_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <utility>

namespace ggufc::driver {
namespace {

constexpr std::string_view kTemporarySuffix = ".tmp";
constexpr mode_t kOwnerOnly = 0700;
constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;

Status CheckPrivate(const std::string& path, uint32_t owner, uint32_t mode) {
  if (owner != geteuid()) {
    return Err(ErrorKind::kIo, "{}: belongs to user {}, not to user {}", path, owner, geteuid());
  }
  if ((mode & kWritableByOthers) != 0) {
    return Err(ErrorKind::kIo, "{}: others may write to it (permissions {:o})", path, mode & 07777);
  }
  return {};
}

bool IsHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsHexWithSuffix(std::string_view name, size_t digits, std::string_view suffix) {
  return name.size() == digits + suffix.size() && name.ends_with(suffix) &&
         std::ranges::all_of(name.substr(0, digits), IsHex);
}

// `name` without its suffix ".PROCESS-ATTEMPT.tmp"; empty if it has no such suffix.
std::string_view WithoutTemporarySuffix(std::string_view name) {
  const auto drop_number = [&](char before) {
    const size_t end = name.size();
    while (!name.empty() && IsDigit(name.back())) name.remove_suffix(1);
    if (name.size() == end || !name.ends_with(before)) return false;
    name.remove_suffix(1);
    return true;
  };
  if (!name.ends_with(kTemporarySuffix)) return {};
  name.remove_suffix(kTemporarySuffix.size());
  return drop_number('-') && drop_number('.') ? name : std::string_view();
}

// Creates the folder and its parents. It succeeds too if another process creates them at the same time.
Status MakeFolders(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (mkdir(part.c_str(), kOwnerOnly) != 0 && errno != EEXIST) {
      const int error = errno;
      // Some file systems report another error (such as a read-only file system) for a parent that exists.
      if (access(part.c_str(), F_OK) != 0) {
        return Err(ErrorKind::kIo, "{}: cannot create: {}", part, std::strerror(error));
      }
    }
    if (end == std::string::npos) return {};
  }
}

}  // namespace

std::string DefaultCacheFolder(const char* xdg_cache_home, const char* home) {
  // The XDG base directory specification: a path that is not absolute counts as not set.
  if (xdg_cache_home != nullptr && *xdg_cache_home == '/') return std::string(xdg_cache_home) + "/ggufc";
  if (home != nullptr && *home == '/') return std::string(home) + "/.cache/ggufc";
  return {};
}

std::optional<CacheFile> CacheFileOf(std::string_view name) {
  if (IsHexWithSuffix(name, kEntryDigits, kEntrySuffix)) return CacheFile::kEntry;
  if (IsHexWithSuffix(name, kMemoDigits, kMemoSuffix)) return CacheFile::kMemo;
  const std::string_view written = WithoutTemporarySuffix(name);
  if (IsHexWithSuffix(written, kEntryDigits, kEntrySuffix) ||
      IsHexWithSuffix(written, kMemoDigits, kMemoSuffix)) {
    return CacheFile::kTemporary;
  }
  return std::nullopt;
}

Result<CacheFolder> CacheFolder::Open(const std::string& path) {
  RETURN_IF_ERROR(MakeFolders(path));
  CacheFolder folder(path);
  RETURN_IF_ERROR(folder.CheckOwner());
  return folder;
}

Result<std::optional<CacheFolder>> CacheFolder::OpenExisting(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) return std::nullopt;
  CacheFolder folder(path);
  RETURN_IF_ERROR(folder.CheckOwner());
  return folder;
}

Status CacheFolder::CheckOwner() const {
  struct stat info = {};
  if (stat(path_.c_str(), &info) != 0) {
    return Err(ErrorKind::kIo, "{}: cannot open: {}", path_, std::strerror(errno));
  }
  if (!S_ISDIR(info.st_mode)) return Err(ErrorKind::kIo, "{}: not a folder", path_);
  return CheckPrivate(path_, info.st_uid, info.st_mode);
}

std::string CacheFolder::PathOf(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

Result<std::optional<MappedFile>> CacheFolder::Read(std::string_view name) const {
  const std::string path = PathOf(name);
  if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) return std::nullopt;
  ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
  // Check the open file, because the name may refer to another file by now.
  RETURN_IF_ERROR(CheckPrivate(path, file.identity().owner, file.identity().mode));
  return file;
}

Result<OutputFile> CacheFolder::Write(std::string_view name) const {
  // OutputFile keeps the permissions of an existing file and follows links, so remove a file that is not private.
  const std::string path = PathOf(name);
  struct stat info = {};
  if (lstat(path.c_str(), &info) == 0 &&
      (!S_ISREG(info.st_mode) || !CheckPrivate(path, info.st_uid, info.st_mode))) {
    Remove(name);
  }
  return OutputFile::Create(path, {.permissions = 0600});
}

// Sets an explicit time: the kernel's file times advance in steps of milliseconds, and a small model can be stored and used
// within one step.
void CacheFolder::MarkUsed(std::string_view name) const {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  const timespec times[] = {now, now};
  // On failure the file only counts as less recently used.
  utimensat(AT_FDCWD, PathOf(name).c_str(), times, 0);
}

void CacheFolder::Remove(std::string_view name) const { unlink(PathOf(name).c_str()); }

Result<std::vector<CacheFolder::File>> CacheFolder::Files(CacheFile kind) const {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path_.c_str()), &closedir);
  if (!folder) return Err(ErrorKind::kIo, "{}: cannot read: {}", path_, std::strerror(errno));
  std::vector<File> files;
  while (const dirent* const entry = readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    struct stat info = {};
    if (CacheFileOf(name) != kind ||
        fstatat(dirfd(folder.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        S_ISDIR(info.st_mode)) {
      continue;
    }
    const FileIdentity file = IdentityOf(info);
    files.push_back({std::string(name), file.bytes, file.modified});
  }
  std::ranges::sort(files, {},
                    [](const File& file) { return std::pair(file.used, std::string_view(file.name)); });
  return files;
}

Status CacheFolder::Trim(uint64_t limit, std::string_view keep) const {
  ASSIGN_OR_RETURN(const std::vector<File> entries, Files(CacheFile::kEntry));
  uint64_t bytes = 0;
  for (const File& file : entries) bytes += file.bytes;
  for (const File& file : entries) {
    if (bytes <= limit) break;
    if (file.name == keep) continue;
    Remove(file.name);
    bytes -= file.bytes;
  }
  ASSIGN_OR_RETURN(const std::vector<File> memos, Files(CacheFile::kMemo));
  for (size_t i = 0; i + kMaxMemos < memos.size(); ++i) Remove(memos[i].name);
  ASSIGN_OR_RETURN(const std::vector<File> temporaries, Files(CacheFile::kTemporary));
  for (const File& file : temporaries) {
    if (file.used / 1'000'000'000 + kStaleSeconds < std::time(nullptr)) Remove(file.name);
  }
  return {};
}

Result<CacheFolder::Removed> CacheFolder::Clear() const {
  Removed removed;
  for (const CacheFile kind : {CacheFile::kEntry, CacheFile::kMemo, CacheFile::kTemporary}) {
    ASSIGN_OR_RETURN(const std::vector<File> files, Files(kind));
    for (const File& file : files) {
      const std::string path = PathOf(file.name);
      if (unlink(path.c_str()) != 0) {
        if (errno == ENOENT) continue;
        return Err(ErrorKind::kIo, "{}: cannot remove: {}", path, std::strerror(errno));
      }
      removed.bytes += file.bytes;
      if (kind == CacheFile::kEntry) ++removed.entries;
    }
  }
  return removed;
}

}  // namespace ggufc::driver
