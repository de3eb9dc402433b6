// Object bytes to callable code in this process. JIT is ahead-of-time compilation plus this loader.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "support/result.h"

namespace ggufc::codegen {

// A function of this process that loaded code may call.
struct ExternalFunction {
  const char* name = nullptr;
  const void* address = nullptr;
};

// The code and constants of one object; freed with this object. Pages are written first and executable
// afterwards, never both. The code sees no symbol of the process but those it is given: an object with another
// undefined symbol does not load.
class LoadedCode {
 public:
  // `object`: an ELF object for this machine's instruction set, as EmitObject and EmitArtifactObject make it. Copied.
  // Errors, Lookup's too, are kInternal or kOutOfMemory.
  static Result<LoadedCode> Load(std::span<const uint8_t> object,
                                 std::span<const ExternalFunction> externals = {});

  LoadedCode(LoadedCode&&) noexcept;
  LoadedCode& operator=(LoadedCode&&) noexcept;
  ~LoadedCode();

  // The address of a function or constant, by symbol name; local ones cannot be found. Links the object on first use. Not for concurrent calls.
  Result<void*> Lookup(std::string_view name) const;

 private:
  struct Session;
  explicit LoadedCode(std::unique_ptr<Session> session);
  std::unique_ptr<Session> session_;
};

// An address in LLVM's code: which LLVM it is that generates ours.
const void* BackendCode();

}  // namespace ggufc::codegen
