// Documents: JSON lines, or plain lines if the first byte is odd.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "fuzz_target.h"
#include "tools/input/documents.h"

namespace {

// A path with the extension .txt, which selects the format of plain lines.
const std::string& PlainName(const std::string& path) {
  static const std::string name = "/tmp/ggufc-fuzz-" + std::to_string(getpid()) + ".txt";
  static const bool linked =
      symlink(path.c_str(), name.c_str()) == 0 && std::atexit([] { unlink(name.c_str()); }) == 0;
  ggufc::fuzz::Require(linked, "a link to a file in memory can be made");
  return name;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ggufc;
  if (size == 0) return 0;
  static fuzz::MemoryFile file;
  const bool plain = (data[0] & 1) != 0;
  file.Write(fuzz::AsText(data + 1, size - 1));
  const std::string& path = plain ? PlainName(file.path()) : file.path();
  Result<std::unique_ptr<tools::DocumentSource>> source = tools::OpenDocuments(path);
  fuzz::Require(source.has_value(), "a file can be opened");
  tools::Document document;
  size_t bytes = 0;
  while (true) {
    const Result<bool> more = (*source)->Next(document);
    fuzz::Require(more.has_value(), "a line that is wrong does not end the file");
    if (!*more) return 0;
    fuzz::RequireMessage(document.where, path + ": line ");
    if (!document.status) {
      fuzz::RequireMessage(document.status.error().message);
      fuzz::Require(!plain, "any text is plain lines");
      fuzz::Require(!document.has_text && document.text.empty() && document.ids.empty(),
                    "what is wrong is empty");
    }
    bytes += document.text.size() + document.ids.size();
    fuzz::Require(bytes <= size, "documents are no larger than their file");
    fuzz::Require(document.has_text || document.text.empty(), "a document without has_text has no text");
    for (const int32_t id : document.ids) fuzz::Require(id >= 0, "ids are not negative");
    if (document.kept.empty()) continue;
    const auto kept = nlohmann::json::parse("{" + document.kept + "}", nullptr, false);
    fuzz::Require(kept.is_object() && !kept.empty(), "the kept keys are JSON");
  }
}
