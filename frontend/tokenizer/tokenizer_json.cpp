#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "frontend/gguf/gguf_format.h"
#include "frontend/tokenizer/token_table.h"
#include "frontend/tokenizer/vocabulary.h"
#include "support/hash.h"
#include "support/os/mapped_file.h"
#include "support/text.h"

namespace ggufc::frontend {
namespace {

using Json = nlohmann::json;

// The file of Gemma's tokenizer has 33 MB and 1.8 million values. Beside its text a value takes up to 100 bytes of memory.
constexpr uint64_t kMaxJsonBytes = 64u << 20;
constexpr size_t kMaxJsonValues = size_t{1} << 22;
constexpr size_t kMaxJsonDepth = 16;

// Checks the whole text for depth, number of values and repeated keys, without building a document. Time is n log n in
// the bytes of the text; memory is 8 bytes per key of the open objects.
class LookThrough final : public nlohmann::json_sax<Json> {
 public:
  bool too_deep() const { return too_deep_; }
  bool too_many() const { return values_ > kMaxJsonValues; }
  bool repeated() const { return repeated_; }

  bool null() override { return Count(); }
  bool boolean(bool) override { return Count(); }
  bool number_integer(int64_t) override { return Count(); }
  bool number_unsigned(uint64_t) override { return Count(); }
  bool number_float(double, const std::string&) override { return Count(); }
  bool string(std::string&) override { return Count(); }
  bool binary(Json::binary_t&) override { return Count(); }
  bool start_object(size_t) override { return Open(); }
  bool start_array(size_t) override { return Open(); }
  bool key(std::string& key) override {
    keys_.push_back(Hash64({reinterpret_cast<const uint8_t*>(key.data()), key.size()}));
    return true;
  }
  // Compares hashes of keys. Two different keys have equal hashes by chance in one of 5e8 vocabularies of Gemma's size; a
  // file made to have such keys may be refused.
  bool end_object() override {
    const auto begin = keys_.begin() + static_cast<std::ptrdiff_t>(open_.back());
    std::sort(begin, keys_.end());
    repeated_ = repeated_ || std::adjacent_find(begin, keys_.end()) != keys_.end();
    keys_.erase(begin, keys_.end());
    return end_array();
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  bool Count() { return ++values_ <= kMaxJsonValues; }
  bool Open() {
    too_deep_ = open_.size() == kMaxJsonDepth;
    open_.push_back(keys_.size());
    return !too_deep_ && Count();
  }

  std::vector<uint64_t> keys_;  // of all objects that are open, the outermost one's first
  std::vector<size_t> open_;    // objects and arrays: where their keys begin
  size_t values_ = 0;
  bool too_deep_ = false, repeated_ = false;
};

class Importer {
 public:
  Importer(const std::string& name, uint64_t vocab) : name_(name), vocab_(vocab) {}

  Result<TokenTable> Run(std::string_view text) {
    if (vocab_ == 0 || vocab_ > kMaxVocabulary) {
      return Err("{}: a vocabulary of {} (1 to {} are allowed)", name_, vocab_, kMaxVocabulary);
    }
    ASSIGN_OR_RETURN(const Json root, Parse(text));
    ASSIGN_OR_RETURN(const Json* model, Member(root, "the file", "model", Json::value_t::object));
    ASSIGN_OR_RETURN(const Json* kind, Member(*model, "model", "type", Json::value_t::string));
    if (*kind != "BPE") return Err("{}: model.type is {} ('BPE' is supported)", name_, Quoted(Text(*kind)));
    ASSIGN_OR_RETURN(const Json* unknown, Member(*model, "model", "unk_token", Json::value_t::string));
    RETURN_IF_ERROR(ReadVocab(*model));
    RETURN_IF_ERROR(ReadMerges(*model));
    RETURN_IF_ERROR(ReadAddedTokens(root));
    RETURN_IF_ERROR(SetSpecials(Text(*unknown)));
    Fill();
    return std::move(table_);
  }

 private:
  static const std::string& Text(const Json& string) { return string.get_ref<const std::string&>(); }

  // LookThrough checks the text before the document is built, because building does not limit depth or number of values.
  Result<Json> Parse(std::string_view text) const {
    LookThrough look;
    const bool is_json = Json::sax_parse(text.begin(), text.end(), &look);
    if (look.too_deep()) return Err("{}: values are nested deeper than {} levels", name_, kMaxJsonDepth);
    if (look.too_many()) return Err("{}: more than {} values", name_, kMaxJsonValues);
    if (!is_json) return Err("{}: not valid JSON", name_);
    if (look.repeated()) return Err("{}: an object has two values for the same key", name_);
    return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  }

  Result<const Json*> Member(const Json& object, std::string_view where, const char* key,
                             Json::value_t type) const {
    if (!object.is_object()) return Err("{}: {} is not an object", name_, where);
    const auto it = object.find(key);
    if (it == object.end()) return Err("{}: {} has no \"{}\"", name_, where, key);
    if (it->type() != type) {
      return Err("{}: \"{}\" of {} is of type {} ({} is expected)", name_, key, where, it->type_name(),
                 Json(type).type_name());
    }
    return &*it;
  }

  Status CheckPiece(std::string_view where, const std::string& piece) const {
    if (!piece.empty() && piece.size() <= kMaxPieceBytes) return {};
    return Err("{}: {}: a piece of {} bytes (1 to {} are allowed)", name_, where, piece.size(),
               kMaxPieceBytes);
  }

  Status ReadVocab(const Json& model) {
    ASSIGN_OR_RETURN(const Json* vocab, Member(model, "model", "vocab", Json::value_t::object));
    if (vocab->size() > vocab_) {
      return Err("{}: model.vocab has {} pieces, the model has room for {}", name_, vocab->size(), vocab_);
    }
    table_.pieces.resize(vocab_);
    table_.scores.assign(vocab_, kUnreachableScore);
    table_.types.assign(vocab_, static_cast<int32_t>(TokenType::kUnused));
    for (const auto& [piece, id] : vocab->items()) {
      RETURN_IF_ERROR(CheckPiece("model.vocab", piece));
      if (!id.is_number_unsigned() || id.get<uint64_t>() >= vocab_) {
        return Err("{}: model.vocab: the id of {} is {} (a number below {} is expected)", name_,
                   Quoted(piece), Dump(id), vocab_);
      }
      const auto index = id.get<uint32_t>();
      if (!table_.pieces[index].empty()) {
        return Err("{}: model.vocab: {} and {} have the same id {}", name_, Quoted(table_.pieces[index]),
                   Quoted(piece), index);
      }
      table_.pieces[index] = piece;
      table_.types[index] = static_cast<int32_t>(ByteOfPiece(piece) ? TokenType::kByte : TokenType::kNormal);
      ids_.emplace(piece, index);
    }
    return {};
  }

  // The value, shortened for a message.
  static std::string Dump(const Json& json) {
    return json.is_primitive() ? json.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 64)
                               : std::string(json.type_name());
  }

  // Accepts the two forms in use: "left right" and ["left", "right"].
  Result<std::string> MergeResult(const Json& merge, size_t rank) const {
    if (merge.is_string()) {
      const std::string& text = Text(merge);
      const size_t space = text.find(' ');
      if (space != std::string::npos && space != 0 && space + 1 < text.size() &&
          text.find(' ', space + 1) == std::string::npos) {
        return text.substr(0, space) + text.substr(space + 1);
      }
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      return Text(merge[0]) + Text(merge[1]);
    }
    return Err("{}: model.merges: element {} is not a pair of pieces", name_, rank);
  }

  Status ReadMerges(const Json& model) {
    ASSIGN_OR_RETURN(const Json* merges, Member(model, "model", "merges", Json::value_t::array));
    // Scores are f32 and must distinguish neighbouring ranks.
    constexpr size_t kMaxMerges = 1u << 24;
    if (merges->size() > kMaxMerges)
      return Err("{}: {} merges (limit {})", name_, merges->size(), kMaxMerges);
    const float no_merge = -static_cast<float>(merges->size());
    for (size_t i = 0; i < table_.pieces.size(); ++i) {
      if (!table_.pieces[i].empty()) table_.scores[i] = no_merge;
    }
    std::vector<bool> made(table_.pieces.size());
    for (size_t rank = 0; rank < merges->size(); ++rank) {
      ASSIGN_OR_RETURN(const std::string piece, MergeResult((*merges)[rank], rank));
      const auto it = ids_.find(piece);
      if (it == ids_.end()) {
        return Err("{}: model.merges: element {} makes {}, which is not in model.vocab", name_, rank,
                   Quoted(piece));
      }
      if (made[it->second]) continue;
      made[it->second] = true;
      table_.scores[it->second] = -static_cast<float>(rank);
    }
    return {};
  }

  Status ReadAddedTokens(const Json& root) {
    if (!root.contains("added_tokens")) return {};
    ASSIGN_OR_RETURN(const Json* added, Member(root, "the file", "added_tokens", Json::value_t::array));
    for (size_t i = 0; i < added->size(); ++i) {
      const Json& token = (*added)[i];
      const std::string where = fmt::format("element {} of added_tokens", i);
      ASSIGN_OR_RETURN(const Json* id, Member(token, where, "id", Json::value_t::number_unsigned));
      ASSIGN_OR_RETURN(const Json* content, Member(token, where, "content", Json::value_t::string));
      ASSIGN_OR_RETURN(const Json* special, Member(token, where, "special", Json::value_t::boolean));
      RETURN_IF_ERROR(CheckPiece(where, Text(*content)));
      if (id->get<uint64_t>() >= vocab_) continue;
      const auto index = id->get<uint32_t>();
      const auto [it, fresh] = ids_.emplace(Text(*content), index);
      if (it->second != index || (fresh && !table_.pieces[index].empty())) {
        return Err("{}: {}: {} has id {}, which model.vocab contradicts", name_, where,
                   Quoted(Text(*content)), index);
      }
      table_.pieces[index] = Text(*content);
      if (special->get<bool>()) {
        table_.types[index] = static_cast<int32_t>(TokenType::kControl);
      } else {
        table_.types[index] = static_cast<int32_t>(TokenType::kUserDefined);
        table_.pieces[index] = PlainSpaces(Text(*content));
      }
    }
    return {};
  }

  static std::string PlainSpaces(std::string_view piece) {
    std::string out;
    while (!piece.empty()) {
      const bool space = piece.starts_with(kSpace);
      out += space ? ' ' : piece[0];
      piece.remove_prefix(space ? kSpace.size() : 1);
    }
    return out;
  }

  Status SetSpecials(const std::string& unknown) {
    ASSIGN_OR_RETURN(table_.unknown, Special(unknown));
    ASSIGN_OR_RETURN(table_.bos, Special("<bos>"));
    ASSIGN_OR_RETURN(table_.eos, Special("<eos>"));
    if (const auto it = ids_.find("<pad>"); it != ids_.end()) table_.padding = it->second;
    table_.types[table_.unknown] = static_cast<int32_t>(TokenType::kUnknown);
    table_.types[table_.bos] = table_.types[table_.eos] = static_cast<int32_t>(TokenType::kControl);
    return {};
  }

  Result<uint32_t> Special(const std::string& piece) const {
    const auto it = ids_.find(piece);
    if (it == ids_.end()) return Err("{}: neither model.vocab nor added_tokens has {}", name_, Quoted(piece));
    return it->second;
  }

  void Fill() {
    for (size_t i = 0, n = 0; i < table_.pieces.size(); ++i) {
      if (!table_.pieces[i].empty()) continue;
      std::string filler;
      do filler = fmt::format("<unused{}>", n++);
      while (ids_.contains(filler));
      table_.pieces[i] = std::move(filler);
    }
  }

  const std::string& name_;
  uint64_t vocab_;
  TokenTable table_;
  std::map<std::string, uint32_t, std::less<>> ids_;  // by the spelling in the JSON
};

}  // namespace

Result<TokenTable> ParseTokenizerJson(const std::string& name, std::string_view text, uint64_t vocab) {
  return Importer(name, vocab).Run(text);
}

Result<TokenTable> ReadTokenizerJson(const std::string& path, uint64_t vocab) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  const auto bytes = file.bytes();
  if (bytes.size() > kMaxJsonBytes) return Err("{}: {} bytes (limit {})", path, bytes.size(), kMaxJsonBytes);
  return ParseTokenizerJson(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, vocab);
}

}  // namespace ggufc::frontend
