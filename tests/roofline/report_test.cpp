// The analysis of bounds, and the three forms of the report.
#include "tools/roofline/report.h"

#include <gtest/gtest.h>

#include "study_fixture.h"
#include "tools/roofline/svg.h"

namespace ggufc::testing {
namespace {

using roofline::Arithmetic;
using roofline::Cost;

TEST(AnalyseTest, FloorIsTheLargerOfComputeAndMemory) {
  const roofline::Machine machine = RoundMachine();
  // 2e6 MACs of i16 take 10 us at 200 GMAC/s; 400 KB take 20 us from DRAM at 20 GB/s and 3 us from L2 at 200
  // GB/s.
  const std::vector<Cost> costs = {{"linear", Arithmetic::kI16, 2'000'000, 400'000, 600'000, 600'000},
                                   {"attention", Arithmetic::kF32, 500'000, 0, 10'000, 10'000},
                                   {"linear", Arithmetic::kI16, 2'000'000, 400'000, 600'000, 600'000}};
  const std::vector<int32_t> lengths = {7, 4};
  const roofline::BatchResult batch = roofline::Analyse(
      costs, lengths, &machine,
      {.median_ms = 0.1, .min_ms = 0, .max_ms = 0, .runs = 1, .step_seconds = {40e-6, 10e-6, 60e-6}});
  EXPECT_EQ(batch.tokens, 11);
  EXPECT_EQ(batch.documents, 2);
  ASSERT_EQ(batch.kernels.size(), 2u);
  const roofline::KernelResult& linear = batch.kernels[0];
  EXPECT_EQ(linear.calls, 2);
  EXPECT_EQ(linear.level, "L2");
  EXPECT_TRUE(linear.cold_memory_bound());
  EXPECT_FALSE(linear.warm_memory_bound());
  EXPECT_DOUBLE_EQ(linear.cold_floor, 40e-6);
  EXPECT_DOUBLE_EQ(linear.warm_floor, 20e-6);
  EXPECT_DOUBLE_EQ(linear.seconds, 100e-6);
  EXPECT_DOUBLE_EQ(*linear.cold_intensity(), 10);  // 2 x 2e6 / 4e5
  const roofline::KernelResult& attention = batch.kernels[1];
  EXPECT_FALSE(attention.cold_memory_bound());
  EXPECT_FALSE(attention.cold_intensity().has_value());
  EXPECT_DOUBLE_EQ(attention.cold_floor, 5e-6);
  EXPECT_DOUBLE_EQ(batch.cold_floor, 45e-6);
  EXPECT_DOUBLE_EQ(batch.warm_floor, 25e-6);

  roofline::Study study{.model = "",
                        .target = "",
                        .activations = "",
                        .packed_weight_bytes = 33 << 20,
                        .machine = machine,
                        .batches = {batch}};
  EXPECT_FALSE(study.WeightsStayInCache());
  EXPECT_DOUBLE_EQ(study.ShareOfRoof(linear), 0.4);
  study.packed_weight_bytes = 31 << 20;
  EXPECT_TRUE(study.WeightsStayInCache());
  EXPECT_DOUBLE_EQ(study.ShareOfRoof(linear), 0.2);
}

class ReportTest : public ::testing::Test {
 protected:
  const TinyModel tiny_{"report"};
  const roofline::Study study_ = TinyStudy(tiny_);
};

TEST_F(ReportTest, TextHasEveryKernelOfEveryBatch) {
  const std::string text = roofline::TextReport(study_);
  for (const roofline::KernelResult& kernel : study_.batches[0].kernels) {
    size_t lines = 0;
    for (size_t at = 0; (at = text.find("\n" + kernel.kernel + " ", at)) != std::string::npos; ++at) ++lines;
    EXPECT_EQ(lines, study_.batches.size()) << kernel.kernel << "\n" << text;
  }
  EXPECT_NE(text.find("45 tokens in 2 documents"), std::string::npos) << text;
  EXPECT_NE(text.find("100 tokens:"), std::string::npos) << text;
  EXPECT_EQ(text.find("nan"), std::string::npos) << text;
  EXPECT_EQ(text.find("inf"), std::string::npos) << text;
}

TEST_F(ReportTest, JsonParsesAndTotalsMatch) {
  const auto json = nlohmann::json::parse(roofline::JsonReport(study_).dump(), nullptr, false);
  ASSERT_TRUE(json.is_array());
  ASSERT_EQ(json.size(), study_.batches.size());
  EXPECT_EQ(json[0]["tokens"], 45);
  EXPECT_EQ(json[0]["threads"], 2);
  EXPECT_EQ(json[0]["median_ms"], 0.02);
  EXPECT_EQ(json[0]["runs"], 7);
  const auto& roofline = json[0]["roofline"];
  EXPECT_EQ(roofline["machine"]["ridge_ops_a_byte"]["i16"]["DRAM"], 20.0);
  double ops = 0;
  int64_t calls = 0, bytes = 0;
  for (const auto& kernel : roofline["kernels"]) {
    ops += kernel["ops"].get<double>();
    calls += kernel["calls"].get<int64_t>();
    bytes += kernel["cold"]["bytes"].get<int64_t>();
    EXPECT_NEAR(kernel["ms"].get<double>(), 1e-3 * kernel["calls"].get<double>(), 1e-12) << kernel;
  }
  EXPECT_EQ(calls, 15);
  EXPECT_EQ(ops, roofline["ops"]);
  EXPECT_EQ(bytes, roofline["weight_bytes"]);
}

TEST_F(ReportTest, WithoutMachineHasOnlyCounts) {
  roofline::Study study = study_;
  study.machine.reset();
  study.batches = {roofline::Analyse(tiny_.Costs("avx512vnni", {9}), std::vector<int32_t>{9}, nullptr, {})};
  const std::string text = roofline::TextReport(study);
  EXPECT_NE(text.find("\nffn_down "), std::string::npos) << text;
  EXPECT_EQ(text.find("floor"), std::string::npos) << text;
  const auto json = roofline::JsonReport(study);
  EXPECT_TRUE(json[0]["median_ms"].is_null());
  EXPECT_TRUE(json[0]["roofline"]["machine"].is_null());
  EXPECT_GT(json[0]["roofline"]["ops"], 0);
}

// The first error of an XML document: a bad entity, bad quotes or an unmatched tag; "" if there is none.
std::string XmlError(const std::string& text) {
  std::vector<std::string> open;
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '&') {
      const std::string entity = text.substr(at, text.find(';', at) - at);
      if (entity != "&amp" && entity != "&lt" && entity != "&gt" && entity != "&quot")
        return "entity " + entity;
    }
    if (text[at] != '<') {
      ++at;
      continue;
    }
    const size_t end = text.find('>', at);
    if (end == std::string::npos) return "a tag without end";
    const std::string tag = text.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos) return "< in " + tag;
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return "quotes of " + tag;
    const std::string name =
        tag.substr(tag.starts_with('/'), tag.find_first_of(" /", 1) - tag.starts_with('/'));
    if (tag.starts_with('/')) {
      if (open.empty() || open.back() != name) return "</" + name + ">";
      open.pop_back();
    } else if (!tag.ends_with('/')) {
      open.push_back(name);
    }
    at = end + 1;
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

TEST_F(ReportTest, SvgIsWellFormedAndHasEveryPoint) {
  EXPECT_NE(XmlError("<a><b></a>"), "");
  EXPECT_NE(XmlError("<a>x & y</a>"), "");
  EXPECT_EQ(XmlError("<a b=\"c\"><d/>&lt;</a>"), "");
  const std::string svg = roofline::DrawSvg(study_);
  EXPECT_EQ(XmlError(svg), "") << svg;
  EXPECT_NE(svg.find("Example &lt;CPU&gt; &amp; co"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  size_t points = 0, expected = 0;
  for (size_t at = 0; (at = svg.find("<title>", at)) != std::string::npos; ++at) ++points;
  for (const roofline::BatchResult& batch : study_.batches) {
    for (const roofline::KernelResult& kernel : batch.kernels) expected += kernel.macs > 0;
  }
  EXPECT_EQ(points, expected);
  for (const char* label : {"DRAM 20 GB/s", "i16 400", "f32 200", "100 tokens", "ffn_gate_up"}) {
    EXPECT_NE(svg.find(label), std::string::npos) << label;
  }
}

}  // namespace
}  // namespace ggufc::testing
