// Splits IR text into tokens with line and column. Used by the parser only.
//
//   word      add  q8_0  i16x32           letters, digits and underscores; does not start with a digit
//   number    12  -3  1e-06  -inf
//   %name     a value
//   @name     a weight or a function; other UTF-8 names (support/text.h) are quoted: @"odd \"name\""
//   others    ( ) { } [ ] , : = ->
//
// `//` starts a comment that ends at the end of the line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "support/result.h"

namespace ggufc::ir {

struct Token {
  enum class Kind : uint8_t { kWord, kNumber, kValue, kSymbol, kPunctuation, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;  // without % and @, unescaped
  int line = 1;
  int column = 1;

  bool Is(std::string_view punctuation) const { return kind == Kind::kPunctuation && text == punctuation; }
  bool IsWord(std::string_view word) const { return kind == Kind::kWord && text == word; }
};

// A token as messages show it.
std::string Describe(const Token& token);

class Lexer {
 public:
  Lexer(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

  Result<Token> Next();
  // "file:line:column" for messages.
  std::string Place(const Token& token) const;

 private:
  void SkipBlanks();
  void Advance();
  char Peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  template <typename Accept>
  std::string TakeWhile(Accept accept);
  Result<std::string> TakeQuoted(const Token& start);

  std::string_view text_;
  std::string file_;
  size_t at_ = 0;
  int line_ = 1;
  int column_ = 1;
};

}  // namespace ggufc::ir
