#include "tools/embed/document_embedder.h"

#include <chrono>

#include "support/os/output_file.h"
#include "tools/io/report.h"

namespace ggufc::tools {
namespace {

// Enough for all threads, and little against the arena: 1024 vectors of 768 are 3 MB.
constexpr size_t kBatchDocuments = 1024;
constexpr size_t kBatchTokens = size_t{1} << 16;

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

const char* const kEmbedFormats =
    R"(Formats:
  jsonl  {"index":0,"tokens":11,"embedding":[...]} a line; other keys of an input line stand before "embedding"
         (not those of these names), and behind "tokens" there is "dropped":3 where --overlength truncate cut 3
         tokens off. A document that --on-error skip skips: {"index":0,"error":"..."}, with the other keys, too
  npy    NumPy, float32, shape (documents, dims); a row of NaNs for a document that is skipped
  text   a line of numbers a vector; a line of nan for a document that is skipped

Wrong documents: an empty text, too many tokens, an id outside the vocabulary, a line that is not JSON or has
no text. --on-error fail (default) ends with the first one; standard output then has all documents before it, and
a file of --output does not appear. --on-error skip computes all others and ends with their number and exit
status 1; for npy and text the messages go to standard error.)";

DocumentEmbedder::DocumentEmbedder(std::unique_ptr<DocumentSource> source, runtime::TextEncoder encoder,
                                   const InputFlags& input, const OutputFlags& output, std::string_view model,
                                   std::string_view program)
    : source_(std::move(source)),
      encoder_(std::move(encoder)),
      output_(output),
      options_(input.Options()),
      title_(input.title),
      model_(model),
      program_(program),
      to_file_(AppearsWhenComplete(output.path)),
      truncated_([this](std::string_view message) {
        progress_.Clear();
        Warn(message, program_);
      }) {
  options_.truncate = output.truncate();
  options_.allow_empty = output.allow_empty;
}

Status DocumentEmbedder::Start() {
  Read();
  if (stop_ && (batch_.items.empty() || to_file_)) return tl::unexpected(*stop_);
  return {};
}

Status DocumentEmbedder::Run(runtime::Embedder& embedder) {
  const size_t dims = embedder.dims();
  ASSIGN_OR_RETURN(const std::unique_ptr<VectorWriter> writer, output_.Open(static_cast<int64_t>(dims)));
  while (!batch_.items.empty() && !(stop_ && to_file_)) {
    if (const Status status = Compute(embedder); !status) {
      stop_ = status.error();
      break;
    }
    RETURN_IF_ERROR(Write(*writer, dims));
    RETURN_IF_ERROR(writer->Flush());
    progress_.Show(fmt::format("{} documents, {:.0f} tokens/s", Grouped(totals_.documents),
                               static_cast<double>(totals_.tokens) / totals_.run));
    Read();
  }
  progress_.Clear();
  if (stop_) {
    if (!to_file_) RETURN_IF_ERROR(writer->Finish());
    return tl::unexpected(*stop_);
  }
  RETURN_IF_ERROR(writer->Finish());
  truncated_.Finish();
  return {};
}

Status DocumentEmbedder::Outcome() const {
  if (totals_.failed == 0) return {};
  return Err("{} of {} documents failed", totals_.failed, totals_.documents);
}

void DocumentEmbedder::Read() {
  const auto start = std::chrono::steady_clock::now();
  batch_ = {};
  while (!stop_ && batch_.items.size() < kBatchDocuments && batch_.ids.size() < kBatchTokens) {
    if (!ReadOne()) break;
  }
  totals_.encode += SecondsSince(start);
}

// False at the end, and where stop_ is set.
bool DocumentEmbedder::ReadOne() {
  Document document;
  const Result<bool> more = source_->Next(document);
  if (!more) stop_ = more.error();
  if (!more || !*more) return false;
  // That there is no tokenizer is no fault of the document.
  if (document.has_text) {
    if (const Status status = encoder_.CheckTokenizer(); !status) {
      stop_ = status.error();
      return false;
    }
  }
  std::vector<int32_t> ids;
  Result<int64_t> dropped = EncodeDocument(encoder_, document, title_, options_, ids);
  Item item;
  item.where = std::move(document.where);
  item.kept = std::move(document.kept);
  if (dropped) {
    item.tokens = static_cast<int64_t>(ids.size());
    item.dropped = *dropped;
    truncated_.Add(item.where, item.tokens, item.dropped);
    batch_.good.push_back(batch_.items.size());
    batch_.ids.insert(batch_.ids.end(), ids.begin(), ids.end());
    batch_.lengths.push_back(ids.size());
  } else {
    item.error = Error{fmt::format("{}: {}", item.where, dropped.error().message), dropped.error().kind};
    if (item.error->kind == ErrorKind::kTooLong) {
      item.error->message += "; --overlength truncate cuts the rest off";
    }
    if (!output_.skip_errors()) {
      stop_ = std::move(item.error);
      return false;
    }
  }
  batch_.items.push_back(std::move(item));
  return true;
}

Status DocumentEmbedder::Compute(runtime::Embedder& embedder) {
  const auto start = std::chrono::steady_clock::now();
  const auto name = [this](std::string_view message) {
    return model_.empty() ? std::string(message) : fmt::format("{}: {}", model_, message);
  };
  vectors_.resize(batch_.lengths.size() * embedder.dims());
  runtime::EmbedOutput output;
  output.vectors = vectors_.data();
  output.stride = embedder.dims();
  output.on_item_error = [&](size_t index, const Error& error) {
    Item& item = batch_.items[batch_.good[index]];
    item.error = Error{name(fmt::format("{}: {}", item.where, error.message)), error.kind};
  };
  const Status status = embedder.EmbedIds(batch_.ids, batch_.lengths, /*truncate=*/false, output);
  if (!status) return Err(status.error().kind, "{}", name(status.error().message));
  totals_.run += SecondsSince(start);
  totals_.tokens += static_cast<int64_t>(batch_.ids.size());
  return {};
}

Status DocumentEmbedder::Write(VectorWriter& writer, size_t dims) {
  size_t vector = 0;  // of the next item that has one
  for (size_t i = 0; i < batch_.items.size(); ++i) {
    const Item& item = batch_.items[i];
    const bool computed = vector < batch_.good.size() && batch_.good[vector] == i;
    const size_t offset = computed ? dims * vector++ : 0;
    if (item.error && !output_.skip_errors()) {
      stop_ = item.error;
      return {};
    }
    const EmbeddedDocument document = {totals_.documents++, item.tokens, item.dropped, item.kept};
    if (!item.error) {
      RETURN_IF_ERROR(writer.Write(document, std::span(vectors_).subspan(offset, dims)));
      continue;
    }
    ++totals_.failed;
    RETURN_IF_ERROR(writer.WriteError(document, item.error->message));
    if (writer.keeps_errors()) continue;
    progress_.Clear();
    Fail(*item.error, program_);
  }
  return {};
}

}  // namespace ggufc::tools
