#include "tools/roofline/svg.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "support/check.h"

namespace ggufc::roofline {
namespace {

constexpr double kWidth = 1000, kHeight = 640;
constexpr double kLeft = 74, kRight = 946, kTop = 78, kBottom = 572;
constexpr double kLabelHeight = 13;   // height of a point's label
constexpr double kClusterWidth = 84;  // points within the width of a label share a column of labels

// Colours that are distinct on light and on dark background; one per batch.
constexpr const char* kColors[] = {"#2f7ed8", "#d1495b", "#2a9d6f", "#c77d0a", "#8e5bd0", "#0e9aa7"};

constexpr const char* kStyle = R"(<style>
  .ground { fill: #ffffff }
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 }
  .small { font-size: 10.5px }
  .label { paint-order: stroke; stroke: #ffffff; stroke-width: 3px }
  .grid { stroke: #d8dee4; stroke-width: 0.6 }
  .frame { fill: none; stroke: #8c959f }
  .roof { fill: none; stroke: #57606a; stroke-width: 1.6 }
  .lead { fill: none; stroke: #8c959f; stroke-width: 0.6 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 }
    text { fill: #e6edf3 }
    .label { stroke: #0d1117 }
    .grid { stroke: #262c36 }
    .frame, .lead { stroke: #6e7681 }
    .roof { stroke: #9198a1 }
  }
</style>
)";

std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        // XML does not allow control characters; all other bytes are copied.
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

struct Point {
  double intensity, rate;  // operations per byte, operations per second
  bool cold;
  size_t batch;
  std::string kernel;
  double x = 0, y = 0, label_y = 0;
};

// A logarithmic axis that maps values from `low` to `high` to pixels from `from` to `to`.
struct Axis {
  double low, high, from, to;
  double At(double value) const {
    return from + (to - from) * std::log2(value / low) / std::log2(high / low);
  }
};

class Drawing {
 public:
  explicit Drawing(const Study& study) : study_(study), machine_(*study.machine) {}

  std::string Draw() {
    CollectPoints();
    SetAxes();
    out_ = fmt::format(
        R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}">)", kWidth,
        kHeight);
    out_ += '\n';
    out_ += kStyle;
    out_ += fmt::format("<rect class=\"ground\" width=\"{}\" height=\"{}\"/>\n", kWidth, kHeight);
    const std::string name = study_.model.substr(study_.model.rfind('/') + 1);
    Text(kLeft, 28, fmt::format("{}: roofline on {}", name, machine_.cpu), "class=\"title\"");
    Text(kLeft, 47,
         fmt::format("target {}, activations {}, {} thread{}", study_.target, study_.activations,
                     machine_.threads, machine_.threads == 1 ? "" : "s"));
    Grid();
    Roofs();
    Points();
    Legend();
    return out_ + "</svg>\n";
  }

 private:
  void Text(double x, double y, const std::string& text, const std::string& attributes = "") {
    out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, attributes, Escaped(text));
  }
  void Line(double x1, double y1, double x2, double y2, const char* style) {
    out_ += fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1,
                        y1, x2, y2, style);
  }

  void CollectPoints() {
    for (size_t i = 0; i < study_.batches.size(); ++i) {
      for (const KernelResult& kernel : study_.batches[i].kernels) {
        if (kernel.macs == 0 || kernel.seconds <= 0) continue;
        const bool cold = kernel.cold_intensity().has_value() && !study_.WeightsStayInCache();
        const auto intensity = cold ? kernel.cold_intensity() : kernel.warm_intensity();
        if (intensity) points_.push_back({*intensity, kernel.ops() / kernel.seconds, cold, i, kernel.kernel});
      }
    }
  }

  // Sets the axes to powers of two around the points and the ridge point of DRAM.
  void SetAxes() {
    double low_x = 1, high_x = 64, low_y = 0, high_y = 0;
    for (const ComputeRoof& roof : machine_.compute) {
      high_y = std::max(high_y, 2 * roof.macs.all);
      high_x = std::max(high_x, 4 * roof.macs.all / machine_.Dram().bytes.all);
    }
    low_y = high_y / 64;
    for (const Point& point : points_) {
      low_x = std::min(low_x, point.intensity / 1.3);
      high_x = std::max(high_x, point.intensity * 2.6);  // room for the label
      low_y = std::min(low_y, point.rate / 1.5);
      high_y = std::max(high_y, point.rate);
    }
    const auto below = [](double value) { return std::exp2(std::floor(std::log2(value))); };
    const auto above = [](double value) { return std::exp2(std::ceil(std::log2(value))); };
    x_ = {below(low_x), above(high_x), kLeft, kRight};
    y_ = {below(low_y * 1e-9) * 1e9, above(high_y * 1.2e-9) * 1e9, kBottom, kTop};
  }

  void Grid() {
    for (double value = x_.low; value <= x_.high * 1.001; value *= 2) {
      const double x = x_.At(value);
      Line(x, kTop, x, kBottom, "grid");
      Text(x, kBottom + 17, fmt::format("{:g}", value), "text-anchor=\"middle\"");
    }
    for (double value = y_.low; value <= y_.high * 1.001; value *= 2) {
      const double y = y_.At(value);
      Line(kLeft, y, kRight, y, "grid");
      Text(kLeft - 7, y + 4, fmt::format("{:g}", value * 1e-9), "text-anchor=\"end\"");
    }
    out_ += fmt::format("<rect class=\"frame\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n", kLeft, kTop,
                        kRight - kLeft, kBottom - kTop);
    Text((kLeft + kRight) / 2, kBottom + 38, "operations per byte", "text-anchor=\"middle\"");
    const double middle = (kTop + kBottom) / 2;
    Text(20, middle, "10^9 operations per second",
         fmt::format("text-anchor=\"middle\" transform=\"rotate(-90 20 {:.1f})\"", middle));
  }

  void Roofs() {
    double peak = 0;
    for (const ComputeRoof& roof : machine_.compute) {
      const double rate = 2 * roof.macs.all;
      peak = std::max(peak, rate);
      const double from = std::max(x_.low, rate / machine_.memory.front().bytes.all);
      if (from < x_.high) Line(x_.At(from), y_.At(rate), kRight, y_.At(rate), "roof");
      Text(kRight - 6, y_.At(rate) - 5, fmt::format("{} {:.0f}", Name(roof.arithmetic), rate * 1e-9),
           "text-anchor=\"end\"");
    }
    for (const MemoryRoof& memory : machine_.memory) {
      // From the edge of the picture to the highest roof.
      const double bytes = memory.bytes.all;
      const double low = std::max(x_.low, y_.low / bytes), high = std::min(x_.high, peak / bytes);
      if (low >= high) continue;
      const double x1 = x_.At(low), y1 = y_.At(low * bytes), x2 = x_.At(high), y2 = y_.At(high * bytes);
      Line(x1, y1, x2, y2, "roof");
      const double angle = std::atan2(y2 - y1, x2 - x1) * 180 / std::numbers::pi;
      const double x = x1 + 8, y = y1 + 8 * (y2 - y1) / (x2 - x1) - 5;
      Text(x, y, fmt::format("{} {:.0f} GB/s", memory.name, bytes * 1e-9),
           fmt::format("class=\"small\" transform=\"rotate({:.1f} {:.1f} {:.1f})\"", angle, x, y));
    }
  }

  // Places the labels of one column, each as near to the height of its point as its neighbours allow. Labels that would
  // overlap form a group at the mean of the positions of their points; groups that would overlap merge.
  static void PlaceLabels(std::vector<Point*>& column) {
    std::ranges::sort(column, {}, [](const Point* point) { return point->y; });
    struct Group {
      double wanted;  // sum over its labels of the position of the group's first label that suits them
      size_t labels;
      double first() const { return wanted / static_cast<double>(labels); }
    };
    std::vector<Group> groups;
    for (const Point* const point : column) {
      groups.push_back({point->y, 1});
      while (groups.size() > 1) {
        Group& above = groups[groups.size() - 2];
        const Group& last = groups.back();
        const double height = kLabelHeight * static_cast<double>(above.labels);
        if (above.first() + height <= last.first()) break;
        above.wanted += last.wanted - height * static_cast<double>(last.labels);
        above.labels += last.labels;
        groups.pop_back();
      }
    }
    auto point = column.begin();
    for (const Group& group : groups) {
      for (size_t i = 0; i < group.labels; ++i)
        (*point++)->label_y = group.first() + kLabelHeight * static_cast<double>(i);
    }
  }

  static const char* Color(const Point& point) { return kColors[point.batch % std::size(kColors)]; }

  void Points() {
    std::vector<Point*> order;
    for (Point& point : points_) {
      point.x = x_.At(point.intensity);
      point.y = y_.At(point.rate);
      order.push_back(&point);
    }
    std::ranges::sort(order, {}, [](const Point* point) { return point->x; });
    for (size_t first = 0; first < order.size();) {
      size_t last = first + 1;
      while (last < order.size() && order[last]->x - order[first]->x < kClusterWidth) ++last;
      std::vector<Point*> column(order.begin() + static_cast<std::ptrdiff_t>(first),
                                 order.begin() + static_cast<std::ptrdiff_t>(last));
      const double label_x = order[last - 1]->x + 14;
      PlaceLabels(column);
      for (const Point* point : column) {
        Line(point->x, point->y, label_x - 2, point->label_y, "lead");
        Text(label_x, point->label_y + 3.5, point->kernel,
             fmt::format("class=\"small label\" style=\"fill: {}\"", Color(*point)));
      }
      first = last;
    }
    for (const Point& point : points_) {
      const char* const color = Color(point);
      out_ += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\" fill=\"{}\" stroke=\"{}\" stroke-width=\"1.6\">"
          "<title>{}: {:.1f} ops/B, {:.1f} GOPS</title></circle>\n",
          point.x, point.y, point.cold ? color : "none", color, Escaped(point.kernel), point.intensity,
          point.rate * 1e-9);
    }
  }

  void Legend() {
    double x = kLeft;
    const double y = kTop - 12;
    for (size_t i = 0; i < study_.batches.size(); ++i) {
      const BatchResult& batch = study_.batches[i];
      const char* const color = kColors[i % std::size(kColors)];
      std::string text = fmt::format("{} token{}", batch.tokens, batch.tokens == 1 ? "" : "s");
      if (batch.documents > 1) text += fmt::format(" in {} documents", batch.documents);
      out_ +=
          fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\" fill=\"{}\"/>\n", x + 5, y - 4, color);
      Text(x + 14, y, text);
      x += 30 + 6.6 * static_cast<double>(text.size());
    }
    Text(kRight, y, "filled: weights from DRAM; hollow: from cache", "text-anchor=\"end\" class=\"small\"");
  }

  const Study& study_;
  const Machine& machine_;
  std::vector<Point> points_;
  Axis x_{}, y_{};
  std::string out_;
};

}  // namespace

std::string DrawSvg(const Study& study) {
  CHECK(study.machine.has_value(), "a picture needs a machine's roofs");
  return Drawing(study).Draw();
}

}  // namespace ggufc::roofline
