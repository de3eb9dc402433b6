#include "builds.h"

namespace ggufc::testing {

std::vector<Build> AllBuilds() {
  std::vector<Build> builds;
  for (const codegen::Target& target : codegen::Targets()) {
    if (codegen::HostRuns(target)) builds.push_back({&target, false});
    const bool vnni = target.name() == "avxvnni" || target.name() == "avx512vnni";
    if (vnni && codegen::HostRuns(**codegen::FindTarget("avx2"))) builds.push_back({&target, true});
  }
  return builds;
}

}  // namespace ggufc::testing
