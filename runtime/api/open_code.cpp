#include "runtime/api/open_code.h"

#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>

#include "runtime/store/image.h"
#include "runtime/store/program_format.h"

namespace ggufc::runtime {
namespace {

static_assert(std::is_same_v<KernelFn, ggufc_kernel_fn>, "code.h and support/kernel_abi.def disagree");

std::span<const ggufc_code_target> TargetsOf(const ggufc_code& code) {
  return {code.targets, code.target_count};
}

Status CheckCode(const ggufc_code& code) {
  constexpr ErrorKind kBad = ErrorKind::kBadFile;
  if (std::memcmp(code.magic, GGUFC_CODE_MAGIC, sizeof(code.magic)) != 0) {
    return Err(kBad, "the code of a compiled model does not begin with " GGUFC_CODE_MAGIC);
  }
  if (code.version != GGUFC_CODE_VERSION) {
    return Err(kBad, "compiled model: format version {} (this library knows {})", code.version,
               GGUFC_CODE_VERSION);
  }
  if (code.name == nullptr || code.name[0] == '\0') return Err(kBad, "compiled model: it has no name");
  if (code.target_count < 1 || code.target_count > GGUFC_CODE_MAX_TARGETS || code.targets == nullptr) {
    return Err(kBad, "{}: {} targets (1 to {})", code.name, code.target_count, GGUFC_CODE_MAX_TARGETS);
  }
  if ((code.image == nullptr) != (code.image_bytes == 0)) {
    return Err(kBad, "{}: an embedded image of {} bytes without its address", code.name, code.image_bytes);
  }
  for (const ggufc_code_target& target : TargetsOf(code)) {
    if (target.name == nullptr || target.program == nullptr || target.program_bytes == 0 ||
        target.kernels == nullptr || target.kernel_count == 0) {
      return Err(kBad, "{}: target {} is incomplete", code.name, &target - code.targets);
    }
  }
  return {};
}

std::string SelfPath() {
  std::array<char, PATH_MAX> path = {};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  return length > 0 ? std::string(path.data(), static_cast<size_t>(length)) : std::string();
}

// The file of the shared library or program whose segments contain `address`; empty where it cannot be told. (dladdr
// would give the program's argv[0], which need not be a path.)
std::string ObjectPath(const void* address) {
  struct Search {
    uintptr_t address = 0;
    const char* path = "";
  } search{.address = reinterpret_cast<uintptr_t>(address)};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto& s = *static_cast<Search*>(data);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto& segment = info->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD ||
              s.address - (info->dlpi_addr + segment.p_vaddr) >= segment.p_memsz) {
            continue;
          }
          if (info->dlpi_name != nullptr) s.path = info->dlpi_name;  // stays while the object is loaded
          return 1;
        }
        return 0;
      },
      &search);
  // The program itself comes without a name. Memory of no object is that of a program too: one that loads code itself.
  return *search.path != '\0' ? search.path : SelfPath();
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

Result<Image> OpenImage(const ggufc_code& code, const std::string& path) {
  if (!path.empty()) return Image::Open(path);
  if (code.image != nullptr) {
    return Image::FromMemory({code.image, code.image_bytes}, fmt::format("{} (embedded weights)", code.name));
  }
  std::string looked_at;
  for (const std::string& place : WeightsPlaces(code)) {
    if (Exists(place)) return Image::Open(place);
    looked_at += fmt::format("{}'{}'", looked_at.empty() ? "" : ", ", place);
  }
  return Err(ErrorKind::kIo, "{}: no weights: looked for {}", code.name, looked_at);
}

Status CheckPartners(const ggufc_code& code, const ggufc_code_target& target, const Image& image) {
  if (!std::ranges::equal(image.fingerprint(), code.fingerprint)) {
    FingerprintBytes own;
    std::ranges::copy(code.fingerprint, own.begin());
    return Err(ErrorKind::kMismatch,
               "{}: weights of another model or of other options: fingerprint {}, the code of {} has {}",
               image.name(), FingerprintText(image.fingerprint()), code.name, FingerprintText(own));
  }
  if (image.Has(SectionKind::kWeights, target.layout)) return {};
  std::string layouts;
  for (const SectionEntry& section : image.sections()) {
    if (section.kind != static_cast<uint32_t>(SectionKind::kWeights)) continue;
    layouts += fmt::format("{}{:016x}", layouts.empty() ? "" : ", ", section.id);
  }
  return Err(ErrorKind::kMismatch,
             "{}: no weights in the layout of target {}: {:016x} is wanted, there is {} (compiled for other "
             "targets, or by another version of the compiler)",
             image.name(), target.name, target.layout, layouts.empty() ? "none" : layouts);
}

// All of the image that a run needs; the errors name it.
Result<EmbedderParts> ReadImage(const Image& image, uint64_t layout) {
  const auto read = [&]() -> Result<EmbedderParts> {
    ASSIGN_OR_RETURN(const auto model, image.Get(SectionKind::kModel));
    ASSIGN_OR_RETURN(const ModelCard info, WithContext(image.name(), ParseModelCard(model)));
    ASSIGN_OR_RETURN(const auto tables, image.Get(SectionKind::kTokenizer));
    ASSIGN_OR_RETURN(Tokenizer tokenizer, WithContext(image.name(), Tokenizer::FromBytes(tables)));
    EmbedderParts parts{.info = info, .tokenizer = std::make_shared<const Tokenizer>(std::move(tokenizer))};
    ASSIGN_OR_RETURN(parts.weights, image.Get(SectionKind::kWeights, layout));
    ASSIGN_OR_RETURN(parts.tables, image.Get(SectionKind::kTables));
    if (image.Has(SectionKind::kGolden)) {
      ASSIGN_OR_RETURN(const auto golden, image.Get(SectionKind::kGolden));
      ASSIGN_OR_RETURN(parts.golden, WithContext(image.name(), ParseGolden(golden, info)));
    }
    parts.fingerprint = image.fingerprint();
    return parts;
  };
  return WithKind(ErrorKind::kBadFile, read());
}

}  // namespace

std::vector<std::string> WeightsPlaces(const ggufc_code& code) {
  const std::string file = std::string(code.name) + ".weights";
  std::vector<std::string> places;
  const std::string object = ObjectPath(&code);
  if (const size_t slash = object.rfind('/'); slash != std::string::npos) {
    places.push_back(object.substr(0, slash + 1) + file);
  }
  places.push_back(file);
  return places;
}

Result<const ggufc_code_target*> ChooseTarget(const ggufc_code& code, std::string_view name,
                                              CpuFeatures host) {
  const bool any = name.empty() || name == "native";
  const ggufc_code_target* chosen = nullptr;
  std::string names, missing;
  for (const ggufc_code_target& target : TargetsOf(code)) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", target.name);
    if (!any && name != target.name) continue;
    if (const CpuFeatures lacks = target.features & ~host; lacks != 0) {
      missing += fmt::format("{}target {} needs {}", missing.empty() ? "" : "; ", target.name,
                             FormatCpuFeatures(lacks));
    } else {
      chosen = &target;
    }
  }
  if (chosen != nullptr) return chosen;
  if (missing.empty()) return Err("{}: target '{}' is not among those compiled ({})", code.name, name, names);
  return Err(ErrorKind::kUnsupportedCpu, "{}: this CPU or its operating system lacks what the code needs: {}",
             code.name, missing);
}

Result<std::unique_ptr<Embedder>> OpenCode(const ggufc_code& code, const OpenOptions& options) {
  RETURN_IF_ERROR(CheckCode(code));
  ASSIGN_OR_RETURN(const ggufc_code_target* const target,
                   ChooseTarget(code, options.target, HostCpuFeatures()));
  ASSIGN_OR_RETURN(Image opened, WithKind(ErrorKind::kBadFile, OpenImage(code, options.weights_path)));
  const auto image = std::make_shared<const Image>(std::move(opened));
  RETURN_IF_ERROR(CheckPartners(code, *target, *image));

  if (options.check_all) RETURN_IF_ERROR(WithKind(ErrorKind::kBadFile, image->CheckAll()));
  ASSIGN_OR_RETURN(EmbedderParts parts, ReadImage(*image, target->layout));
  parts.target = target->name;
  ASSIGN_OR_RETURN(
      parts.program,
      WithKind(ErrorKind::kBadFile, WithContext(fmt::format("{}: target {}", code.name, target->name),
                                                ParseProgram({target->program, target->program_bytes}))));
  parts.kernels.assign(target->kernels, target->kernels + target->kernel_count);
  parts.check_tables = [image](int64_t offset, int64_t bytes) { return image->CheckTables(offset, bytes); };
  parts.check_all = [image] { return image->CheckAll(); };
  return WithContext(code.name, Embedder::Create(std::move(parts), options.executor));
}

}  // namespace ggufc::runtime
