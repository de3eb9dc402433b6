#include "tools/input/document_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "support/text.h"

namespace ggufc::tools {
namespace {

using Json = nlohmann::json;

// The first two are used, the others are what the output calls its own.
constexpr std::string_view kNotKept[] = {"text", "ids", "index", "tokens", "dropped", "embedding", "error"};

std::string Spelled(const std::string& string) {
  return Json(string).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The events of the JSON parser. What is wrong with the object is remembered, and reported if the rest of the line turns
// out to be JSON.
class DocumentReader final : public nlohmann::json_sax<Json> {
 public:
  explicit DocumentReader(Document& document) : document_(document) {}

  bool kept_is_whole(bool is_json) const { return is_json && !too_deep_ && !bad_keys_; }

  Status Finish(bool is_json, const std::string& line) {
    if (too_deep_) return Err("values are nested deeper than {} levels", kMaxJsonDepth);
    if (!is_json) return Err("not valid JSON: {}", Quoted(line));
    if (!error_.message.empty()) return tl::unexpected<Error>(std::move(error_));
    const bool text = keys_.contains("text"), ids = keys_.contains("ids");
    if (text != ids) return {};
    return Err("the object has {} `text` and `ids`; one of them is expected", text ? "both" : "neither");
  }

  bool null() override { return Scalar("null", "null"); }
  bool boolean(bool value) override { return Scalar("boolean", value ? "true" : "false"); }
  bool number_integer(int64_t value) override { return Scalar("number", fmt::format("{}", value)); }
  bool number_float(double, const std::string& spelling) override { return Scalar("number", spelling); }
  bool number_unsigned(uint64_t value) override {
    if (role_ == Role::kIds && depth_ == 2 && value <= INT32_MAX) {
      document_.ids.push_back(static_cast<int32_t>(value));
      return true;
    }
    return Scalar("number", fmt::format("{}", value));
  }
  bool string(std::string& value) override {
    if (role_ == Role::kText && depth_ == 1) {
      document_.has_text = true;
      document_.text = std::move(value);
      return true;
    }
    return Scalar("string", role_ == Role::kKept ? Spelled(value) : Quoted(value));
  }
  bool binary(Json::binary_t&) override { return false; }  // not in text

  bool start_object(size_t) override { return Open("object", '{'); }
  bool end_object() override { return Close('}'); }
  bool start_array(size_t) override { return Open("array", '['); }
  bool end_array() override { return Close(']'); }

  bool key(std::string& key) override {
    if (depth_ == 1) {
      const bool is_new = !keys_.contains(key);
      if (is_new && keys_.size() == kMaxJsonKeys) Fail("more than {} keys", kMaxJsonKeys);
      if (!is_new) Fail("key {} appears twice", Quoted(key));
      bad_keys_ |= !is_new || keys_.size() == kMaxJsonKeys;
      if (keys_.size() < kMaxJsonKeys) keys_.insert(key);
      const bool kept = std::ranges::find(kNotKept, key) == std::end(kNotKept);
      role_ = kept ? Role::kKept : key == "text" ? Role::kText : key == "ids" ? Role::kIds : Role::kDropped;
    }
    if (role_ == Role::kKept) {
      Separate();
      document_.kept += Spelled(key);
      document_.kept += ':';
      separate_ = false;
    }
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  // What the value is for that stands under a key of the object.
  enum class Role : uint8_t { kNone, kText, kIds, kKept, kDropped };

  template <typename... Args>
  void Fail(fmt::format_string<Args...> format, Args&&... args) {
    if (error_.message.empty()) error_.message = fmt::format(format, std::forward<Args>(args)...);
  }

  // Whether a value of this type may stand here; `spelling` goes into the message.
  void CheckValue(std::string_view type, std::string_view spelling) {
    if (depth_ == 0) {
      if (type != "object") Fail("a JSON object with `text` or `ids` is expected, not {}", type);
    } else if (role_ == Role::kText) {
      if (depth_ == 1) Fail("`text` is of type {} (a string is expected)", type);
    } else if (role_ == Role::kIds && depth_ == 1) {
      if (type != "array") Fail("`ids` is of type {} (an array of integers is expected)", type);
    } else if (role_ == Role::kIds) {
      Fail("`ids`: element {} is {} (a token id is expected)", document_.ids.size(), spelling);
    }
  }

  bool Scalar(std::string_view type, std::string_view spelling) {
    CheckValue(type, spelling);
    if (role_ == Role::kKept) {
      Separate();
      document_.kept += spelling;
      separate_ = true;
    }
    return true;
  }

  bool Open(std::string_view type, char bracket) {
    CheckValue(type, type);
    if (role_ == Role::kKept) {
      Separate();
      document_.kept += bracket;
      separate_ = false;
    }
    too_deep_ = ++depth_ > kMaxJsonDepth;
    return !too_deep_;
  }

  bool Close(char bracket) {
    --depth_;
    if (role_ == Role::kKept && depth_ > 0) {
      document_.kept += bracket;
      separate_ = true;
    }
    return true;
  }

  void Separate() {
    if (separate_) document_.kept += ',';
  }

  Document& document_;
  int depth_ = 0;  // open objects and arrays
  Role role_ = Role::kNone;
  bool separate_ = false;  // a comma is due before what comes next in `kept`
  bool too_deep_ = false;
  bool bad_keys_ = false;                 // too many, or one twice
  std::unordered_set<std::string> keys_;  // of the object itself
  Error error_;
};

}  // namespace

Status ParseDocument(const std::string& line, Document& document) {
  DocumentReader reader(document);
  const bool is_json = Json::sax_parse(line, &reader);
  Status status = reader.Finish(is_json, line);
  if (status) return {};
  if (!reader.kept_is_whole(is_json)) document.kept.clear();
  document.has_text = false;
  document.text.clear();
  document.ids.clear();
  return status;
}

}  // namespace ggufc::tools
