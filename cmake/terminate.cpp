// The C++ library's last word before a process ends by an uncaught exception: its own version names the exception's type on
// stderr and brings the demangler for that (a tenth of the archive). Here nothing can get that far but a broken
// invariant, and the library prints nothing.
#include <cstdlib>

namespace __gnu_cxx {
void __verbose_terminate_handler();
void __verbose_terminate_handler() { std::abort(); }
}  // namespace __gnu_cxx
