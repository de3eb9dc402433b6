#include "micro_benchmarks.h"

namespace ggufc::bench {

void RegisterOneDnnProducts() {}

}  // namespace ggufc::bench
