#include "tools/io/vector_writer.h"

#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "support/check.h"

namespace ggufc::tools {
namespace {

static_assert(std::endian::native == std::endian::little, "floats are written in host byte order");

void AppendNumbers(std::string& out, std::span<const float> values, char separator) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (i != 0) out += separator;
    fmt::format_to(std::back_inserter(out), "{:.9g}", values[i]);
  }
}

std::vector<float> NoVector(int64_t dims) {
  return std::vector<float>(static_cast<size_t>(dims), std::numeric_limits<float>::quiet_NaN());
}

class LineWriter final : public VectorWriter {
 public:
  LineWriter(OutputFile file, bool json, int64_t dims) : file_(std::move(file)), json_(json), dims_(dims) {}

  Status Write(const EmbeddedDocument& document, std::span<const float> values) override {
    line_.clear();
    if (json_) {
      fmt::format_to(std::back_inserter(line_), "{{\"index\":{},\"tokens\":{},", document.index,
                     document.tokens);
      if (document.dropped > 0)
        fmt::format_to(std::back_inserter(line_), "\"dropped\":{},", document.dropped);
      if (!document.kept.empty()) line_.append(document.kept) += ',';
      line_ += "\"embedding\":[";
      AppendNumbers(line_, values, ',');
      line_ += "]}\n";
    } else {
      AppendNumbers(line_, values, ' ');
      line_ += '\n';
    }
    return file_.Write(line_);
  }
  Status WriteError(const EmbeddedDocument& document, std::string_view message) override {
    if (!json_) return Write(document, NoVector(dims_));
    using Json = nlohmann::json;
    line_ = fmt::format("{{\"index\":{},", document.index);
    if (!document.kept.empty()) line_.append(document.kept) += ',';
    line_ += "\"error\":" + Json(message).dump(-1, ' ', false, Json::error_handler_t::replace) + "}\n";
    return file_.Write(line_);
  }
  bool keeps_errors() const override { return json_; }
  Status Flush() override { return file_.Flush(); }
  Status Finish() override { return file_.Finish(); }

 private:
  OutputFile file_;
  bool json_;
  int64_t dims_;
  std::string line_;
};

// The header has a fixed size, so that it can be written last. If the output is not seekable, the rows go to an unnamed
// temporary file first.
class NpyWriter final : public VectorWriter {
 public:
  NpyWriter(OutputFile file, int64_t dims) : file_(std::move(file)), dims_(dims) {}
  ~NpyWriter() override {
    if (spool_ != nullptr) std::fclose(spool_);
  }
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;

  Status Start() {
    if (file_.seekable()) return file_.Write(Header(0));
    spool_ = std::tmpfile();
    return spool_ != nullptr ? Status() : SpoolError();
  }

  Status Write(const EmbeddedDocument&, std::span<const float> values) override {
    ++rows_;
    if (spool_ == nullptr)
      return file_.Write({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
    if (std::fwrite(values.data(), sizeof(float), values.size(), spool_) != values.size())
      return SpoolError();
    return {};
  }

  Status WriteError(const EmbeddedDocument& document, std::string_view) override {
    return Write(document, NoVector(dims_));
  }
  bool keeps_errors() const override { return false; }
  Status Flush() override { return {}; }

  Status Finish() override {
    if (spool_ == nullptr) {
      RETURN_IF_ERROR(file_.WriteStart(Header(rows_)));
      return file_.Finish();
    }
    RETURN_IF_ERROR(file_.Write(Header(rows_)));
    if (std::fflush(spool_) != 0 || std::fseek(spool_, 0, SEEK_SET) != 0) return SpoolError();
    std::array<char, 1 << 16> piece = {};
    size_t count = 0;
    while ((count = std::fread(piece.data(), 1, piece.size(), spool_)) > 0) {
      RETURN_IF_ERROR(file_.Write({piece.data(), count}));
    }
    if (std::ferror(spool_) != 0) return SpoolError();
    return file_.Finish();
  }

 private:
  std::string Header(int64_t rows) const {
    constexpr size_t kHeaderBytes = 128;  // a multiple of 64, with room for two 64-bit numbers
    std::string header = "\x93NUMPY";
    header += {'\x01', '\x00', static_cast<char>(kHeaderBytes - 10), '\x00'};
    header += fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, dims_);
    CHECK(header.size() < kHeaderBytes);
    header.resize(kHeaderBytes - 1, ' ');
    return header + '\n';
  }

  static Status SpoolError() {
    return Err("cannot use a temporary file for the rows: {}", std::strerror(errno));
  }

  OutputFile file_;
  int64_t dims_;
  int64_t rows_ = 0;
  std::FILE* spool_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<VectorWriter>> MakeVectorWriter(std::string_view format, const std::string& path,
                                                       int64_t dims) {
  ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  if (format == "npy") {
    auto writer = std::make_unique<NpyWriter>(std::move(file), dims);
    RETURN_IF_ERROR(writer->Start());
    return writer;
  }
  CHECK(format == "jsonl" || format == "text", "format {}", format);
  return std::make_unique<LineWriter>(std::move(file), format == "jsonl", dims);
}

}  // namespace ggufc::tools
