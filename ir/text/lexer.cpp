#include "ir/text/lexer.h"

#include <cctype>

#include "support/text.h"

namespace ggufc::ir {
namespace {

// Maximum bytes per token. It also bounds the length of messages.
constexpr size_t kMaxToken = 4096;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsWordChar(char c) { return IsLetter(c) || IsDigit(c); }
bool IsNameChar(char c) { return IsWordChar(c) || c == '.' || c == '-'; }

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string Describe(const Token& token) {
  switch (token.kind) {
    case Token::Kind::kEnd:
      return "the end of the text";
    case Token::Kind::kValue:
      return fmt::format("`%{}`", token.text);
    case Token::Kind::kSymbol:
      return fmt::format("`@{}`", token.text);
    default:
      return fmt::format("`{}`", token.text);
  }
}

std::string Lexer::Place(const Token& token) const {
  return fmt::format("{}:{}:{}", file_, token.line, token.column);
}

void Lexer::Advance() {
  if (text_[at_] == '\n') {
    ++line_;
    column_ = 1;
  } else {
    ++column_;
  }
  ++at_;
}

void Lexer::SkipBlanks() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '/' && Peek(1) == '/') {
      while (at_ < text_.size() && text_[at_] != '\n') Advance();
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      Advance();
    } else {
      return;
    }
  }
}

template <typename Accept>
std::string Lexer::TakeWhile(Accept accept) {
  const size_t begin = at_;
  while (at_ < text_.size() && accept(text_[at_])) Advance();
  return std::string(text_.substr(begin, at_ - begin));
}

Result<std::string> Lexer::TakeQuoted(const Token& start) {
  std::string name;
  Advance();
  while (Peek() != '"') {
    if (at_ >= text_.size() || Peek() == '\n') return Err("{}: expected a closing quote", Place(start));
    if (Peek() != '\\') {
      name += Peek();
      Advance();
      continue;
    }
    Advance();
    if (Peek() == '"' || Peek() == '\\') {
      name += Peek();
      Advance();
    } else if (Peek() == 'x' && HexDigit(Peek(1)) >= 0 && HexDigit(Peek(2)) >= 0) {
      name += static_cast<char>(HexDigit(Peek(1)) * 16 + HexDigit(Peek(2)));
      for (int i = 0; i < 3; ++i) Advance();
    } else {
      return Err("{}: expected \\\\, \\\" or \\xNN after a backslash", Place(start));
    }
  }
  Advance();
  if (const std::string fault = NameFault(name); !fault.empty()) {
    return Err("{}: expected a name without control characters: {}", Place(start), fault);
  }
  return name;
}

Result<Token> Lexer::Next() {
  SkipBlanks();
  Token token;
  token.line = line_;
  token.column = column_;
  if (at_ >= text_.size()) return token;
  const char c = Peek();
  if (IsLetter(c)) {
    token.kind = Token::Kind::kWord;
    token.text = TakeWhile(IsWordChar);
  } else if (IsDigit(c) || (c == '-' && (IsDigit(Peek(1)) || IsLetter(Peek(1))))) {
    token.kind = Token::Kind::kNumber;
    char before = c;
    token.text = c;
    Advance();
    token.text += TakeWhile([&](char next) {
      const bool sign = (next == '-' || next == '+') && (before == 'e' || before == 'E');
      before = next;
      return sign || IsWordChar(next) || next == '.';
    });
  } else if (c == '%' || c == '@') {
    token.kind = c == '%' ? Token::Kind::kValue : Token::Kind::kSymbol;
    Advance();
    if (c == '@' && Peek() == '"') {
      ASSIGN_OR_RETURN(token.text, TakeQuoted(token));
    } else {
      token.text = TakeWhile(c == '%' ? IsWordChar : IsNameChar);
      if (token.text.empty()) return Err("{}: expected a name after {}", Place(token), c);
    }
  } else if (c == '-' && Peek(1) == '>') {
    token.kind = Token::Kind::kPunctuation;
    token.text = "->";
    Advance();
    Advance();
  } else if (std::string_view("(){}[],:=").find(c) != std::string_view::npos) {
    token.kind = Token::Kind::kPunctuation;
    token.text = c;
    Advance();
  } else {
    return Err("{}: expected a token, found byte 0x{:02x}", Place(token), static_cast<unsigned char>(c));
  }
  if (token.text.size() > kMaxToken) {
    return Err("{}: the token has {} bytes (at most {})", Place(token), token.text.size(), kMaxToken);
  }
  return token;
}

}  // namespace ggufc::ir
