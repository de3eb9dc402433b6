// Detects that this process is a fork of the one that created an object. In the child, locks and data of the parent's
// threads exist without the threads. An owner of such objects records the count when it creates them, and creates new
// ones when the count has changed.
#pragma once

#include <cstdint>

#include "support/result.h"

namespace ggufc::runtime {

// Starts the count of forks. May be called again. Fails if the system is out of memory.
Status WatchForks();

// Grows by one in the child of each fork, before fork returns there, and does not change in the parent. Costs one load.
// A process identifier is not enough, because a later descendant may get the same one.
uint64_t ForkCount();

}  // namespace ggufc::runtime
