#include "artifact_test.h"

#include <sstream>

namespace ggufc::testing {

void ArtifactTest::Compile(const std::string& model, const std::string& out, const Arguments& more) const {
  Arguments arguments = {"compile", model, "-o", File(out)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = RunGgufc(arguments);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

std::string ArtifactTest::Link(const std::string& object) const {
  const std::string program = object + ".program";
  const Outcome linked = RunLinker(
      {CallerObject(), object, BuildPath("lib/libggufc_runtime.a"), "-lm", "-lpthread", "-o", program});
  EXPECT_EQ(linked.status, 0) << linked.err;
  EXPECT_EQ(linked.err, "");
  return program;
}

std::string ArtifactTest::Embed(const std::string& model, const Arguments& documents,
                                const Arguments& more) const {
  constexpr size_t kNpyHeader = 128;
  Arguments arguments = {"embed", model, "--format", "npy", "--output", File("expected.npy")};
  arguments.insert(arguments.end(), more.begin(), more.end());
  Arguments texts = {"--"};
  for (const std::string& document : documents) {
    if (document.starts_with("ids:")) {
      arguments.insert(arguments.end(), {"--ids", document.substr(4)});
    } else {
      texts.push_back(document);
    }
  }
  arguments.insert(arguments.end(), texts.begin(), texts.end());
  const Outcome outcome = RunGgufc(arguments);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return ReadFile(File("expected.npy")).substr(kNpyHeader);
}

Arguments Documents() {
  std::string longer;
  for (int i = 0; i < 12; ++i) longer += "The cat sleeps on the warm roof of the house. ";
  return {"The cat sleeps.",
          "x",
          longer,
          "Žluťoučký kůň \xe2\x9c\x93 <bos> \t 12345",
          "ids:2,300,301,1",
          "ids:7",
          "ids:2,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,1"};
}

Outcome RunLinker(const Arguments& arguments) {
  std::istringstream words(GGUFC_LINKER);
  Arguments all;
  for (std::string word; words >> word;) all.push_back(word);
  const std::string linker = all.front();
  all.erase(all.begin());
  all.insert(all.end(), arguments.begin(), arguments.end());
  return RunProgram(linker, all);
}

}  // namespace ggufc::testing
