#include "tools/documents.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "frontend/gguf_format.h"
#include "tools/line_reader.h"

namespace ggufc::tools {
namespace {

using Json = nlohmann::ordered_json;

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
    ASSIGN_OR_RETURN(const bool more, reader_.Next(line_));
    if (!more) return false;
    document = {};
    document.where = fmt::format("{}: line {}", reader_.name(), reader_.line_number());
    if (plain_) {
      if (line_.ends_with('\r')) line_.pop_back();
      document.has_text = true;
      document.text = line_;
    } else {
      RETURN_IF_ERROR(WithContext(document.where, ParseObject(document)));
    }
    return true;
  }

 private:
  Status ParseObject(Document& document) {
    bool too_deep = false;
    // Values that lie too deep are dropped, so that nothing later recurses further than this.
    const auto limit_depth = [&](int depth, Json::parse_event_t, Json&) {
      too_deep = too_deep || depth > kMaxJsonDepth;
      return depth <= kMaxJsonDepth;
    };
    const Json json = Json::parse(line_, limit_depth, /*allow_exceptions=*/false);
    if (too_deep) return Err("values are nested deeper than {} levels", kMaxJsonDepth);
    if (json.is_discarded()) return Err("not valid JSON: {}", frontend::Quoted(line_));
    if (!json.is_object())
      return Err("a JSON object with `text` or `ids` is expected, not {}", json.type_name());
    const auto text = json.find("text");
    const auto ids = json.find("ids");
    if ((text == json.end()) == (ids == json.end())) {
      return Err("the object has {} `text` and `ids`; one of them is expected",
                 text == json.end() ? "neither" : "both");
    }
    if (text != json.end()) {
      if (!text->is_string()) return Err("`text` is of type {} (a string is expected)", text->type_name());
      document.has_text = true;
      document.text = text->get<std::string>();
    } else {
      RETURN_IF_ERROR(TakeIds(*ids, document.ids));
    }
    for (const auto& [key, value] : json.items()) {
      // The first two are used, the others are what the output calls its own.
      if (key == "text" || key == "ids" || key == "index" || key == "tokens" || key == "embedding") continue;
      constexpr auto kReplace = Json::error_handler_t::replace;
      document.kept +=
          fmt::format("{}{}:{}", document.kept.empty() ? "" : ",", Json(key).dump(-1, ' ', false, kReplace),
                      value.dump(-1, ' ', false, kReplace));
    }
    return {};
  }

  static Status TakeIds(const Json& json, std::vector<int32_t>& ids) {
    if (!json.is_array())
      return Err("`ids` is of type {} (an array of integers is expected)", json.type_name());
    for (size_t i = 0; i < json.size(); ++i) {
      const Json& value = json[i];
      // Integers are stored unsigned when they are not negative.
      if (!value.is_number_unsigned() || value.get<uint64_t>() > INT32_MAX) {
        return Err("`ids`: element {} is {} (a token id is expected)", i,
                   value.is_primitive() ? value.dump(-1, ' ', true, Json::error_handler_t::replace)
                                        : value.type_name());
      }
      ids.push_back(static_cast<int32_t>(value.get<uint64_t>()));
    }
    return {};
  }

  LineReader reader_;
  bool plain_;
  std::string line_;
};

}  // namespace

Result<std::vector<int32_t>> ParseIds(const std::string& list) {
  std::vector<int32_t> ids;
  const char* at = list.data();
  const char* const end = at + list.size();
  while (true) {
    int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    if (error != std::errc() || id < 0 || (next != end && *next != ',')) {
      return Err("{} is not a list of token ids like 2,10,1", frontend::Quoted(list));
    }
    ids.push_back(id);
    if (next == end) return ids;
    at = next + 1;
  }
}

std::unique_ptr<DocumentSource> DocumentsOf(std::vector<std::string> texts,
                                            std::vector<std::vector<int32_t>> ids) {
  return std::make_unique<ArgumentSource>(std::move(texts), std::move(ids));
}

Result<std::unique_ptr<DocumentSource>> OpenDocuments(const std::string& path) {
  ASSIGN_OR_RETURN(LineReader reader, LineReader::Open(path, kMaxLineBytes));
  return std::make_unique<FileSource>(std::move(reader), path.ends_with(".txt"));
}

}  // namespace ggufc::tools
