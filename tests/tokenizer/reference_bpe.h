// The tokenizer's definition written down plainly, in quadratic time and with maps of strings: what the fast
// one must agree with, token by token. Shares no code with it but the types.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/text/tokenizer.h"

namespace ggufc::runtime {

class ReferenceTokenizer {
 public:
  explicit ReferenceTokenizer(const VocabularyView& vocabulary);

  // Without BOS and EOS.
  std::vector<int32_t> Encode(std::string_view text, bool parse_control = true) const;

 private:
  std::vector<std::pair<std::string, int32_t>> Split(const std::string& text, bool control) const;
  void EncodeFragment(const std::string& fragment, std::vector<int32_t>& ids) const;

  std::unordered_map<std::string, int32_t> mergeable_;
  std::unordered_map<std::string, int32_t> added_;  // as they are looked for in the text
  std::map<int, int32_t> bytes_;
  std::vector<float> scores_;
  std::vector<int32_t> types_;
  size_t longest_added_ = 0;
  int32_t unknown_;
  bool add_space_prefix_;
};

// Every space replaced by U+2581.
std::string Marked(std::string_view text);

// The text that the ids stand for, with marks for spaces; byte tokens give their byte.
std::string Spelled(const Tokenizer& tokenizer, const std::vector<int32_t>& ids);

// Up to `max_characters` pieces of text: letters, words, runs of spaces, marks and newlines, markup, random
// code points, and, unless `valid` is set, invalid bytes. Always the same for the same seed.
std::string RandomText(uint64_t seed, size_t max_characters, bool valid = false);

}  // namespace ggufc::runtime
