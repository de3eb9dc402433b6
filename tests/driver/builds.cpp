#include "builds.h"

namespace ggufc::testing {
namespace {

bool HasReplacedForm(const codegen::Target& target) {
  const bool vnni = target.name() == "avxvnni" || target.name() == "avx512vnni";
  return vnni && codegen::HostRuns(**codegen::FindTarget("avx2"));
}

}  // namespace

std::vector<Build> AllBuilds() {
  std::vector<Build> builds;
  for (const codegen::Target& target : codegen::Targets()) {
    if (codegen::HostRuns(target)) {
      builds.push_back({&target, false});
    } else if (HasReplacedForm(target)) {
      builds.push_back({&target, true});
    }
  }
  return builds;
}

std::vector<Build> BuildsInEveryForm() {
  std::vector<Build> builds;
  for (const codegen::Target& target : codegen::Targets()) {
    if (codegen::HostRuns(target)) builds.push_back({&target, false});
    if (HasReplacedForm(target)) builds.push_back({&target, true});
  }
  return builds;
}

}  // namespace ggufc::testing
