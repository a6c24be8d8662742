// Faults planted in the kernels of a plan: changes of single operations, and whether the model reports them.
#pragma once

#include "tests/gpu-model/GemmCase.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace ein::gpumodel {

struct PlantedFault {
  const char *name, *plan;
  void (*plant)(mlir::gpu::GPUModuleOp);
};

/// Operations of a kind in the order of the module; from the end if `n` is negative.
template <class Op> Op nth(mlir::gpu::GPUModuleOp kernels, int n) {
  llvm::SmallVector<Op> all;
  kernels.walk([&](Op op) { all.push_back(op); });
  int index = n < 0 ? int(all.size()) + n : n;
  EXPECT_TRUE(index >= 0 && index < int(all.size())) << "no such operation in the kernel";
  return index >= 0 && index < int(all.size()) ? all[index] : Op();
}

template <class Op> void erase(mlir::gpu::GPUModuleOp kernels, int n) {
  if (Op op = nth<Op>(kernels, n)) op->erase();
}

/// Replaces an operand by an integer of its type.
inline void setOperand(mlir::Operation *op, unsigned operand, int64_t value) {
  mlir::OpBuilder b(op);
  mlir::Type type = op->getOperand(operand).getType();
  op->setOperand(operand, mlir::arith::ConstantOp::create(b, op->getLoc(), b.getIntegerAttr(type, value)));
}

/// Adds a number of bytes to a pointer operand.
inline void moveBy(mlir::Operation *op, unsigned operand, int32_t bytes) {
  mlir::OpBuilder b(op);
  mlir::Value pointer = op->getOperand(operand);
  op->setOperand(operand, mlir::LLVM::GEPOp::create(b, op->getLoc(), pointer.getType(), b.getI8Type(), pointer,
                                                    llvm::ArrayRef<mlir::LLVM::GEPArg>{bytes}));
}

/// The fault in the kernels of `plan` is reported on one of six seeds; prints a line about it.
template <class Plan> void expectReported(const Plan &plan, const PlantedFault &fault) {
  SCOPED_TRACE(fault.name);
  constexpr uint32_t kSeeds = 6;
  GemmKernels kernels(plan);
  fault.plant(kernels.kernels);
  auto program = ModelProgram::compile(kernels.kernels);
  ASSERT_TRUE(program) << program.error().render();
  std::string found;
  uint32_t seed = 0;
  while (seed < kSeeds && (found = GemmCase(plan, seed).run(**program, seed)).empty()) ++seed;
  EXPECT_NE(found, "") << "not reported on any of " << kSeeds << " seeds";
  std::printf("%-60s seed %u  %s\n", fault.name, seed, found.substr(0, found.find('\n')).c_str());
}

} // namespace ein::gpumodel
