#include "runtime/text/prompts.h"

#include <algorithm>
#include <array>

namespace ggufc::runtime {
namespace {

constexpr std::string_view kNoTitle = "none";

constexpr std::array<Prompt, 9> kPrompts = {{
    {"query", "task: search result | query: ", false},
    {"document", "title: none | text: ", true},
    {"question-answering", "task: question answering | query: ", false},
    {"fact-checking", "task: fact checking | query: ", false},
    {"classification", "task: classification | query: ", false},
    {"clustering", "task: clustering | query: ", false},
    {"sentence-similarity", "task: sentence similarity | query: ", false},
    {"code-retrieval", "task: code retrieval | query: ", false},
    {"summarization", "task: summarization | query: ", false},
}};

struct Alias {
  std::string_view alias;  // in the form that CanonicalForm gives
  std::string_view name;
};

constexpr std::array<Alias, 19> kAliases = {{
    {"search-result", "query"},
    {"search-query", "query"},
    {"retrieval", "query"},
    {"retrieval-query", "query"},
    {"reranking", "query"},
    {"bitextmining", "query"},
    {"passage", "document"},
    {"search-document", "document"},
    {"retrieval-document", "document"},
    {"qa", "question-answering"},
    {"fact-verification", "fact-checking"},
    {"multilabelclassification", "classification"},
    {"sts", "sentence-similarity"},
    {"semantic-similarity", "sentence-similarity"},
    {"pairclassification", "sentence-similarity"},
    {"instructionretrieval", "code-retrieval"},
    {"code", "code-retrieval"},
    {"code-retrieval-query", "code-retrieval"},
    {"summarisation", "summarization"},
}};

std::string CanonicalForm(std::string_view name) {
  std::string form(name);
  std::ranges::transform(form, form.begin(), [](char c) {
    if (c == '_' || c == ' ') return '-';
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return form;
}

}  // namespace

std::span<const Prompt> Prompts() { return kPrompts; }

Result<Prompt> FindPrompt(std::string_view name) {
  const std::string form = CanonicalForm(name);
  const auto alias = std::ranges::find(kAliases, std::string_view(form), &Alias::alias);
  const std::string_view canonical = alias != kAliases.end() ? alias->name : std::string_view(form);
  const auto prompt = std::ranges::find(kPrompts, canonical, &Prompt::name);
  if (prompt != kPrompts.end()) return *prompt;
  std::string known;
  for (const Prompt& p : kPrompts) known += (known.empty() ? "" : ", ") + std::string(p.name);
  return Err("prompt `{}` is not known; the prompts are: {}", name, known);
}

Result<std::string> ApplyPrompt(std::string_view name, std::string_view title, std::string_view text) {
  ASSIGN_OR_RETURN(const Prompt prompt, FindPrompt(name));
  if (!title.empty() && !prompt.takes_title) {
    return Err("prompt `{}` takes no title (the title given is `{}`)", prompt.name, title);
  }
  std::string prompted(prompt.prefix);
  if (!title.empty()) prompted.replace(prompted.find(kNoTitle), kNoTitle.size(), title);
  prompted += text;
  return prompted;
}

}  // namespace ggufc::runtime
