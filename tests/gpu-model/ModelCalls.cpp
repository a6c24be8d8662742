// Calls of the model's runtime.
#include "tests/gpu-model/ModelCalls.h"

using namespace mlir;

namespace ein::gpumodel {

Value ModelCalls::toI32(Value value, int64_t otherwise) {
  if (!value) return i32(otherwise);
  unsigned width = cast<IntegerType>(value.getType()).getWidth();
  if (width < 32) return LLVM::ZExtOp::create(*this, getI32Type(), value);
  if (width > 32) return LLVM::TruncOp::create(*this, getI32Type(), value);
  return value;
}

Value ModelCalls::room(Type type, int64_t count) {
  InsertionGuard guard(*this);
  auto function = op->getParentOfType<LLVM::LLVMFuncOp>();
  setInsertionPointToStart(&function.getBody().front());
  return LLVM::AllocaOp::create(*this, pointer(), type, i32(count), /*alignment=*/16);
}

Value ModelCalls::call(StringRef name, Type result, ValueRange arguments) {
  auto site = op->getAttrOfType<IntegerAttr>(kSiteAttr);
  SmallVector<Value> all = {i32(site ? site.getInt() : 0)};
  all.append(arguments.begin(), arguments.end());
  // Values keep their address spaces until all are lowered; a declaration has none from the start.
  auto plain = [&](Type type) { return isa<LLVM::LLVMPointerType>(type) ? pointer() : type; };
  SmallVector<Type> types;
  for (Value v : all) types.push_back(plain(v.getType()));
  std::string symbol = ("ein_model_" + name).str();
  auto module = op->getParentOfType<ModuleOp>();
  if (!module.lookupSymbol(symbol)) {
    InsertionGuard guard(*this);
    setInsertionPointToStart(module.getBody());
    Type returned = result ? plain(result) : LLVM::LLVMVoidType::get(getContext());
    LLVM::LLVMFuncOp::create(*this, symbol, LLVM::LLVMFunctionType::get(returned, types));
  }
  auto made = LLVM::CallOp::create(*this, result ? TypeRange(result) : TypeRange(), symbol, all);
  return result ? made.getResult() : Value();
}

void ModelCalls::replace(StringRef name, ValueRange arguments) {
  call(name, arguments);
  op->erase();
}

void ModelCalls::replaceInteger(StringRef name, ValueRange arguments) {
  auto type = cast<IntegerType>(op->getResult(0).getType());
  Value value = call(name, getI32Type(), arguments);
  if (type.getWidth() == 1) value = LLVM::ICmpOp::create(*this, LLVM::ICmpPredicate::ne, value, i32(0));
  replaceWith(value);
}

} // namespace ein::gpumodel
