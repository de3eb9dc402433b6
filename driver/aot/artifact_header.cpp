// NAME and NAME.h, the source interface of an ahead-of-time model.
#include <algorithm>
#include <cctype>

#include "driver/aot/artifact.h"
#include "runtime/api/ggufc.h"
#include "runtime/store/model_card.h"
#include "support/text.h"

namespace ggufc::driver {
namespace {

constexpr size_t kMaxName = 64;

bool IsIdentifierChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Text for a block comment: without '*', so that it cannot end the comment or begin another.
std::string ForComment(std::string_view text) {
  std::string safe(text);
  std::erase(safe, '*');
  return safe;
}

std::string Upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

Status CheckArtifactName(std::string_view name) {
  if (name.empty() || name.size() > kMaxName) {
    return Err("name {}: 1 to {} characters are allowed", Quoted(name), kMaxName);
  }
  if ((name[0] >= '0' && name[0] <= '9') || !std::ranges::all_of(name, IsIdentifierChar)) {
    return Err("name {}: expected a C identifier: letters, digits and _, not beginning with a digit",
               Quoted(name));
  }
  if (name.starts_with("ggufc")) {
    return Err("name {}: names that begin with ggufc are reserved for the runtime", Quoted(name));
  }
  return {};
}

std::string MakeArtifactName(std::string_view text) {
  std::string name(text);
  for (char& c : name) {
    if (!IsIdentifierChar(c)) c = '_';
  }
  const bool digit = !name.empty() && name[0] >= '0' && name[0] <= '9';
  return digit ? "_" + name : name;
}

Status Artifact::WriteHeader(OutputFile& file) const {
  const runtime::ModelCard& info = plan_.info;
  const std::string& name = options_.name;
  const std::string upper = Upper(name);
  std::string targets;
  for (const TargetPlan& target : plan_.targets) {
    targets += fmt::format("{}{}", targets.empty() ? "" : ", ", target.lowered.options.target->name());
  }
  const std::string_view model = runtime::TextOf(info.name);
  return file.Write(fmt::format(
      R"(/* {name}: a text-embedding model, compiled by ggufc {version}.
 *
 *   model        {model} ({architecture}, {layers} layers)
 *   vectors      {dims} floats, {length}; activations {activations}
 *   code for     {targets}
 *   weights      {weights}
 *
 * A program that includes this links {name}'s object and libggufc_runtime.a, -lm and -lpthread.
 */
#ifndef {upper}_GGUFC_MODEL_H
#define {upper}_GGUFC_MODEL_H

#include <ggufc/ggufc.h>

#define {upper}_DIMS {dims}
#define {upper}_CONTEXT_LENGTH {context}
#define {upper}_VOCAB {vocab}
#define {upper}_FINGERPRINT "{fingerprint}"

#ifdef __cplusplus
extern "C" {{
#endif

/* Opens the model, with the code for the best of its targets that this CPU runs. weights_path: NULL {default_weights}.
 * options: NULL for the defaults. *model is closed with ggufc_close, and NULL after a failure, of which
 * ggufc_last_error() says more. */
ggufc_status {name}_open(const char* weights_path, const ggufc_options* options, ggufc_model** model);

#ifdef __cplusplus
}} /* extern "C" */
#endif

#endif
)",
      fmt::arg("name", name), fmt::arg("upper", upper), fmt::arg("version", ggufc_version()),
      fmt::arg("model", model.empty() ? "without a name" : ForComment(model)),
      fmt::arg("architecture", ForComment(runtime::TextOf(info.architecture))),
      fmt::arg("layers", info.layers), fmt::arg("dims", info.dims),
      fmt::arg("length", info.normalize != 0 ? "of length 1" : "of any length"),
      fmt::arg("activations", runtime::TextOf(info.activations)), fmt::arg("targets", targets),
      fmt::arg("weights", options_.embed ? "in the object" : fmt::format("in {}.weights", name)),
      fmt::arg("context", info.context_length), fmt::arg("vocab", info.vocab),
      fmt::arg("fingerprint", fingerprint_),
      fmt::arg(
          "default_weights",
          options_.embed
              ? "for those in the object"
              : fmt::format(
                    "for\n * {}.weights beside the program or shared library that has the code, or in the "
                    "working directory",
                    name))));
}

}  // namespace ggufc::driver
