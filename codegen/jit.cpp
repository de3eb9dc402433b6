#include "codegen/jit.h"

#include <llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h>
#include <llvm/ExecutionEngine/Orc/Core.h>
#include <llvm/ExecutionEngine/Orc/ExecutorProcessControl.h>
#include <llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h>
#include <llvm/Support/MemoryBuffer.h>

#include <utility>

namespace ggufc::codegen {
namespace {

bool IsOutOfMemory(const llvm::ErrorInfoBase& error) {
  return error.convertToErrorCode() == std::errc::not_enough_memory;
}

// Objects come from our own emitter, so failing to load one is an internal error or lack of memory.
tl::unexpected<Error> FromLlvm(std::string_view what, llvm::Error error) {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
  llvm::handleAllErrors(std::move(error), [&](const llvm::ErrorInfoBase& one) {
    if (IsOutOfMemory(one)) kind = ErrorKind::kOutOfMemory;
    message += fmt::format("{}{}", message.empty() ? "" : "; ", one.message());
  });
  return Err(kind, "{}: {}", what, message);
}

}  // namespace

// An ORC session with one library and a linking layer: LLJIT without its compiler, its platform and the symbols of the
// process.
struct LoadedCode::Session {
  llvm::orc::ExecutionSession execution;
  llvm::orc::JITDylib& library;
  llvm::orc::ObjectLinkingLayer linker;
  bool out_of_memory = false;  // during linking

  Session(std::unique_ptr<llvm::orc::ExecutorProcessControl> process,
          std::unique_ptr<llvm::jitlink::JITLinkMemoryManager> memory)
      : execution(std::move(process)),
        library(execution.createBareJITDylib("code")),
        linker(execution, std::move(memory)) {
    // Lookup reports only which symbols are missing; the cause is reported to the session.
    execution.setErrorReporter([this](llvm::Error error) {
      llvm::handleAllErrors(std::move(error), [this](const llvm::ErrorInfoBase& one) {
        if (IsOutOfMemory(one)) out_of_memory = true;
      });
    });
  }
  ~Session() { llvm::consumeError(execution.endSession()); }
};

LoadedCode::LoadedCode(std::unique_ptr<Session> session) : session_(std::move(session)) {}
LoadedCode::LoadedCode(LoadedCode&&) noexcept = default;
LoadedCode& LoadedCode::operator=(LoadedCode&&) noexcept = default;
LoadedCode::~LoadedCode() = default;

Result<LoadedCode> LoadedCode::Load(std::span<const uint8_t> object,
                                    std::span<const ExternalFunction> externals) {
  auto process = llvm::orc::SelfExecutorProcessControl::Create();
  if (!process) return FromLlvm("load code", process.takeError());
  auto memory = llvm::jitlink::InProcessMemoryManager::Create();
  if (!memory) return FromLlvm("load code", memory.takeError());
  auto session = std::make_unique<Session>(std::move(*process), std::move(*memory));
  llvm::orc::SymbolMap symbols;
  for (const ExternalFunction& external : externals) {
    symbols[session->execution.intern(external.name)] = {llvm::orc::ExecutorAddr::fromPtr(external.address),
                                                         llvm::JITSymbolFlags::Callable};
  }
  if (auto error = session->library.define(llvm::orc::absoluteSymbols(std::move(symbols)))) {
    return FromLlvm("load code", std::move(error));
  }
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(
      llvm::StringRef(reinterpret_cast<const char*>(object.data()), object.size()), "code");
  if (auto error = session->linker.add(session->library, std::move(buffer))) {
    return FromLlvm("load code", std::move(error));
  }
  return LoadedCode(std::move(session));
}

const void* BackendCode() { return reinterpret_cast<const void*>(&llvm::orc::absoluteSymbols); }

Result<void*> LoadedCode::Lookup(std::string_view name) const {
  auto& execution = session_->execution;
  const auto order =
      llvm::orc::makeJITDylibSearchOrder(&session_->library, llvm::orc::JITDylibLookupFlags::MatchAllSymbols);
  auto symbol = execution.lookup(order, execution.intern(llvm::StringRef(name.data(), name.size())));
  if (!symbol) {
    tl::unexpected<Error> error = FromLlvm(fmt::format("load code: {}", name), symbol.takeError());
    if (session_->out_of_memory) error.value().kind = ErrorKind::kOutOfMemory;
    return error;
  }
  return symbol->getAddress().toPtr<void*>();
}

}  // namespace ggufc::codegen
