// ein-lower-to-llvm: every dialect of a nest to LLVM in one conversion.
#include "compiler/Transforms/Passes.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/OpenMPToLLVM/ConvertOpenMPToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;

namespace ein {

#define GEN_PASS_DEF_LOWERTOLLVM
#include "compiler/Transforms/Passes.h.inc"

namespace {

/// NestBuilder::flat's cast of a pointer to a flat memref: a descriptor around the pointer.
struct PointerToMemRef : ConvertOpToLLVMPattern<UnrealizedConversionCastOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  static bool matches(UnrealizedConversionCastOp op) {
    return op.getNumOperands() == 1 && op.getNumResults() == 1 &&
           isa<LLVM::LLVMPointerType>(op.getOperand(0).getType()) && isa<MemRefType>(op.getResult(0).getType());
  }

  LogicalResult matchAndRewrite(UnrealizedConversionCastOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    if (!matches(op)) return failure();
    auto type = cast<MemRefType>(op.getResult(0).getType());
    Value descriptor =
        MemRefDescriptor::fromStaticShape(rewriter, op.getLoc(), *getTypeConverter(), type, adaptor.getOperands()[0]);
    rewriter.replaceOp(op, descriptor);
    return success();
  }
};

struct LowerToLLVM : impl::LowerToLLVMBase<LowerToLLVM> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    LowerToLLVMOptions options(context);
    options.useBarePtrCallConv = true;
    LLVMTypeConverter converter(context, options);
    RewritePatternSet patterns(context);
    patterns.add<PointerToMemRef>(converter);
    populateSCFToControlFlowConversionPatterns(patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    populateFuncToLLVMConversionPatterns(converter, patterns);
    populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns);
    populateOpenMPToLLVMConversionPatterns(converter, patterns);
    ub::populateUBToLLVMConversionPatterns(converter, patterns);

    ConversionTarget target(*context);
    target.addLegalDialect<LLVM::LLVMDialect>();
    target.addLegalOp<ModuleOp>();
    target.addDynamicallyLegalOp<UnrealizedConversionCastOp>(
        [](UnrealizedConversionCastOp op) { return !PointerToMemRef::matches(op); });
    configureOpenMPToLLVMConversionLegality(target, converter);
    // What fails is not compiled at all, so nothing is kept to roll back, and the builder has folded what folds: a third
    // of the time less.
    ConversionConfig config;
    config.allowPatternRollback = false;
    config.foldingMode = DialectConversionFoldingMode::Never;
    if (failed(applyFullConversion(getOperation(), target, std::move(patterns), config))) return signalPassFailure();

    SmallVector<UnrealizedConversionCastOp> casts, left;
    getOperation().walk([&](UnrealizedConversionCastOp op) { casts.push_back(op); });
    reconcileUnrealizedCasts(casts, &left);
    if (left.empty()) return;
    left.front().emitOpError("is left over");
    signalPassFailure();
  }
};

} // namespace

} // namespace ein
