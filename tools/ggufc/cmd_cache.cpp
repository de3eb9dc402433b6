// ggufc cache: what the cache has, where it is, and how to get rid of it.
#include <algorithm>
#include <ctime>

#include "driver/cache/cache_entry.h"
#include "driver/cache/cache_folder.h"
#include "support/os/output_file.h"
#include "support/text.h"
#include "tools/ggufc/command_line.h"
#include "tools/io/report.h"

namespace ggufc::tools {
namespace {

using driver::CacheFolder;

constexpr CommandHelp kCacheHelp = {
    "cache", "list|clear|path",
    "ggufc embed keeps what it has compiled, and uses it again for the same contents of a model file, the "
    "same\n"
    "options, CPU and ggufc.\n"
    "  list   what is kept: model, target, activations, size and when it was last used\n"
    "  clear  removes all of it\n"
    "  path   the folder: ggufc below $XDG_CACHE_HOME where that is an absolute path, or else\n"
    "         $HOME/.cache/ggufc\n"
    "When all entries together pass 8 GiB, those that were not used for the longest time go.",
    R"x(Examples:
  ggufc cache list
  ggufc cache clear
  du -sh "$(ggufc cache path)")x"};

// Local time: "2025-06-11 14:05".
std::string TimeText(int64_t nanoseconds) {
  const auto seconds = static_cast<std::time_t>(nanoseconds / 1'000'000'000);
  std::tm parts = {};
  char text[32] = "?";
  if (localtime_r(&seconds, &parts) != nullptr) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
  return text;
}

// Model, target, activations and dims; an entry that does not say so is listed all the same.
std::vector<std::string> Describe(const CacheFolder& folder, const std::string& name) {
  const auto read = [&]() -> Result<std::vector<std::string>> {
    ASSIGN_OR_RETURN(std::optional<MappedFile> file, folder.Read(name));
    if (!file) return Err("it is gone");
    ASSIGN_OR_RETURN(const runtime::Image image, runtime::Image::FromFile(std::move(*file)));
    ASSIGN_OR_RETURN(const driver::EntryInfo entry, driver::ReadEntryInfo(image));
    ASSIGN_OR_RETURN(const auto model, image.Get(runtime::SectionKind::kModel));
    ASSIGN_OR_RETURN(const runtime::ModelCard info, runtime::ParseModelCard(model));
    return std::vector<std::string>{Printable(entry.model), Printable(entry.target),
                                    std::string(runtime::TextOf(info.activations)),
                                    fmt::format("{}", info.dims)};
  };
  Result<std::vector<std::string>> described = read();
  return described ? std::move(*described) : std::vector<std::string>{"(damaged) " + name, "-", "-", "-"};
}

Status List(const std::string& path) {
  ASSIGN_OR_RETURN(const std::optional<CacheFolder> folder, CacheFolder::OpenExisting(path));
  if (!folder) return {};
  ASSIGN_OR_RETURN(std::vector<CacheFolder::File> files, folder->Files(driver::CacheFile::kEntry));
  if (files.empty()) return {};
  std::ranges::reverse(files);
  std::vector<std::vector<std::string>> rows = {
      {"model", "target", "activations", "dims", "bytes", "last used"}};
  for (const CacheFolder::File& file : files) {
    std::vector<std::string>& row = rows.emplace_back(Describe(*folder, file.name));
    row.push_back(Grouped(static_cast<int64_t>(file.bytes)));
    row.push_back(TimeText(file.used));
  }
  return WriteToStdout(Table(rows, ""));
}

Status Clear(const std::string& path) {
  ASSIGN_OR_RETURN(const std::optional<CacheFolder> folder, CacheFolder::OpenExisting(path));
  CacheFolder::Removed removed;
  if (folder) {
    ASSIGN_OR_RETURN(removed, folder->Clear());
  }
  return WriteToStdout(fmt::format("{} {} removed, {} bytes\n", removed.entries,
                                   removed.entries == 1 ? "entry" : "entries",
                                   Grouped(static_cast<int64_t>(removed.bytes))));
}

Status Run(const std::string& action) {
  const std::string path = CacheFolderOfUser();
  if (path.empty()) return Err("there is no cache: neither XDG_CACHE_HOME nor HOME is an absolute path");
  if (action == "list") return List(path);
  if (action == "clear") return Clear(path);
  return WriteToStdout(path + "\n");
}

}  // namespace

int RunCache(const Arguments& arguments) {
  CommandLine line(kCacheHelp);
  std::string action;
  line.app()
      .add_option("ACTION", action, "list, clear or path")
      ->required()
      ->check(OneOf({"list", "clear", "path"}));
  if (const auto status = line.Parse(arguments)) return *status;
  const Status status = Run(action);
  return status ? kGood : Fail(status.error());
}

}  // namespace ggufc::tools
