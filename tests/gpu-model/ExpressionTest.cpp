// Whole expressions, compiled for a GPU, in the CPU model: as the interpreter computes them, and without a fault.
#include "tests/conformance/ExamplePrograms.h"
#include "tests/gpu-model/ExpressionCase.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <gtest/gtest.h>

using namespace ein;
using namespace ein::gpumodel;
using namespace ein::test;

namespace {

struct Expression {
  const char *text, *types;
};

/// Each stands for a way through the planner or an emitter.
const Expression kExpressions[] = {
    {"i,i->i", "f32[4096] f32[4096]"},                    // whole vectors
    {"i,i->i", "bf16[4100] bf16[4100]"},                  // vectors of four
    {"i,i->i", "f32[60003] f32[60003]"},                  // vectors, and three elements at the end
    {"i,j->ij", "f32[33] f64[17]"},                       // nothing to load as vectors
    {"ij->i", "f32[40,1000]"},                            // rows by warps
    {"ij->i", "f64[5,3000]"},                             // rows by blocks
    {"ij->j", "f32[300,70]"},                             // columns, one thread each
    {"ijk->", "f32[100,30,7]"},                           // everything, in parts
    {"ij->", "bool[60,70]"},                              // conditions through shuffles
    {"ij->", "i64[60,70]"},                               // 64-bit words through shuffles
    {"ij->i", "u8[9,700]"},                               // narrow words
    {"ij->ji", "f32[65,70]"},                             // squares
    {"abc->cba", "bf16[9,33,40]"},                        // squares with a loop around them
    {"ij->ji", "f64[36,34]"},                             // 16 bytes on both sides
    {"ij->ji", "bf16[72,130]"},                           // squares of 64, loads of 4 bytes, stores of 16
    {"ij->ji", "i8[130,144]"},                            // squares of 128, loads of 16 bytes, stores of 2
    {"ij->ji", "f32[40,33]{36,1}"},                       // rows that end within 16 bytes
    {"ij,ij->ji", "f32[68,72] bf16[68,72]"},              // two squares, each read in its own pieces
    {"ij,ji->ij", "f32[40,33] f32[33,40]"},               // one input is staged, one is not
    {"ij,ji->ij", "bf16[64,72] f32[72,64]"},              // the same by vectors
    {"ii->i", "f32[50,50]"},                              // a diagonal
    {"ik,kj->ij", "f32[70,40] f32[40,65]"},               // squares of 64
    {"ik,jk->ij", "f64[64,33] f64[70,33]"},               // both along the depth
    {"ki,kj->ji", "i32[20,64] i32[20,70]"},               // neither
    {"bik,bkj->bij", "f32[2,33,20] f32[2,20,34]"},        // batches
    {"ik,kj->ij", "f32[16,3000] f32[3000,16]"},           // the depth in parts
    {"ik,kj->ij", "c64[20,17] c64[17,30]"},               // complex
    {"ik,kj->ij", "bool[33,40] bool[40,31]"},             // or of ands
    {"ik,kj->ij", "bf16[64,64] bf16[64,64]"},             // tensor cores
    {"ik,jk->ij", "f16[33,50] f16[40,50]"},               // tensor cores, a layout that TMA does not take
    {"bki,bkj->bji", "f64[2,33,20] f64[2,33,18]"},        // tensor cores for f64
    {"ik,kj->ij", "f32[40,33]{-33,-1} f32[33,40]{1,33}"}, // strides
    {"in X: f32[i,j]; Y = softmax[j](X); out Y", "f32[20,130]"},
    {"in X: f32[i], I: i32[j] below(i); Y[j] = X[I[j]]; out Y", "f32[20] i32[50]"},
    {"in X: f32[i,j]; Y[i,j] = if i < j then exp(X) else tanh(X); out Y", "f32[20,33]"},
};

TEST(GpuModelExpression, EveryKindOfKernel) {
  uint32_t seed = 0;
  for (const Expression &e : kExpressions) {
    Case c;
    c.text = e.text;
    c.types = types(e.types);
    // Kernels without tensor cores are the same for both.
    ++seed;
    EXPECT_EQ(mistake(c, seed % 2 ? "sm_80" : "sm_90a", seed), "") << e.text << " of " << e.types;
  }
}

/// Where the target allows tensor cores for f32, and with integers.
TEST(GpuModelExpression, TensorCoresByOption) {
  Case c;
  c.text = "ki,jk->ij";
  c.types = types("f32[40,37] f32[33,40]");
  EXPECT_EQ(mistake(c, "sm_80+tf32x3", 1), "");
  EXPECT_NE(mistake(c, "sm_80+tf32", 1), "") << "as exact as f32";
  for (const char *type : {"i8[40,40] i8[33,40]", "u8[40,40] u8[33,40]"}) {
    c.types = types(type);
    c.options.resultDType = type[0] == 'i' ? DType::I32 : DType::U32;
    EXPECT_EQ(mistake(c, "sm_80", 2), "") << type;
  }
}

TEST(GpuModelExpression, OtherSemirings) {
  for (Semiring semiring : {Semiring::MinPlus, Semiring::MaxPlus, Semiring::MaxTimes, Semiring::LogAddExpPlus}) {
    Case c;
    c.text = "ik,kj->ij";
    c.types = types("f32[40,37] f32[37,33]");
    c.options.semiring = semiring;
    EXPECT_EQ(mistake(c, "sm_80", 2), "") << name(semiring);
  }
}

TEST(GpuModelExpression, AlphaAndBeta) {
  for (const char *text : {"ik,kj->ij", "ik,kj->i", "ik,kj->"}) {
    Case c;
    c.text = text;
    c.types = types("f32[40,37] f32[37,33]");
    c.options.alpha = 0.5;
    c.options.beta = -2;
    EXPECT_EQ(mistake(c, "sm_80", 3), "") << text;
  }
}

TEST(GpuModelExpression, RandomEinsumsAndPrograms) {
  for (uint64_t seed = 1; seed <= 5; ++seed)
    for (const Case &c : {randomEinsum(seed), randomProgram(seed)})
      EXPECT_EQ(mistake(c, seed % 2 ? "sm_90a" : "sm_80", uint32_t(seed)), "") << "seed " << seed << ": " << c.text;
}

/// Plants reads of the first element behind the pointers that the last kernel takes from parameter `first` on; how
/// many.
int readFirst(mlir::gpu::GPUModuleOp kernels, unsigned first) {
  int planted = 0;
  mlir::LLVM::LLVMFuncOp last;
  for (mlir::LLVM::LLVMFuncOp function : kernels.getOps<mlir::LLVM::LLVMFuncOp>()) last = function;
  last.walk([&](mlir::LLVM::GEPOp place) {
    auto pointer = mlir::dyn_cast<mlir::BlockArgument>(place.getBase());
    if (!pointer || pointer.getArgNumber() < first || place.getDynamicIndices().size() != 1) return;
    mlir::OpBuilder b(place);
    mlir::Value index = place.getDynamicIndices()[0];
    place->setOperand(1, mlir::arith::ConstantOp::create(b, place.getLoc(), b.getIntegerAttr(index.getType(), 0)));
    ++planted;
  });
  return planted;
}

/// Contractions whose sums go through a pointwise operation in the registers of the tensor cores' threads. Of each one
/// kernel, with a second one where the depth is in parts.
const Expression kFinished[] = {
    {"in A: bf16[i,k], B: bf16[k,j], c: bf16[j]; Y: bf16 = gelu(sum[k](A*B) + c); out Y",
     "bf16[72,40] bf16[40,136] bf16[136]"},
    // A row's, a column's and an element's factor, f32 results; ragged tiles.
    {"in A: f16[i,k], B: f16[j,k], r: f32[i], c: f16[j], E: f16[i,j]; "
     "Y[i,j]: f32 = max(sum[k](A*B), 0) * r * c + E; out Y",
     "f16[70,48] f16[56,48] f32[70] f16[56] f16[70,56]"},
    // Stored transposed; an odd number of columns.
    {"in A: bf16[i,k], B: bf16[j,k], c: f32[i]; Y[j,i]: bf16 = sum[k](A*B) + c; out Y",
     "bf16[72,32] bf16[71,32] f32[72]"},
    // Several indices in each group, batches; what is added has some of them.
    {"in A: bf16[b,i,h,k], B: bf16[b,h,k,j], c: f32[h,j], m: bool[b,i]; "
     "Y[b,h,i,j]: bf16 = if m then tanh(sum[k](A*B) + c) else 0; out Y",
     "bf16[2,40,2,16] bf16[2,2,16,24] f32[2,24] bool[2,40]"},
    // The depth in parts: the second kernel does it.
    {"in A: bf16[i,k], B: bf16[k,j], c: bf16[j]; Y: bf16 = gelu(sum[k](A*B)) * c; out Y",
     "bf16[32,2048] bf16[2048,32] bf16[32]"},
};

TEST(GpuModelExpression, PointwiseOperationsOnSums) {
  uint32_t seed = 0;
  for (const Expression &e : kFinished)
    for (const char *gpu : {"sm_80", "sm_90a"}) {
      Case c;
      c.text = e.text;
      c.types = types(e.types);
      const std::string plans = plansOf(c, gpu);
      EXPECT_NE(plans.find("sums go through a body"), std::string::npos) << e.text << ": " << plans;
      EXPECT_EQ(plans.find("step1"), std::string::npos) << e.text << ": " << plans;
      EXPECT_EQ(mistake(c, gpu, ++seed), "") << e.text << " of " << e.types << ", " << gpu;
    }
}

/// Bodies that read the first element of each of their tensors.
TEST(GpuModelExpression, PlantedFaultsInOperationsOnSums) {
  for (const Expression &e : kFinished)
    for (const char *gpu : {"sm_80", "sm_90a"}) {
      Case c;
      c.text = e.text;
      c.types = types(e.types);
      EXPECT_NE(mistake(c, gpu, 1, {}, [](auto k) { readFirst(k, k.lookupSymbol("step0_sum") ? 2 : 3); }), "")
          << e.text << ", " << gpu;
    }
}

/// A layer's result may lie where the operand of its contraction does, which other blocks still read.
TEST(GpuModelExpression, PointwiseOperationsOnSumsOfALayerAfterAnother) {
  Case c;
  c.text = "in X: f32[i,a], U: f32[a,b], V: f32[b,c], W: f32[c,d]; H = max(sum[a](X*U), 0); "
           "G = max(sum[b](H*V), 0); Y = sum[c](G*W); out Y[i,d]";
  c.types = types("f32[136,16] f32[16,72] f32[72,72] f32[72,16]");
  const std::string plans = plansOf(c, "sm_80+tf32x3");
  EXPECT_EQ(plans.rfind("step0: mma", 0), 0U) << plans;
  EXPECT_EQ(mistake(c, "sm_80+tf32x3", 1), "") << plans;
}

/// alpha * sums + beta * what was there: the sums are not stored.
TEST(GpuModelExpression, AlphaAndBetaOnSums) {
  Case c;
  c.text = "ik,kj->ij";
  c.types = types("bf16[72,40] bf16[40,64]");
  c.options.alpha = 0.5;
  c.options.beta = -2;
  for (const char *gpu : {"sm_80", "sm_90a"}) {
    EXPECT_NE(plansOf(c, gpu).find("sums go through a body"), std::string::npos) << plansOf(c, gpu);
    EXPECT_EQ(mistake(c, gpu, 1), "") << gpu;
  }
}

/// Chains of reductions that are one pass, each with a mechanism of its own.
const Expression kCascades[] = {
    // Inner products by vectors, sums by two of a thread, several rows of a warp.
    {"in Q: f32[h,q,d], K: f32[h,k,d], V: f32[h,k,e]; O[h,q,e] = sum[k](softmax[k](sum[d](Q * K) / 8) * V); out O",
     "f32[2,9,64] f32[2,70,64] f32[2,70,64]"},
    // Causal, f32, features that no vector takes; more of them than a warp has lanes.
    {"in Q: f32[q,d], K: f32[k,d], V: f32[k,e]; P = softmax[k | k <= q + 3](sum[d](Q * K)); O[q,e] = sum[k](P * V); "
     "L = lse[k | k <= q + 3](sum[d](Q * K)); out O, L[q]",
     "f32[19,5] f32[40,5] f32[40,37]"},
    // A window that leaves rows without keys, f64 through shuffles.
    {"in Q: f64[q,d], K: f64[k,d], V: f64[k,e]; P = softmax[k | k > q + 5 and k < q + 30](sum[d](Q * K)); "
     "O[q,e] = sum[k](P * V); out O; require onepass(O)",
     "f64[50,8] f64[50,8] f64[50,4]"},
    // Few rows and many keys: parts, which a second kernel adds up.
    {"in Q: f16[h,d], K: f16[k,d], V: f16[k,e]; O[h,e] = sum[k](softmax[k](sum[d](Q * K)) * V); "
     "L = lse[k](sum[d](Q * K)); out O, L[h]; require onepass(O, L)",
     "f16[3,16] f16[700,16] f16[700,24]"},
    // Parts that hold no key of some rows.
    {"in Q: f32[b,d], K: f32[b,k,d], V: f32[b,k,e], n: i32[b]; "
     "O[b,e] = sum[k](softmax[k | k < n](sum[d](Q * K)) * V); out O; require onepass(O)",
     "f32[2,8] f32[2,400,8] f32[2,400,8] i32[2]"},
    // A guard by data.
    {"in Q: f32[q,d], K: f32[k,d], V: f32[k,e], M: bool[q,k]; "
     "O[q,e] = sum[k](softmax[k | M](sum[d](Q * K)) * V); out O; require onepass(O)",
     "f32[17,8] f32[33,8] f32[33,8] bool[17,33]"},
    // Sums of exponentials alone.
    {"in X: bf16[t,c], W: bf16[v,c]; L[t] = lse[v](sum[c](X * W)); out L; require onepass(L)",
     "bf16[19,24] bf16[90,24]"},
    // No exponentials.
    {"in Q: f32[q,d], K: f32[k,d], V: f32[k,e]; O[q,e] = sum[k](max(sum[d](Q * K), 0) * V); out O; require onepass(O)",
     "f32[33,6] f32[70,6] f32[70,9]"},
    // Two softmaxes share their values.
    {"in Q: f32[q,d], K: f32[k,d], R: f32[q,d], V: f32[k,e]; "
     "O[q,e] = sum[k]((softmax[k](sum[d](Q * K)) - softmax[k](sum[d](R * K))) * V); out O; require onepass(O)",
     "f32[9,8] f32[40,8] f32[9,8] f32[40,12]"},
};

TEST(GpuModelExpression, CascadesInOnePass) {
  uint32_t seed = 0;
  for (const Expression &e : kCascades) {
    Case c;
    c.text = e.text;
    c.types = types(e.types);
    EXPECT_NE(plansOf(c, "sm_80").find("simt cascade"), std::string::npos) << e.text;
    EXPECT_EQ(mistake(c, "sm_80", ++seed), "") << e.text << " of " << e.types;
  }
}

/// Attention on tensor cores with operations that no plan can say; extents of keys even and odd.
const Expression kVariants[] = {
    // A bias for each pair.
    {"in Q: bf16[h,q,d], K: bf16[h,k,d], V: bf16[h,k,e], B: f32[h,q,k]; "
     "O[h,q,e]: bf16 = sum[k](softmax[k](sum[d](Q * K) / 8 + B) * V); out O; require onepass(O)",
     "bf16[2,70,64] bf16[2,150,64] bf16[2,150,64] f32[2,70,150]"},
    {"in Q: f16[h,q,d], K: f16[h,k,d], V: f16[h,k,e], B: f16[k]; "
     "O[h,q,e]: f16 = sum[k](softmax[k](sum[d](Q * K) / 8 + B) * V); out O; require onepass(O)",
     "f16[1,40,16] f16[1,77,16] f16[1,77,16] f16[77]"},
    // A mask by data.
    {"in Q: bf16[h,q,d], K: bf16[h,k,d], V: bf16[h,k,e], M: bool[q,k]; "
     "O[h,q,e]: bf16 = sum[k](softmax[k | M](sum[d](Q * K) / 8) * V); out O; require onepass(O)",
     "bf16[2,30,16] bf16[2,135,16] bf16[2,135,16] bool[30,135]"},
    // Key lengths of each batch; the window and slopes of each head, sinks in sum and log-sum-exp.
    {"in Q: bf16[b,q,d], K: bf16[b,k,d], V: bf16[b,k,e], n: i32[b]; "
     "O[b,q,e]: bf16 = sum[k](softmax[k | k < n[b]](sum[d](Q * K) / 8) * V); out O; require onepass(O)",
     "bf16[2,20,16] bf16[2,140,16] bf16[2,140,16] i32[2]"},
    {"in Q: bf16[h,q,d], K: bf16[h,k,d], V: bf16[h,k,e], slope: f32[h], snk: f32[h], w: i32; "
     "S = 50 * tanh(sum[d](Q * K) / 400) - slope * (q - k); P = softmax[k | k <= q and q - k < w](S, sink = snk); "
     "L = lse[k | k <= q and q - k < w](S); O[h,q,e]: bf16 = sum[k](P * V); out O, L[h,q]; require onepass(O, L)",
     "bf16[2,200,24] bf16[2,200,24] bf16[2,200,24] f32[2] f32[2] i32[]"},
    // Bounds that rise and fall from row to row.
    {"in Q: bf16[q,d], K: bf16[k,d], V: bf16[k,e], n: i32[q]; "
     "O[q,e]: bf16 = sum[k](softmax[k | k < n](sum[d](Q * K) / 8) * V); out O; require onepass(O)",
     "bf16[40,16] bf16[140,16] bf16[140,16] i32[40]"},
    // A gate on the result.
    {"in Q: bf16[h,q,d], K: bf16[h,k,d], V: bf16[h,k,e], G: bf16[h,q,e]; "
     "O[h,q,e]: bf16 = sigmoid(G) * sum[k](softmax[k](sum[d](Q * K) / 8) * V); out O; require onepass(O)",
     "bf16[2,40,16] bf16[2,70,16] bf16[2,70,40] bf16[2,40,40]"},
};

/// Integers of a kind: lengths, windows.
void setIntegers(Execution &execution) {
  for (const einc::HostTensor &operand : execution.operands)
    for (int64_t i = 0; operand.view.type.dtype == DType::I32 && i < operand.view.type.numElements(); ++i)
      setElement(DType::I32, operand.view.data, i, double(i == 1 ? 0 : 37 + i * 29 % 100));
}

TEST(GpuModelExpression, AttentionWithBodies) {
  uint32_t seed = 0;
  for (const Expression &e : kVariants)
    for (const char *gpu : {"sm_90a", "sm_80"}) {
      Case c;
      c.text = e.text;
      c.types = types(e.types);
      const std::string plans = plansOf(c, gpu);
      EXPECT_EQ(plans.rfind("step0: attention", 0), 0U) << e.text << ": " << plans;
      EXPECT_EQ(plans.find(" by=warps") != std::string::npos, gpu == std::string("sm_80")) << plans;
      EXPECT_NE(plans.find(" bodies="), std::string::npos) << e.text << ": " << plans;
      EXPECT_EQ(mistake(c, gpu, ++seed, setIntegers), "") << e.text << " of " << e.types << ", " << gpu;
    }
}

/// Where few rows share their keys, warps share the keys on Hopper, too.
TEST(GpuModelExpression, FewRowsAreDecodedByWarps) {
  Case c;
  c.text = "in Q: bf16[b,h,d], K: bf16[b,k,h,d], V: bf16[b,k,h,e]; "
           "O[b,h,e]: bf16 = sum[k](softmax[k](sum[d](Q * K) / 8) * V); out O; require onepass(O)";
  c.types = types("bf16[1,2,64] bf16[1,300,2,64] bf16[1,300,2,64]");
  EXPECT_NE(plansOf(c, "sm_90a").find("parts"), std::string::npos) << plansOf(c, "sm_90a");
  EXPECT_EQ(mistake(c, "sm_90a", 1), "");
}

/// Makes operand `number` of the `n`th operation of a kind, from the end where `n` is negative, a constant.
template <class Op> void setOperand(mlir::gpu::GPUModuleOp kernels, int n, unsigned number, int32_t value) {
  std::vector<Op> ops;
  kernels.walk([&](Op op) { ops.push_back(op); });
  mlir::Operation *op = ops.at(size_t(n < 0 ? int(ops.size()) + n : n));
  mlir::OpBuilder b(op);
  op->setOperand(number, mlir::arith::ConstantOp::create(b, op->getLoc(), b.getI32IntegerAttr(value)));
}

/// Operation number `n` of a kind.
template <class Op> Op nth(mlir::gpu::GPUModuleOp kernels, size_t n) {
  std::vector<Op> ops;
  kernels.walk([&](Op op) { ops.push_back(op); });
  return ops.at(n);
}

TEST(GpuModelExpression, PlantedFaultsInPermutationsAndMaps) {
  using mlir::arith::CmpIOp;
  struct Fault {
    const char *name, *text, *types;
    void (*plant)(mlir::gpu::GPUModuleOp);
  };
  const Fault faults[] = {
      {"a square is read before it is whole", "ij->ji", "bf16[72,128]",
       [](auto k) { nth<mlir::NVVM::Barrier0Op>(k, 0)->erase(); }},
      {"loads from addresses that are no multiples of 16", "ij->ji", "f32[64,64]",
       [](auto k) {
         auto load = nth<mlir::LLVM::LoadOp>(k, 0);
         mlir::OpBuilder b(load);
         load->setOperand(0, mlir::LLVM::GEPOp::create(b, load.getLoc(), load.getAddr().getType(), b.getF32Type(),
                                                       load.getAddr(), llvm::ArrayRef<mlir::LLVM::GEPArg>{1}));
       }},
      {"loads beyond the end of the rows", "ij->ji", "bf16[72,64]",
       [](auto k) { setOperand<CmpIOp>(k, 1, 1, 1 << 20); }},
      {"stores beyond the end of the rows", "ij->ji", "bf16[64,72]",
       [](auto k) { setOperand<CmpIOp>(k, -1, 1, 1 << 20); }},
      {"the end of a map is left out", "i,i->i", "f32[60003] f32[60003]",
       [](auto k) { setOperand<mlir::scf::ForOp>(k, 0, 1, 0); }},
      {"the end of a map is a whole vector", "i,i->i", "f32[60003] f32[60003]",
       [](auto k) { setOperand<CmpIOp>(k, -1, 1, 1 << 20); }},
  };
  for (const Fault &fault : faults) {
    Case c;
    c.text = fault.text;
    c.types = types(fault.types);
    EXPECT_EQ(mistake(c, "sm_80", 1), "") << fault.name;
    EXPECT_NE(mistake(c, "sm_80", 1, {}, fault.plant), "") << fault.name << " is not reported";
  }
}

TEST(GpuModelExpression, PlantedFaultsInCascades) {
  using mlir::NVVM::ShflOp;
  struct Fault {
    const char *name;
    size_t cascade; ///< of kCascades
    void (*plant)(mlir::gpu::GPUModuleOp);
  };
  const Fault faults[] = {
      {"maxima of half a warp", 0, [](auto k) { setOperand<ShflOp>(k, 0, 2, 0); }},
      {"weights from the first lane only", 0,
       [](auto k) {
         int n = 0, first = -1;
         k.walk([&](ShflOp op) {
           if (op.getKind() == mlir::NVVM::ShflKind::idx && first < 0) first = n;
           ++n;
         });
         setOperand<ShflOp>(k, first, 2, 0);
       }},
      {"only one part is added", 3, [](auto k) { setOperand<mlir::scf::ForOp>(k, -1, 1, 1); }},
      {"keys from the second on", 1,
       [](auto k) {
         bool first = true;
         k.walk([&](mlir::scf::ForOp loop) {
           if (!first || !loop->template getParentOfType<mlir::scf::IfOp>()) return;
           if (loop->template getParentOfType<mlir::scf::ForOp>()) return;
           mlir::OpBuilder b(loop);
           loop.setLowerBound(mlir::arith::ConstantOp::create(b, loop.getLoc(), b.getI32IntegerAttr(1)));
           first = false;
         });
       }},
  };
  for (const Fault &fault : faults) {
    Case c;
    c.text = kCascades[fault.cascade].text;
    c.types = types(kCascades[fault.cascade].types);
    EXPECT_NE(mistake(c, "sm_80", 1, {}, fault.plant), "") << fault.name << " is not reported";
  }
}

/// Bodies that always read the first element of their tensors.
TEST(GpuModelExpression, PlantedFaultsInBodies) {
  constexpr unsigned firstOfBodies = 4; // behind queries, keys, values and result
  uint32_t seed = 0;
  for (const Expression &e : kVariants) {
    Case c;
    c.text = e.text;
    c.types = types(e.types);
    int planted = 0;
    const auto plant = [&](mlir::gpu::GPUModuleOp kernels) { planted = readFirst(kernels, firstOfBodies); };
    EXPECT_NE(mistake(c, "sm_90a", ++seed, setIntegers, plant), "") << e.text;
    EXPECT_GT(planted, 0) << e.text;
  }
}

TEST(GpuModelExpression, PlantedFaultsInAttentionByWarps) {
  using mlir::NVVM::BarrierOp, mlir::NVVM::CpAsyncOp, mlir::NVVM::CpAsyncWaitGroupOp, mlir::NVVM::LdMatrixOp;
  struct Fault {
    const char *name;
    void (*plant)(mlir::gpu::GPUModuleOp);
  };
  const Fault faults[] = {
      {"keys are not waited for", [](auto k) { nth<CpAsyncWaitGroupOp>(k, 0)->erase(); }},
      {"values are not waited for", [](auto k) { nth<CpAsyncWaitGroupOp>(k, 1)->erase(); }},
      {"values come while those before are read", [](auto k) { nth<BarrierOp>(k, 0)->erase(); }},
      {"keys come while those before are read", [](auto k) { nth<BarrierOp>(k, 1)->erase(); }},
      {"what lies behind the last key is read",
       [](auto k) { k.walk([](CpAsyncOp op) { op.getCpSizeMutable().clear(); }); }},
      {"values are not transposed",
       [](auto k) {
         k.walk([](LdMatrixOp op) {
           if (op.getLayout() == mlir::NVVM::MMALayout::col) op.setLayout(mlir::NVVM::MMALayout::row);
         });
       }},
      {"a fragment of another row", [](auto k) { setOperand<mlir::arith::RemUIOp>(k, -1, 1, 4); }},
      {"products in the place of others",
       [](auto k) {
         auto product = nth<mlir::NVVM::MmaOp>(k, 0);
         mlir::Value first = product->getOperand(4);
         product->setOperand(4, product->getOperand(5));
         product->setOperand(5, first);
       }},
      {"the first tile of keys only", [](auto k) { setOperand<mlir::scf::ForOp>(k, 0, 1, 1); }},
  };
  Case c;
  c.text = "in Q: bf16[h,q,d], K: bf16[h,k,d], V: bf16[h,k,e]; "
           "O[h,q,e]: bf16 = sum[k](softmax[k | k <= q + 40](sum[d](Q * K) / 8) * V); out O; require onepass(O)";
  c.types = types("bf16[1,100,32] bf16[1,150,32] bf16[1,150,32]");
  EXPECT_EQ(mistake(c, "sm_80", 1), "");
  for (const Fault &fault : faults) {
    std::string found;
    for (uint32_t seed = 1; seed <= 6 && found.empty(); ++seed) found = mistake(c, "sm_80", seed, {}, fault.plant);
    EXPECT_NE(found, "") << fault.name << " is not reported";
  }
}

TEST(GpuModelExpression, ExamplePrograms) {
  for (const Example &example : kExamples) {
    const std::string text = withoutRequirements(textOf(example));
    // Integers are offsets, windows and lengths: each corner masks otherwise.
    const int corners = text.find("softmax") != std::string::npos && text.find("int32") != std::string::npos ? 4 : 1;
    for (size_t shape = 0; shape < example.shapes.size(); ++shape)
      for (int corner = 0; corner < (shape == 0 ? corners : 1); ++corner) {
        Case c;
        c.text = text;
        c.types = types(example.shapes[shape]);
        const char *gpu = (shape + corner) % 2 ? "sm_90a" : "sm_80";
        EXPECT_EQ(mistake(c, gpu, 1, [&](Execution &e) { setCorner(e, corner); }), "")
            << example.file << " of " << example.shapes[shape] << ", corner " << corner << ", " << gpu;
      }
  }
}

/// What is one pass on the CPU is one pass on both kinds of GPUs.
TEST(GpuModelExpression, ExampleProgramsMeetTheirRequirements) {
  for (const Example &example : kExamples)
    for (const char *gpu : {"sm_80", "sm_90a"}) {
      Case c;
      c.text = textOf(example);
      c.types = types(example.shapes[0]);
      if (c.text.find("require") == std::string::npos) continue;
      EXPECT_EQ(plansOf(c, gpu).rfind("step0", 0), 0U) << example.file << ": " << plansOf(c, gpu);
    }
}

} // namespace
