#include "tools/input/documents.h"

#include "tools/input/document_json.h"
#include "tools/io/line_reader.h"

namespace ggufc::tools {
namespace {

class ArgumentSource final : public DocumentSource {
 public:
  ArgumentSource(std::vector<std::string> texts, std::vector<std::vector<int32_t>> ids)
      : texts_(std::move(texts)), ids_(std::move(ids)) {}

  Result<bool> Next(Document& document) override {
    const size_t index = next_++;
    if (index >= texts_.size() + ids_.size()) return false;
    document = {};
    document.has_text = index < texts_.size();
    if (document.has_text) {
      document.where = fmt::format("text {}", index + 1);
      document.text = std::move(texts_[index]);
    } else {
      document.where = fmt::format("--ids list {}", index - texts_.size() + 1);
      document.ids = std::move(ids_[index - texts_.size()]);
    }
    return true;
  }

 private:
  std::vector<std::string> texts_;
  std::vector<std::vector<int32_t>> ids_;
  size_t next_ = 0;
};

class FileSource final : public DocumentSource {
 public:
  FileSource(LineReader reader, bool plain) : reader_(std::move(reader)), plain_(plain) {}

  Result<bool> Next(Document& document) override {
    Result<bool> more = reader_.Next(line_);
    const bool too_long = !more && more.error().kind == ErrorKind::kTooLong;
    if (!too_long && (!more || !*more)) return more;
    document = {};
    document.where = fmt::format("{}: line {}", reader_.name(), reader_.line_number());
    if (too_long) {
      document.status = Err("longer than {} bytes", kMaxLineBytes);
    } else if (plain_) {
      if (line_.ends_with('\r')) line_.pop_back();
      document.has_text = true;
      document.text = line_;
    } else {
      document.status = ParseDocument(line_, document);
    }
    return true;
  }

 private:
  LineReader reader_;
  bool plain_;
  std::string line_;
};

}  // namespace

std::unique_ptr<DocumentSource> DocumentsOf(std::vector<std::string> texts,
                                            std::vector<std::vector<int32_t>> ids) {
  return std::make_unique<ArgumentSource>(std::move(texts), std::move(ids));
}

Result<std::unique_ptr<DocumentSource>> OpenDocuments(const std::string& path) {
  ASSIGN_OR_RETURN(LineReader reader, LineReader::Open(path, kMaxLineBytes));
  return std::make_unique<FileSource>(std::move(reader), path.ends_with(".txt"));
}

}  // namespace ggufc::tools
