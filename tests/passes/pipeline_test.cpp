// The list of passes as a whole: its order, what it says it changed, and what it refuses.
//
// Most of it is the table of refused IR texts, each whole, so that it can be read and run through ggufc-opt as it
// stands.
#include "passes/pipeline.h"

#include <gtest/gtest.h>

#include <map>

#include "ir/text/printer.h"
#include "ir/verify/verifier.h"
#include "model_text.h"

namespace ggufc::passes {
namespace {

PassContext SmallContext() {
  PassContext context;
  context.context_length = 32;
  return context;
}

// The model before the first pass of each stage.
std::map<ir::Stage, ir::Module> ModelAtEachStage() {
  ir::Module module = BuildModel({});
  std::map<ir::Stage, ir::Module> modules{{module.stage, module}};
  const Status status =
      RunPipeline(module, SmallContext(), [&](const PassReport&, const ir::Module& now) -> Status {
        modules.try_emplace(now.stage, now);
        return {};
      });
  EXPECT_TRUE(status.has_value()) << status.error().message;
  return modules;
}

TEST(PipelineTest, RunsAllPassesInOrder) {
  ir::Module module = BuildModel({});
  std::vector<std::string> ran;
  const Status status =
      RunPipeline(module, SmallContext(), [&](const PassReport& report, const ir::Module& now) -> Status {
        ran.push_back(report.pass->name);
        EXPECT_TRUE(report.changed) << report.pass->name;
        EXPECT_GE(report.seconds, 0);
        EXPECT_TRUE(ir::Verify(now).has_value());
        return {};
      });
  ASSERT_TRUE(status.has_value()) << status.error().message;
  std::vector<std::string> listed;
  for (const PassInfo& pass : AllPasses()) {
    listed.push_back(pass.name);
    EXPECT_EQ(FindPass(pass.name), &pass);
  }
  EXPECT_EQ(ran, listed);
  EXPECT_EQ(module.stage, ir::Stage::kLoop);
  EXPECT_EQ(FindPass("fold"), nullptr);
}

TEST(PipelineTest, AnErrorOfTheObserverStopsIt) {
  ir::Module module = BuildModel({});
  const Status status =
      RunPipeline(module, SmallContext(), [](const PassReport& report, const ir::Module&) -> Status {
        if (std::string_view(report.pass->name) == "fuse") return Err("enough");
        return {};
      });
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().message, "enough");
  EXPECT_EQ(module.stage, ir::Stage::kKernel);
}

TEST(PipelineTest, APassRefusesModulesOfOtherStages) {
  const std::map<ir::Stage, ir::Module> modules = ModelAtEachStage();
  ASSERT_EQ(modules.size(), 3u);
  for (const PassInfo& pass : AllPasses()) {
    for (const auto& [stage, module] : modules) {
      if (stage == pass.stage) continue;
      ir::Module copy = module;
      const Result<bool> result = RunPass(pass, copy, SmallContext());
      ASSERT_FALSE(result.has_value()) << pass.name << " at " << ir::Name(stage);
      EXPECT_EQ(result.error().message,
                fmt::format("{}: takes a module at the {} stage, this one is at the {} stage", pass.name,
                            ir::Name(pass.stage), ir::Name(stage)));
      EXPECT_EQ(ir::Print(copy), ir::Print(module));
    }
  }
}

TEST(PipelineTest, ASecondRunChangesNothing) {
  ir::Module module = BuildModel({.layers = 2, .dense = 96});
  for (const PassInfo& pass : AllPasses()) {
    SCOPED_TRACE(pass.name);
    const Result<bool> first = RunPass(pass, module, SmallContext());
    ASSERT_TRUE(first.has_value()) << first.error().message;
    if (module.stage != pass.stage) continue;
    const std::string text = ir::Print(module);
    const Result<bool> second = RunPass(pass, module, SmallContext());
    ASSERT_TRUE(second.has_value()) << second.error().message;
    EXPECT_FALSE(*second);
    EXPECT_EQ(ir::Print(module), text);
  }
}

}  // namespace
}  // namespace ggufc::passes
