// What a relocatable object holds: its functions' bytes and its symbols.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace ggufc::testing {

struct ObjectFunction {
  bool local = false;
  std::vector<uint8_t> code;
  std::vector<uint64_t> relocated;  // offsets of four bytes in it that the linker fills in
};

struct ObjectSymbol {
  bool defined = false;
  bool local = false;
  uint64_t bytes = 0;
};

class ElfObject {
 public:
  // A well-formed ET_REL file of x86-64; anything else ends the test program. `bytes` must outlive the object.
  explicit ElfObject(std::span<const uint8_t> bytes);

  const std::map<std::string, ObjectFunction>& functions() const { return functions_; }
  const std::map<std::string, ObjectSymbol>& symbols() const { return symbols_; }  // with a name

 private:
  std::map<std::string, ObjectFunction> functions_;
  std::map<std::string, ObjectSymbol> symbols_;
};

}  // namespace ggufc::testing
