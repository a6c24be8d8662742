// Code for this CPU through LLVM's JIT.
#include "tests/gpu-model/ModelCode.h"

#include "tests/gpu-model/Runtime.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"

#include <bit>
#include <cmath>

using namespace llvm;

namespace ein::gpumodel {
namespace {

// Conversions that x86 before AVX-512 does not have. The ABI returns 16-bit floats in the low half of a register of
// floats.
float inLowHalf(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits)); }

float truncateToBFloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return inLowHalf(uint16_t(bits >> 16 | 0x40));
  return inLowHalf(uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16));
}

float truncateDoubleToBFloat(double value) {
  // Rounded to odd first, so that nothing is rounded twice.
  float near = float(value);
  uint32_t bits = std::bit_cast<uint32_t>(near);
  if (double(near) != value && !std::isnan(value)) {
    if ((std::abs(double(near)) > std::abs(value))) --bits;
    bits |= 1;
  }
  return truncateToBFloat(std::bit_cast<float>(bits));
}

template <class F> orc::ExecutorSymbolDef symbol(F *function) {
  return {orc::ExecutorAddr::fromPtr(function), JITSymbolFlags::Exported | JITSymbolFlags::Callable};
}

orc::SymbolMap runtimeSymbols(orc::LLJIT &jit) {
  orc::SymbolMap symbols;
#define EIN_SYMBOL(NAME) symbols[jit.mangleAndIntern(#NAME)] = symbol(&NAME)
  EIN_SYMBOL(ein_model_access);
  EIN_SYMBOL(ein_model_shared);
  EIN_SYMBOL(ein_model_shared_to_int);
  EIN_SYMBOL(ein_model_int_to_shared);
  EIN_SYMBOL(ein_model_mapa);
  EIN_SYMBOL(ein_model_fence);
  EIN_SYMBOL(ein_model_register);
  EIN_SYMBOL(ein_model_mbarrier_init);
  EIN_SYMBOL(ein_model_mbarrier_inval);
  EIN_SYMBOL(ein_model_mbarrier_arrive);
  EIN_SYMBOL(ein_model_mbarrier_wait);
  EIN_SYMBOL(ein_model_barrier);
  EIN_SYMBOL(ein_model_barrier_arrive);
  EIN_SYMBOL(ein_model_cluster_arrive);
  EIN_SYMBOL(ein_model_cluster_wait);
  EIN_SYMBOL(ein_model_fence_mbarrier_init);
  EIN_SYMBOL(ein_model_fence_proxy_async);
  EIN_SYMBOL(ein_model_tma_load);
  EIN_SYMBOL(ein_model_tma_store);
  EIN_SYMBOL(ein_model_bulk_commit);
  EIN_SYMBOL(ein_model_bulk_wait);
  EIN_SYMBOL(ein_model_cp_async);
  EIN_SYMBOL(ein_model_cp_async_commit);
  EIN_SYMBOL(ein_model_cp_async_wait);
  EIN_SYMBOL(ein_model_wgmma);
  EIN_SYMBOL(ein_model_accumulator);
  EIN_SYMBOL(ein_model_wgmma_fence);
  EIN_SYMBOL(ein_model_wgmma_commit);
  EIN_SYMBOL(ein_model_wgmma_wait);
  EIN_SYMBOL(ein_model_shuffle);
  EIN_SYMBOL(ein_model_vote);
  EIN_SYMBOL(ein_model_elect);
  EIN_SYMBOL(ein_model_warp_sync);
  EIN_SYMBOL(ein_model_ldmatrix);
  EIN_SYMBOL(ein_model_stmatrix);
  EIN_SYMBOL(ein_model_mma);
#undef EIN_SYMBOL
  symbols[jit.mangleAndIntern("__truncsfbf2")] = symbol(&truncateToBFloat);
  symbols[jit.mangleAndIntern("__truncdfbf2")] = symbol(&truncateDoubleToBFloat);
  return symbols;
}

Error failure(llvm::Error error) { return makeError(ErrorCode::Compile, llvm::toString(std::move(error))); }

/// Kernels run once or a few times: code is made fast, and the same on every machine that has AVX2.
orc::JITTargetMachineBuilder targetMachine() {
  orc::JITTargetMachineBuilder machine{Triple(sys::getProcessTriple())};
  StringMap<bool> features = sys::getHostCPUFeatures();
  machine.setCPU(features.lookup("avx2") && features.lookup("fma") ? "x86-64-v3" : "x86-64-v2");
  machine.setCodeGenOptLevel(CodeGenOptLevel::None);
  return machine;
}

} // namespace

struct ModelCode::State {
  std::unique_ptr<orc::LLJIT> jit;
};

ModelCode::ModelCode(std::unique_ptr<State> state) : state(std::move(state)) {}
ModelCode::~ModelCode() = default;

Expected<std::unique_ptr<ModelCode>> ModelCode::compile(mlir::ModuleOp module) {
  static const bool once = !InitializeNativeTarget() && !InitializeNativeTargetAsmPrinter();
  if (!once) return makeError(ErrorCode::Compile, "LLVM has no back end for this CPU");
  mlir::registerBuiltinDialectTranslation(*module->getContext());
  mlir::registerLLVMDialectTranslation(*module->getContext());
  auto context = std::make_unique<LLVMContext>();
  std::unique_ptr<Module> code = mlir::translateModuleToLLVMIR(module, *context);
  if (!code) return makeError(ErrorCode::Compile, "the lowered module has no LLVM IR");
  auto jit = orc::LLJITBuilder().setJITTargetMachineBuilder(targetMachine()).create();
  if (!jit) return failure(jit.takeError());
  code->setDataLayout((*jit)->getDataLayout());
  if (auto error = (*jit)->getMainJITDylib().define(orc::absoluteSymbols(runtimeSymbols(**jit))))
    return failure(std::move(error));
  if (auto error = (*jit)->addIRModule(orc::ThreadSafeModule(std::move(code), std::move(context))))
    return failure(std::move(error));
  return std::unique_ptr<ModelCode>(new ModelCode(std::make_unique<State>(State{std::move(*jit)})));
}

ModelCode::Entry *ModelCode::entry(const std::string &kernel) const {
  auto address = state->jit->lookup(kernel + ".entry");
  if (!address) {
    consumeError(address.takeError());
    return nullptr;
  }
  return address->toPtr<Entry *>();
}

} // namespace ein::gpumodel
