#include "runtime/text/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace ggufc::runtime {
namespace {

using testing::HasSubstr;

TEST(Prompts, AreExact) {
  const std::map<std::string_view, std::string> expected = {
      {"query", "task: search result | query: x"},
      {"document", "title: none | text: x"},
      {"question-answering", "task: question answering | query: x"},
      {"fact-checking", "task: fact checking | query: x"},
      {"classification", "task: classification | query: x"},
      {"clustering", "task: clustering | query: x"},
      {"sentence-similarity", "task: sentence similarity | query: x"},
      {"code-retrieval", "task: code retrieval | query: x"},
      {"summarization", "task: summarization | query: x"}};
  EXPECT_EQ(Prompts().size(), expected.size());
  for (const auto& [name, text] : expected) EXPECT_EQ(ApplyPrompt(name, "", "x").value(), text) << name;
}

TEST(Prompts, ATitleReplacesNoneInTheDocumentPromptOnly) {
  EXPECT_EQ(ApplyPrompt("document", "Mars, none better", "none").value(),
            "title: Mars, none better | text: none");
  const auto wrong = ApplyPrompt("query", "Mars", "x");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("`query` takes no title"));
}

TEST(Prompts, NamesOfSentenceTransformersWork) {
  const std::map<std::string_view, std::string_view> expected = {
      {"BitextMining", "query"},
      {"Clustering", "clustering"},
      {"Classification", "classification"},
      {"InstructionRetrieval", "code-retrieval"},
      {"MultilabelClassification", "classification"},
      {"PairClassification", "sentence-similarity"},
      {"Reranking", "query"},
      {"Retrieval", "query"},
      {"Retrieval-query", "query"},
      {"Retrieval-document", "document"},
      {"STS", "sentence-similarity"},
      {"Summarization", "summarization"},
      {"QUERY", "query"},
      {"Question Answering", "question-answering"},
      {"fact_checking", "fact-checking"}};
  for (const auto& [alias, name] : expected) {
    const auto prompt = FindPrompt(alias);
    ASSERT_TRUE(prompt) << prompt.error().message;
    EXPECT_EQ(prompt->name, name) << alias;
  }
}

TEST(Prompts, AnUnknownNameListsAllNames) {
  const auto prompt = FindPrompt("poetry");
  ASSERT_FALSE(prompt);
  EXPECT_THAT(prompt.error().message, HasSubstr("`poetry`"));
  for (const Prompt& known : Prompts())
    EXPECT_THAT(prompt.error().message, HasSubstr(std::string(known.name)));
}

}  // namespace
}  // namespace ggufc::runtime
