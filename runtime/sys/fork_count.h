// Tells a process from the copy of it that fork makes: what belongs to threads, and locks that they may hold, exist
// in the copy without the threads. Who owns such things notes the count when it makes them and makes them anew when
// the count has changed.
#pragma once

#include <cstdint>

#include "support/result.h"

namespace ggufc::runtime {

// From now on ForkCount() is kept; again is fine. It fails where the system has no memory left for it.
Status WatchForks();

// Rises by one in the child of each fork, before fork returns there; the parent's stays. A load of an atomic. (A
// process identifier would not do: a later descendant may get the same one.)
uint64_t ForkCount();

}  // namespace ggufc::runtime
