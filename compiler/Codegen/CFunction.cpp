// The C functions, as LLVM IR.
#include "compiler/Codegen/CFunction.h"
#include "ein/Cpu.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"

#include <map>

namespace ein {
namespace {

constexpr uint64_t kWorkspaceAlignment = 64;

/// Writes the functions of one library.
class CFunctionBuilder {
public:
  CFunctionBuilder(llvm::Module &module, llvm::StringRef name, const CompiledModule &description)
      : module(module), name(name), description(description), b(module.getContext()),
        kernel(*module.getFunction(description.entry)) {}

  void build() {
    kernel.setName(name + "_kernel");
    kernel.setVisibility(llvm::GlobalValue::ProtectedVisibility);
    kernel.setDSOLocal(true);
    buildAllocating(*buildChecking(*buildCpuCheck()));
  }

private:
  size_t tensorCount() const { return description.operands.size() + description.results.size(); }
  const TensorType &tensor(size_t i) const {
    const size_t operands = description.operands.size();
    return i < operands ? description.operands[i] : description.results[i - operands];
  }

  llvm::Function *define(const llvm::Twine &symbol, size_t pointers, bool exported) {
    llvm::SmallVector<llvm::Type *> parameters(pointers, b.getPtrTy());
    auto *function = llvm::Function::Create(
        llvm::FunctionType::get(b.getInt32Ty(), parameters, false),
        exported ? llvm::GlobalValue::ExternalLinkage : llvm::GlobalValue::InternalLinkage, symbol, module);
    if (exported) function->setVisibility(llvm::GlobalValue::ProtectedVisibility);
    function->setDSOLocal(true);
    function->setDoesNotThrow();
    // Runs before the CPU is known to have more.
    function->addFnAttr("target-cpu", "x86-64");
    b.SetInsertPoint(llvm::BasicBlock::Create(module.getContext(), "", function));
    return function;
  }

  /// Returns `status` where the condition holds; goes on where it does not.
  void refuseIf(llvm::Value *condition, CStatus status) {
    llvm::Function *function = b.GetInsertBlock()->getParent();
    auto *refuse = llvm::BasicBlock::Create(module.getContext(), "", function);
    auto *go = llvm::BasicBlock::Create(module.getContext(), "", function);
    b.CreateCondBr(condition, refuse, go);
    b.SetInsertPoint(refuse);
    b.CreateRet(b.getInt32(static_cast<uint32_t>(status)));
    b.SetInsertPoint(go);
  }

  llvm::Value *isMisaligned(llvm::Value *pointer, uint64_t alignment) {
    llvm::Value *low = b.CreateAnd(b.CreatePtrToInt(pointer, b.getInt64Ty()), alignment - 1);
    return b.CreateICmpNE(low, b.getInt64(0));
  }

  void refusePointer(llvm::Value *pointer, uint64_t alignment) {
    refuseIf(b.CreateIsNull(pointer), CStatus::Null);
    refuseIf(isMisaligned(pointer, alignment), CStatus::Misaligned);
  }

  /// Pointers to `count` parameters from `first` on, as the kernel takes them.
  llvm::Value *pointersOf(llvm::Function &function, size_t first, size_t count) {
    llvm::Value *array = b.CreateAlloca(b.getPtrTy(), b.getInt64(std::max<size_t>(count, 1)));
    for (size_t i = 0; i < count; ++i)
      b.CreateStore(function.getArg(first + i), b.CreateConstGEP1_64(b.getPtrTy(), array, i));
    return array;
  }

  /// Registers a, b, c and d of a leaf of CPUID.
  llvm::Value *cpuid(uint32_t leaf, uint32_t subleaf) {
    auto *word = b.getInt32Ty();
    auto *type = llvm::FunctionType::get(llvm::StructType::get(word, word, word, word), {word, word}, false);
    auto *code = llvm::InlineAsm::get(type, "cpuid", "={ax},={bx},={cx},={dx},{ax},{cx},~{dirflag},~{fpsr},~{flags}",
                                      /*hasSideEffects=*/true);
    return b.CreateCall(type, code, {b.getInt32(leaf), b.getInt32(subleaf)});
  }

  llvm::Value *hasBits(llvm::Value *word, uint32_t mask) {
    return b.CreateICmpEQ(b.CreateAnd(word, mask), b.getInt32(mask));
  }

  /// Refuses unless the bits of all needed extensions, and the registers' state, are there. A leaf that the CPU does
  /// not know is not asked for.
  void refuseLackingBits() {
    std::map<std::pair<uint32_t, uint32_t>, std::map<char, uint32_t>> leaves;
    uint32_t state = 0;
    for (const CpuFeature &feature : cpuFeatureTable()) {
      if (!llvm::is_contained(description.features, feature.name)) continue;
      leaves[{feature.leaf, feature.subleaf}][feature.reg] |= 1u << feature.bit;
      state |= feature.state;
    }
    if (state != 0) leaves[{1, 0}]['c'] |= 1u << 27; // xgetbv is allowed
    for (const auto &[leaf, registers] : leaves) {
      llvm::Value *last = b.CreateExtractValue(cpuid(leaf.first & 0x80000000, 0), 0);
      refuseIf(b.CreateICmpULT(last, b.getInt32(leaf.first)), CStatus::Cpu);
      if (leaf.second > 0) {
        last = b.CreateExtractValue(cpuid(leaf.first, 0), 0);
        refuseIf(b.CreateICmpULT(last, b.getInt32(leaf.second)), CStatus::Cpu);
      }
      llvm::Value *words = cpuid(leaf.first, leaf.second);
      for (const auto &[reg, mask] : registers)
        refuseIf(b.CreateNot(hasBits(b.CreateExtractValue(words, unsigned(reg - 'a')), mask)), CStatus::Cpu);
    }
    if (state == 0) return;
    auto *type = llvm::FunctionType::get(b.getInt32Ty(), {b.getInt32Ty()}, false);
    auto *code = llvm::InlineAsm::get(type, "xgetbv", "={ax},{cx},~{dx},~{dirflag},~{fpsr},~{flags}", true);
    refuseIf(b.CreateNot(hasBits(b.CreateCall(type, code, {b.getInt32(0)}), state)), CStatus::Cpu);
  }

  /// CStatus::Fine or Cpu. The first answer "fine" is kept.
  llvm::Function *buildCpuCheck() {
    auto *known = new llvm::GlobalVariable(module, b.getInt32Ty(), false, llvm::GlobalValue::InternalLinkage,
                                           b.getInt32(0), name + "_cpu_fits");
    llvm::Function *check = define(name + "_cpu", 0, false);
    llvm::LoadInst *fits = b.CreateLoad(b.getInt32Ty(), known);
    fits->setAtomic(llvm::AtomicOrdering::Monotonic);
    refuseIf(b.CreateICmpNE(fits, b.getInt32(0)), CStatus::Fine);
    refuseLackingBits();
    b.CreateStore(b.getInt32(1), known)->setAtomic(llvm::AtomicOrdering::Monotonic);
    b.CreateRet(b.getInt32(0));
    return check;
  }

  llvm::Function *buildChecking(llvm::Function &cpuCheck) {
    const size_t count = tensorCount(), operands = description.operands.size();
    llvm::Function *function = define(name + "_ws", count + 1, true);
    refuseIf(b.CreateICmpNE(b.CreateCall(&cpuCheck), b.getInt32(0)), CStatus::Cpu);
    for (size_t i = 0; i < count; ++i)
      if (tensor(i).numElements() > 0)
        refusePointer(function->getArg(i), static_cast<uint64_t>(byteSize(tensor(i).dtype)));
    llvm::Value *workspace = function->getArg(count);
    if (description.workspaceBytes > 0) refusePointer(workspace, kWorkspaceAlignment);
    b.CreateCall(&kernel,
                 {pointersOf(*function, 0, operands), pointersOf(*function, operands, count - operands), workspace});
    b.CreateRet(b.getInt32(0));
    return function;
  }

  void buildAllocating(llvm::Function &checking) {
    const size_t count = tensorCount();
    llvm::Function *function = define(name, count, true);
    llvm::SmallVector<llvm::Value *> arguments(llvm::make_pointer_range(function->args()));
    if (description.workspaceBytes == 0) {
      arguments.push_back(llvm::ConstantPointerNull::get(b.getPtrTy()));
      b.CreateRet(b.CreateCall(&checking, arguments));
      return;
    }
    auto *size = b.getInt64Ty();
    auto allocate = module.getOrInsertFunction("aligned_alloc", b.getPtrTy(), size, size);
    auto free = module.getOrInsertFunction("free", b.getVoidTy(), b.getPtrTy());
    const uint64_t bytes = llvm::alignTo(static_cast<uint64_t>(description.workspaceBytes), kWorkspaceAlignment);
    llvm::Value *workspace = b.CreateCall(allocate, {b.getInt64(kWorkspaceAlignment), b.getInt64(bytes)});
    refuseIf(b.CreateIsNull(workspace), CStatus::NoMemory);
    arguments.push_back(workspace);
    llvm::Value *status = b.CreateCall(&checking, arguments);
    b.CreateCall(free, {workspace});
    b.CreateRet(status);
  }

  llvm::Module &module;
  llvm::StringRef name;
  const CompiledModule &description;
  llvm::IRBuilder<> b;
  llvm::Function &kernel;
};

Expected<void> checkName(const llvm::Module &module, llvm::StringRef name) {
  const auto isWord = [](char c) { return llvm::isAlnum(c) || c == '_'; };
  if (name.size() > 200 || llvm::isDigit(name.front()) || !llvm::all_of(name, isWord))
    return makeError(ErrorCode::Syntax, "'" + name.str() + "' is not a C identifier",
                     "letters, digits and underscores, at most 200, not a digit first");
  llvm::TargetLibraryInfoImpl library(module.getTargetTriple());
  llvm::LibFunc known;
  for (const char *suffix : {"", "_ws", "_kernel", "_cpu"})
    if (library.getLibFunc((name + suffix).str(), known) || module.getNamedValue((name + suffix).str()))
      return makeError(ErrorCode::DuplicateName, "'" + name.str() + suffix + "' is the name of another function",
                       "choose a name that neither the C library nor the kernel uses");
  return {};
}

} // namespace

Expected<void> addCFunction(llvm::Module &module, llvm::StringRef name, CompiledModule &description) {
  if (auto fine = checkName(module, name); !fine) return fine;
  CFunctionBuilder(module, name, description).build();
  description.entry = name.str() + "_kernel";
  return {};
}

} // namespace ein
