#include "codegen/artifact_object.h"

#include <elf.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/DerivedTypes.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>

#include <cstddef>
#include <cstring>

#include "codegen/backend.h"
#include "codegen/emit/emitter.h"
#include "runtime/api/code.h"
#include "support/check.h"

namespace ggufc::codegen {
namespace {

constexpr uint64_t kPage = 4096;

std::string SymbolPrefix(const ArtifactTarget& part) { return fmt::format("{}.", part.target->name()); }

// Builds the structs of runtime/api/code.h as constants of an LLVM module.
class DescriptorBuilder {
 public:
  DescriptorBuilder(llvm::Module& module, const ArtifactCode& code)
      : module_(module),
        code_(code),
        b_(module.getContext()),
        pointer_(b_.getPtrTy()),
        target_type_(llvm::StructType::create({pointer_, b_.getInt64Ty(), b_.getInt64Ty(), pointer_,
                                               b_.getInt64Ty(), pointer_, b_.getInt64Ty()},
                                              "ggufc_code_target")),
        code_type_(llvm::StructType::create(
            {llvm::ArrayType::get(b_.getInt8Ty(), 8), b_.getInt32Ty(), b_.getInt32Ty(),
             llvm::ArrayType::get(b_.getInt8Ty(), 16), pointer_, pointer_, pointer_, b_.getInt64Ty()},
            "ggufc_code")) {
    CheckLayout(target_type_, sizeof(ggufc_code_target),
                {offsetof(ggufc_code_target, name), offsetof(ggufc_code_target, features),
                 offsetof(ggufc_code_target, layout), offsetof(ggufc_code_target, program),
                 offsetof(ggufc_code_target, program_bytes), offsetof(ggufc_code_target, kernels),
                 offsetof(ggufc_code_target, kernel_count)});
    CheckLayout(
        code_type_, sizeof(ggufc_code),
        {offsetof(ggufc_code, magic), offsetof(ggufc_code, version), offsetof(ggufc_code, target_count),
         offsetof(ggufc_code, fingerprint), offsetof(ggufc_code, name), offsetof(ggufc_code, targets),
         offsetof(ggufc_code, image), offsetof(ggufc_code, image_bytes)});
  }

  // NAME_code.
  llvm::GlobalVariable* Build() {
    std::vector<llvm::Constant*> targets;
    for (const ArtifactTarget& part : code_.targets) targets.push_back(TargetOf(part));
    llvm::Constant* image = llvm::ConstantPointerNull::get(pointer_);
    if (code_.image_bytes > 0) {
      // A placeholder of one byte; ReserveImage sets the section's size.
      llvm::GlobalVariable* section = LocalConstant(b_.getInt8(0), code_.name + "_image");
      section->setSection(kImageSection);
      section->setAlignment(llvm::Align(kPage));
      image = section;
    }
    llvm::Constant* fields[] = {
        llvm::ConstantDataArray::getString(module_.getContext(), GGUFC_CODE_MAGIC, /*AddNull=*/false),
        b_.getInt32(GGUFC_CODE_VERSION),
        b_.getInt32(static_cast<uint32_t>(targets.size())),
        llvm::ConstantDataArray::get(module_.getContext(), code_.fingerprint),
        Text(code_.name),
        LocalConstant(llvm::ConstantArray::get(llvm::ArrayType::get(target_type_, targets.size()), targets),
                      code_.name + "_targets"),
        image,
        b_.getInt64(code_.image_bytes)};
    auto* code =
        new llvm::GlobalVariable(module_, code_type_, /*isConstant=*/true, llvm::GlobalValue::ExternalLinkage,
                                 llvm::ConstantStruct::get(code_type_, fields), code_.name + "_code");
    code->setVisibility(llvm::GlobalValue::HiddenVisibility);
    code->setDSOLocal(true);
    return code;
  }

  // Defines function `name`(arguments...), which returns `callee`(&NAME_code, arguments...). `parameters` are the types of
  // its own parameters.
  void DefineForwarder(llvm::GlobalVariable* code, const std::string& name, const char* callee,
                       std::vector<llvm::Type*> parameters) {
    auto* type = llvm::FunctionType::get(b_.getInt32Ty(), parameters, false);
    parameters.insert(parameters.begin(), pointer_);
    const llvm::FunctionCallee target =
        module_.getOrInsertFunction(callee, llvm::FunctionType::get(b_.getInt32Ty(), parameters, false));
    auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, name, module_);
    b_.SetInsertPoint(llvm::BasicBlock::Create(module_.getContext(), "entry", function));
    std::vector<llvm::Value*> arguments = {code};
    for (llvm::Argument& argument : function->args()) arguments.push_back(&argument);
    llvm::CallInst* call = b_.CreateCall(target, arguments);
    call->setTailCall();
    b_.CreateRet(call);
  }

  void DefineOpen(llvm::GlobalVariable* code) {
    DefineForwarder(code, code_.name + "_open", "ggufc_open_code", {pointer_, pointer_, pointer_});
  }
  void DefineMain(llvm::GlobalVariable* code) {
    DefineForwarder(code, "main", "ggufc_main", {b_.getInt32Ty(), pointer_});
  }

 private:
  void CheckLayout(llvm::StructType* type, size_t bytes, const std::vector<size_t>& offsets) {
    const llvm::StructLayout* layout = module_.getDataLayout().getStructLayout(type);
    CHECK(layout->getSizeInBytes() == bytes && type->getNumElements() == offsets.size(),
          "the layout of {} differs from code.h", type->getName().str());
    for (unsigned i = 0; i < offsets.size(); ++i) {
      CHECK(layout->getElementOffset(i) == offsets[i], "the layout of {}, field {}, differs from code.h",
            type->getName().str(), i);
    }
  }

  llvm::GlobalVariable* LocalConstant(llvm::Constant* value, const std::string& name) {
    auto* global = new llvm::GlobalVariable(module_, value->getType(), /*isConstant=*/true,
                                            llvm::GlobalValue::InternalLinkage, value, name);
    global->setAlignment(llvm::Align(8));
    return global;
  }

  llvm::Constant* Text(llvm::StringRef text) {
    auto* global =
        new llvm::GlobalVariable(module_, llvm::ArrayType::get(b_.getInt8Ty(), text.size() + 1),
                                 /*isConstant=*/true, llvm::GlobalValue::PrivateLinkage,
                                 llvm::ConstantDataArray::getString(module_.getContext(), text), "text");
    global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
    return global;
  }

  llvm::Constant* TargetOf(const ArtifactTarget& part) {
    std::vector<llvm::Constant*> kernels;
    for (const std::string& kernel : part.kernels) {
      llvm::Function* function = module_.getFunction(SymbolPrefix(part) + kernel);
      CHECK(function != nullptr, "target {} has no kernel {}", part.target->name(), kernel);
      kernels.push_back(function);
    }
    llvm::Constant* fields[] = {
        Text(part.target->info.name),
        b_.getInt64(RequiredFeatures(*part.target)),
        b_.getInt64(part.layout),
        LocalConstant(llvm::ConstantDataArray::get(module_.getContext(), part.program),
                      SymbolPrefix(part) + "program"),
        b_.getInt64(part.program.size()),
        LocalConstant(llvm::ConstantArray::get(llvm::ArrayType::get(pointer_, kernels.size()), kernels),
                      SymbolPrefix(part) + "kernels"),
        b_.getInt64(kernels.size())};
    return llvm::ConstantStruct::get(target_type_, fields);
  }

  llvm::Module& module_;
  const ArtifactCode& code_;
  llvm::IRBuilder<> b_;
  llvm::PointerType* pointer_;
  llvm::StructType* target_type_;
  llvm::StructType* code_type_;
};

Result<BackendModule> Prepare(const ArtifactCode& code) {
  CHECK(!code.targets.empty() && code.targets.size() <= GGUFC_CODE_MAX_TARGETS, "{} targets",
        code.targets.size());
  // Emitted functions carry their own processor. NAME_open and main carry none and run on the least capable target.
  BackendModule prepared = MakeBackendModule(code.name, Targets().front());
  llvm::Module& module = *prepared.module;
  for (const ArtifactTarget& part : code.targets) {
    EmitOptions options;
    options.symbol_prefix = SymbolPrefix(part);
    CHECK(module.getFunction(options.symbol_prefix + part.kernels.front()) == nullptr, "target {} twice",
          part.target->name());
    RETURN_IF_ERROR(EmitInto(module, *part.module, *part.target, options));
  }
  Optimize(prepared);
  // Kernels become local symbols: only the descriptor refers to them, and two models in one program may have kernels of
  // the same names.
  for (llvm::Function& function : module) {
    if (function.isDeclaration()) continue;  // intrinsics
    function.setVisibility(llvm::GlobalValue::DefaultVisibility);
    function.setLinkage(llvm::GlobalValue::InternalLinkage);
  }
  DescriptorBuilder descriptor(module, code);
  llvm::GlobalVariable* root = descriptor.Build();
  descriptor.DefineOpen(root);
  if (code.main) descriptor.DefineMain(root);
  std::string problems;
  llvm::raw_string_ostream stream(problems);
  CHECK(!llvm::verifyModule(module, &stream), "LLVM IR of artifact {}: {}", code.name, problems);
  return prepared;
}

template <typename T>
T Read(const std::vector<uint8_t>& bytes, uint64_t at) {
  CHECK(at <= bytes.size() && sizeof(T) <= bytes.size() - at, "object: read at byte {} of {}", at,
        bytes.size());
  T value = {};
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

template <typename T>
void Write(std::vector<uint8_t>& bytes, uint64_t at, const T& value) {
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

}  // namespace

Result<std::vector<uint8_t>> EmitArtifactObject(const ArtifactCode& code) {
  ASSIGN_OR_RETURN(BackendModule prepared, Prepare(code));
  const auto bytes = Generate(prepared, llvm::CodeGenFileType::ObjectFile);
  return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

void ReserveImage(std::vector<uint8_t>& object, uint64_t image_bytes) {
  const auto header = Read<Elf64_Ehdr>(object, 0);
  const auto section_at = [&](uint64_t index) { return header.e_shoff + index * sizeof(Elf64_Shdr); };
  const auto names = Read<Elf64_Shdr>(object, section_at(header.e_shstrndx));
  object.resize((object.size() + kPage - 1) / kPage * kPage);
  uint64_t image = 0;
  for (uint64_t i = 1; i < header.e_shnum; ++i) {
    auto section = Read<Elf64_Shdr>(object, section_at(i));
    const char* name = reinterpret_cast<const char*>(object.data()) + names.sh_offset + section.sh_name;
    if (std::strcmp(name, kImageSection) != 0) continue;
    CHECK(image == 0 && section.sh_size == 1 && section.sh_addralign == kPage,
          "object: section {} is not the expected placeholder", kImageSection);
    section.sh_offset = object.size();
    section.sh_size = image_bytes;
    Write(object, section_at(i), section);
    image = i;
  }
  CHECK(image != 0, "object: no section {}", kImageSection);
  for (uint64_t i = 1; i < header.e_shnum; ++i) {
    const auto table = Read<Elf64_Shdr>(object, section_at(i));
    if (table.sh_type != SHT_SYMTAB) continue;
    for (uint64_t at = table.sh_offset; at < table.sh_offset + table.sh_size; at += sizeof(Elf64_Sym)) {
      auto symbol = Read<Elf64_Sym>(object, at);
      if (symbol.st_shndx != image || ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT) continue;
      symbol.st_size = image_bytes;
      Write(object, at, symbol);
    }
  }
}

Result<std::string> PrintArtifactLlvm(const ArtifactCode& code) {
  ASSIGN_OR_RETURN(const BackendModule prepared, Prepare(code));
  std::string text;
  llvm::raw_string_ostream stream(text);
  prepared.module->print(stream, nullptr);
  return text;
}

Result<std::string> PrintArtifactAssembly(const ArtifactCode& code) {
  ASSIGN_OR_RETURN(BackendModule prepared, Prepare(code));
  const auto bytes = Generate(prepared, llvm::CodeGenFileType::AssemblyFile);
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace ggufc::codegen
