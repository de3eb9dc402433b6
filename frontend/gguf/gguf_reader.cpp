// The parser makes one pass over the header with a cursor that never passes the end. Counts, lengths and sizes are checked
// against the remaining bytes before allocating.
#include "frontend/gguf/gguf_reader.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <ranges>
#include <utility>

#include "support/text.h"

namespace ggufc::frontend {
namespace {

// The minimum bytes of an entry: lengths and types with texts of one byte.
constexpr uint64_t kLeastMetadataBytes = 8 + 1 + 4 + 1;
constexpr uint64_t kLeastTensorInfoBytes = 8 + 1 + 4 + 8 + 4 + 8;

bool MultiplyOverflows(uint64_t a, uint64_t b, uint64_t* product) {
  return __builtin_mul_overflow(a, b, product);
}
bool AddOverflows(uint64_t a, uint64_t b, uint64_t* sum) { return __builtin_add_overflow(a, b, sum); }

// Sorts the entries' indices by name, in n log n comparisons for any names. Returns the first entry whose name occurs
// earlier in the file, or null.
template <typename Entry>
const Entry* SortByName(const std::vector<Entry>& entries, std::string_view Entry::* name,
                        std::vector<uint32_t>* order) {
  order->resize(entries.size());
  std::iota(order->begin(), order->end(), 0u);
  std::ranges::sort(*order, [&](uint32_t a, uint32_t b) {
    const int compared = (entries[a].*name).compare(entries[b].*name);
    return compared != 0 ? compared < 0 : a < b;
  });
  uint32_t repeated = UINT32_MAX;
  for (size_t i = 1; i < order->size(); ++i) {
    const uint32_t index = (*order)[i];
    if (entries[index].*name == entries[(*order)[i - 1]].*name) repeated = std::min(repeated, index);
  }
  return repeated == UINT32_MAX ? nullptr : &entries[repeated];
}

}  // namespace

class GgufFile::Parser {
 public:
  explicit Parser(GgufFile& file) : file_(file), bytes_(file.file_.bytes()) {}

  Status Run() {
    RETURN_IF_ERROR(ReadHeader());
    RETURN_IF_ERROR(ReadMetadata());
    RETURN_IF_ERROR(ReadAlignment());
    RETURN_IF_ERROR(ReadTensorInfos());
    return PlaceTensors();
  }

 private:
  uint64_t left() const { return bytes_.size() - position_; }
  const std::string& path() const { return file_.path(); }

  // "PATH: metadata entry 3 of 40", for errors.
  std::string Where(std::string_view what, uint64_t index, uint64_t count) const {
    return fmt::format("{}: {} {} of {}", path(), what, index, count);
  }

  tl::unexpected<Error> Truncated(std::string_view where, std::string_view field) const {
    return Err("{}: the file ends in the {} (at byte {} of {})", where, field, position_, bytes_.size());
  }

  template <typename T>
  std::optional<T> Read() {
    if (left() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  // The bytes of a string, or nullopt if the file ends before its end.
  std::optional<std::string_view> ReadString() {
    const auto length = Read<uint64_t>();
    if (!length || *length > left()) return std::nullopt;
    const auto* text = reinterpret_cast<const char*>(bytes_.data() + position_);
    position_ += *length;
    return std::string_view(text, *length);
  }

  Status ReadHeader() {
    const auto magic = Read<uint32_t>();
    if (!magic) return Err("{}: {} bytes are too few for a GGUF file", path(), bytes_.size());
    if (*magic != kGgufMagic) return Err("{}: not a GGUF file (it does not begin with \"GGUF\")", path());
    const auto version = Read<uint32_t>();
    if (!version) return Truncated(path(), "header");
    // Byte-swapped small numbers have all their bits above the lowest byte.
    if ((*version & 0xffffu) == 0 && *version != 0)
      return Err("{}: a big-endian GGUF file (only little endian is read)", path());
    if (*version != 2 && *version != 3)
      return Err("{}: GGUF version {} (2 and 3 are known)", path(), *version);
    file_.version_ = *version;
    const auto tensors = Read<uint64_t>();
    const auto entries = Read<uint64_t>();
    if (!tensors || !entries) return Truncated(path(), "header");
    RETURN_IF_ERROR(CheckCount("tensors", *tensors, kMaxTensors, kLeastTensorInfoBytes));
    RETURN_IF_ERROR(CheckCount("metadata entries", *entries, kMaxMetadataEntries, kLeastMetadataBytes));
    tensor_count_ = *tensors;
    metadata_count_ = *entries;
    return {};
  }

  Status CheckCount(std::string_view what, uint64_t count, uint64_t limit, uint64_t least_bytes) const {
    if (count > limit) return Err("{}: header: {} {} (limit {})", path(), count, what, limit);
    if (count > left() / least_bytes) {
      return Err("{}: header: {} {} do not fit in the {} bytes left", path(), count, what, left());
    }
    return {};
  }

  Status ReadMetadata() {
    file_.metadata_.reserve(metadata_count_);
    for (uint64_t i = 0; i < metadata_count_; ++i) {
      const auto where = [&] { return Where("metadata entry", i, metadata_count_); };
      const auto key = ReadString();
      if (!key) return Truncated(where(), "key");
      if (key->empty() || key->size() > kMaxKeyBytes) {
        return Err("{}: key of {} bytes (1 to {} are allowed)", where(), key->size(), kMaxKeyBytes);
      }
      const std::string_view name = *key;
      if (const std::string fault = NameFault(name); !fault.empty()) {
        return Err("{}: key {}: {}", where(), Quoted(name), fault);
      }
      const auto type = Read<uint32_t>();
      if (!type) return Truncated(where(), "value type");
      if (*type >= kValueTypeCount)
        return Err("{}: key {}: unknown value type {}", path(), Quoted(name), *type);
      MetadataEntry entry;
      entry.key = name;
      entry.type = entry.element_type = static_cast<ValueType>(*type);
      RETURN_IF_ERROR(ReadValue(&entry));
      file_.metadata_.push_back(entry);
    }
    const MetadataEntry* const repeated =
        SortByName(file_.metadata_, &MetadataEntry::key, &file_.metadata_by_key_);
    if (repeated != nullptr) return Err("{}: key {} appears twice", path(), Quoted(repeated->key));
    return {};
  }

  Status ReadValue(MetadataEntry* entry) {
    if (entry->type == ValueType::kArray) {
      const auto element = Read<uint32_t>();
      const auto count = Read<uint64_t>();
      if (!element || !count) return Truncated(KeyContext(*entry), "array's header");
      if (*element >= kValueTypeCount)
        return Err("{}: unknown array element type {}", KeyContext(*entry), *element);
      entry->element_type = static_cast<ValueType>(*element);
      if (entry->element_type == ValueType::kArray)
        return Err("{}: nested arrays are not read", KeyContext(*entry));
      entry->count = *count;
    }
    const size_t start = position_;
    if (entry->element_type == ValueType::kString) {
      if (entry->count > left() / sizeof(uint64_t)) {
        return Err("{}: {} strings do not fit in the {} bytes left", KeyContext(*entry), entry->count,
                   left());
      }
      for (uint64_t i = 0; i < entry->count; ++i) {
        if (!ReadString())
          return Truncated(KeyContext(*entry), fmt::format("string {} of {}", i, entry->count));
      }
    } else {
      uint64_t size = 0;
      if (MultiplyOverflows(entry->count, ValueTypeBytes(entry->element_type), &size) || size > left()) {
        return Err("{}: {} values of type {} do not fit in the {} bytes left", KeyContext(*entry),
                   entry->count, ValueTypeName(entry->element_type), left());
      }
      position_ += size;
    }
    entry->data = bytes_.subspan(start, position_ - start);
    if (entry->element_type == ValueType::kBool) {
      for (const uint8_t byte : entry->data) {
        if (byte > 1) return Err("{}: a bool holds {} (0 and 1 are allowed)", KeyContext(*entry), byte);
      }
    }
    return {};
  }

  std::string KeyContext(const MetadataEntry& entry) const {
    return fmt::format("{}: key {}", path(), Quoted(entry.key));
  }

  Status ReadAlignment() {
    constexpr std::string_view kKey = "general.alignment";
    if (!file_.Has(kKey)) return {};
    ASSIGN_OR_RETURN(const uint64_t alignment, file_.GetU64(kKey));
    if (!std::has_single_bit(alignment) || alignment < kMinAlignment || alignment > kMaxAlignment) {
      return Err("{}: key {}: {} (a power of two from {} to {} is expected)", path(), Quoted(kKey), alignment,
                 kMinAlignment, kMaxAlignment);
    }
    file_.alignment_ = alignment;
    return {};
  }

  Status ReadTensorInfos() {
    file_.tensors_.reserve(tensor_count_);
    offsets_.reserve(tensor_count_);
    sizes_.reserve(tensor_count_);
    for (uint64_t i = 0; i < tensor_count_; ++i) RETURN_IF_ERROR(ReadTensorInfo(i));
    const Tensor* const repeated = SortByName(file_.tensors_, &Tensor::name, &file_.tensors_by_name_);
    if (repeated != nullptr) return Err("{}: tensor {} appears twice", path(), Quoted(repeated->name));
    return {};
  }

  Status ReadTensorInfo(uint64_t index) {
    const auto where = [&] { return Where("tensor", index, tensor_count_); };
    const auto name = ReadString();
    if (!name) return Truncated(where(), "name");
    if (name->empty() || name->size() > kMaxTensorNameBytes) {
      return Err("{}: name of {} bytes (1 to {} are allowed)", where(), name->size(), kMaxTensorNameBytes);
    }
    if (const std::string fault = NameFault(*name); !fault.empty()) {
      return Err("{}: name {}: {}", where(), Quoted(*name), fault);
    }
    Tensor tensor;
    tensor.name = *name;
    const auto context = [&] { return fmt::format("{}: tensor {}", path(), Quoted(tensor.name)); };
    const auto rank = Read<uint32_t>();
    if (!rank) return Truncated(context(), "rank");
    if (*rank < 1 || *rank > kMaxRank)
      return Err("{}: rank {} (1 to {} are allowed)", context(), *rank, kMaxRank);
    tensor.rank = *rank;
    uint64_t elements = 1;
    for (uint32_t d = 0; d < tensor.rank; ++d) {
      const auto dim = Read<uint64_t>();
      if (!dim) return Truncated(context(), "shape");
      if (*dim == 0) return Err("{}: dimension {} is 0", context(), d);
      if (MultiplyOverflows(elements, *dim, &elements)) {
        return Err("{}: the number of elements does not fit in 64 bits", context());
      }
      tensor.dims[d] = *dim;
    }
    const auto type = Read<uint32_t>();
    const auto offset = Read<uint64_t>();
    if (!type || !offset) return Truncated(context(), "type and offset");
    tensor.type = static_cast<GgmlType>(*type);
    // Of a type whose blocks are not known: at least one byte. PlaceTensors finds where it ends.
    uint64_t size = 1;
    if (const TypeTraits* traits = FindTraits(tensor.type); traits != nullptr) {
      if (tensor.dims[0] % traits->block_size != 0) {
        return Err("{}: rows of {} values (type {} needs a multiple of {})", context(), tensor.dims[0],
                   traits->name, traits->block_size);
      }
      if (MultiplyOverflows(elements / traits->block_size, traits->block_bytes, &size)) {
        return Err("{}: its size does not fit in 64 bits", context());
      }
    }
    if (*offset % file_.alignment_ != 0) {
      return Err("{}: offset {} is not a multiple of the alignment {}", context(), *offset, file_.alignment_);
    }
    file_.tensors_.push_back(tensor);
    offsets_.push_back(*offset);
    sizes_.push_back(size);
    return {};
  }

  // Tensor offsets count from the end of the header, which is known after all tensor infos are read.
  Status PlaceTensors() {
    const uint64_t start = (position_ + file_.alignment_ - 1) / file_.alignment_ * file_.alignment_;
    for (size_t i = 0; i < file_.tensors_.size(); ++i) {
      Tensor& tensor = file_.tensors_[i];
      uint64_t begin = 0;
      uint64_t end = 0;
      if (AddOverflows(start, offsets_[i], &begin) || AddOverflows(begin, sizes_[i], &end) ||
          end > bytes_.size()) {
        return Err(
            "{}: tensor {}: {} bytes at offset {} of the data (byte {} of the file) reach past the end of "
            "the file ({} bytes)",
            path(), Quoted(tensor.name), sizes_[i], offsets_[i], start, bytes_.size());
      }
      tensor.data = bytes_.subspan(begin, sizes_[i]);
    }
    return CheckDisjoint();
  }

  // Tensors must not overlap, so that the size of the file bounds everything that is made from its tensors. A tensor with
  // an unknown block size extends to the next tensor.
  Status CheckDisjoint() {
    std::vector<Tensor*> by_place;
    by_place.reserve(file_.tensors_.size());
    for (Tensor& tensor : file_.tensors_) by_place.push_back(&tensor);
    std::ranges::stable_sort(by_place, {}, [](const Tensor* tensor) { return tensor->data.data(); });
    for (size_t i = 1; i < by_place.size(); ++i) {
      const Tensor& before = *by_place[i - 1];
      const Tensor& after = *by_place[i];
      const auto begin = static_cast<size_t>(before.data.data() - bytes_.data());
      const auto next = static_cast<size_t>(after.data.data() - bytes_.data());
      if (before.data.size() <= next - begin) continue;
      return Err("{}: tensors {} (bytes {} to {} of the file) and {} (from byte {} on) overlap", path(),
                 Quoted(before.name), begin, begin + before.data.size() - 1, Quoted(after.name), next);
    }
    size_t end = bytes_.size();
    for (Tensor* tensor : by_place | std::views::reverse) {
      const auto begin = static_cast<size_t>(tensor->data.data() - bytes_.data());
      if (FindTraits(tensor->type) == nullptr) tensor->data = bytes_.subspan(begin, end - begin);
      end = begin;
    }
    return {};
  }

  GgufFile& file_;
  std::span<const uint8_t> bytes_;
  size_t position_ = 0;
  uint64_t tensor_count_ = 0;
  uint64_t metadata_count_ = 0;
  std::vector<uint64_t> offsets_;  // per tensor, as in the file
  std::vector<uint64_t> sizes_;
};

Result<GgufFile> GgufFile::Open(const std::string& path) {
  ASSIGN_OR_RETURN(MappedFile mapped, MappedFile::Open(path));
  return Read(std::move(mapped));
}

Result<GgufFile> GgufFile::Read(MappedFile mapped) {
  GgufFile file;
  file.file_ = std::move(mapped);
  RETURN_IF_ERROR(Parser(file).Run());
  return file;
}

std::string ShapeText(std::span<const uint64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

}  // namespace ggufc::frontend
