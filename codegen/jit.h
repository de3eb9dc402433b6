// Loads an object as callable code of this process. JIT compilation is ahead-of-time compilation plus this loader.
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

// The code and constants of one loaded ELF object; freed by the destructor. Pages are first writable, then executable,
// never both. The code can refer only to the given external functions: an object with another undefined symbol does not
// load.
class LoadedCode {
 public:
  // `object`: an ELF object for this machine's instruction set, from EmitObject or EmitArtifactObject. It is copied.
  // Errors of Load and Lookup are kInternal or kOutOfMemory.
  static Result<LoadedCode> Load(std::span<const uint8_t> object,
                                 std::span<const ExternalFunction> externals = {});

  LoadedCode(LoadedCode&&) noexcept;
  LoadedCode& operator=(LoadedCode&&) noexcept;
  ~LoadedCode();

  // The address of a function or constant by symbol name; local symbols are not found. The first call links the object.
  // Do not call it concurrently.
  Result<void*> Lookup(std::string_view name) const;

 private:
  struct Session;
  explicit LoadedCode(std::unique_ptr<Session> session);
  std::unique_ptr<Session> session_;
};

// An address in LLVM's code, which identifies the LLVM library that generates code.
const void* BackendCode();

}  // namespace ggufc::codegen
