// The vocabulary of loop nests.
#include "compiler/Lowering/NestBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

namespace ein {

NestBuilder::NestBuilder(Location loc, MLIRContext *context, Type element)
    : ImplicitLocOpBuilder(loc, context), element(element), ptr(LLVM::LLVMPointerType::get(context)) {}

Value NestBuilder::c(int64_t value) {
  Operation *parent = getInsertionBlock()->getParentOp();
  auto function = isa<func::FuncOp>(parent) ? cast<func::FuncOp>(parent) : parent->getParentOfType<func::FuncOp>();
  Value &known = constants[{function, value}];
  if (!known) {
    OpBuilder::InsertionGuard guard(*this);
    setInsertionPointToStart(&function.getBody().front());
    known = arith::ConstantIndexOp::create(*this, value);
  }
  return known;
}
Value NestBuilder::add(Value a, Value b) { return createOrFold<arith::AddIOp>(a, b); }
Value NestBuilder::sub(Value a, Value b) { return createOrFold<arith::SubIOp>(a, b); }
Value NestBuilder::mul(Value a, int64_t b) { return b == 1 ? a : b == 0 ? c(0) : mul(a, c(b)); }
Value NestBuilder::mul(Value a, Value b) { return createOrFold<arith::MulIOp>(a, b); }
Value NestBuilder::div(Value a, int64_t b) { return b == 1 ? a : createOrFold<arith::DivUIOp>(a, c(b)); }
Value NestBuilder::rem(Value a, int64_t b) { return b == 1 ? c(0) : createOrFold<arith::RemUIOp>(a, c(b)); }
Value NestBuilder::div(Value a, Value b) { return createOrFold<arith::DivUIOp>(a, b); }
Value NestBuilder::rem(Value a, Value b) { return createOrFold<arith::RemUIOp>(a, b); }
Value NestBuilder::min(Value a, Value b) { return createOrFold<arith::MinUIOp>(a, b); }
Value NestBuilder::max(Value a, Value b) { return createOrFold<arith::MaxUIOp>(a, b); }
Value NestBuilder::lessEqual(Value a, Value b) { return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ule, a, b); }
Value NestBuilder::equal(Value a, Value b) { return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, a, b); }

void NestBuilder::loop(Value low, Value high, int64_t step, Body body) {
  auto first = getConstantIntValue(low), last = getConstantIntValue(high);
  if (first && last && *last <= *first) return;
  if (first && last && *first + step >= *last) return body(low);
  auto loop = scf::ForOp::create(*this, low, high, c(step));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

SmallVector<Value> NestBuilder::loop(Value low, Value high, int64_t step, ValueRange init, Carry body) {
  auto loop = scf::ForOp::create(*this, low, high, c(step), init);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!init.empty()) scf::YieldOp::create(*this, next);
  return SmallVector<Value>(loop.getResults());
}

void NestBuilder::ifThen(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise) {
  if (auto known = getConstantIntValue(condition)) {
    if (*known)
      then();
    else if (otherwise)
      otherwise();
    return;
  }
  auto op = scf::IfOp::create(*this, TypeRange{}, condition, /*addThenBlock=*/true, /*addElseBlock=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(*this);
  auto fill = [&](Block *block, llvm::function_ref<void()> body) {
    setInsertionPointToEnd(block);
    body();
    scf::YieldOp::create(*this);
  };
  fill(op.thenBlock(), then);
  if (otherwise) fill(op.elseBlock(), otherwise);
}

// The conversion to LLVM turns this cast into a descriptor of a flat memref (LowerToLLVM.cpp).
Value NestBuilder::flat(Value pointer, Type type, int64_t extent) {
  if (type.isInteger(1)) type = getI8Type();
  return UnrealizedConversionCastOp::create(*this, MemRefType::get({extent}, type), pointer).getResult(0);
}

Value NestBuilder::advance(Value pointer, Value bytes) {
  Value offset = createOrFold<arith::IndexCastOp>(getI64Type(), bytes);
  return LLVM::GEPOp::create(*this, ptr, getI8Type(), pointer, ValueRange{offset}, LLVM::GEPNoWrapFlags::none);
}

Value NestBuilder::aligned(Value pointer) {
  Value address = LLVM::PtrToIntOp::create(*this, getI64Type(), pointer);
  return equal(rem(arith::IndexCastOp::create(*this, getIndexType(), address), 64), c(0));
}

void NestBuilder::prefetch(Value memory, Value offset) {
  memref::PrefetchOp::create(*this, memory, ValueRange{offset}, /*isWrite=*/false, /*localityHint=*/2,
                             /*isDataCache=*/true);
}

Value NestBuilder::load(Value memory, Value offset) { return memref::LoadOp::create(*this, memory, offset); }
/// Bytes of 0 and 1 for an i1.
static Value inMemory(NestBuilder &b, Value value) {
  if (!getElementTypeOrSelf(value).isInteger(1)) return value;
  return b.convert(value, b.getI8Type(), true);
}

void NestBuilder::store(Value value, Value memory, Value offset) {
  value = inMemory(*this, value);
  memref::StoreOp::create(*this, value, memory, offset);
}

Value NestBuilder::slice(Value vector, int64_t from, int64_t lanes) {
  if (cast<VectorType>(vector.getType()).getNumElements() == lanes) return vector;
  SmallVector<int64_t> positions;
  for (int64_t i = 0; i < lanes; ++i) positions.push_back(from + i);
  return vector::ShuffleOp::create(*this, vector, vector, positions);
}

Value NestBuilder::loadVector(int64_t lanes, Value memory, Value offset) {
  Type type = cast<MemRefType>(memory.getType()).getElementType();
  return vector::LoadOp::create(*this, VectorType::get({lanes}, type), memory, ValueRange{offset});
}

Value NestBuilder::numbers(Value start, int64_t lanes) {
  SmallVector<int32_t> counting;
  for (int64_t i = 0; i < lanes; ++i) counting.push_back(int32_t(i));
  Value first = splat(arith::IndexCastOp::create(*this, getI32Type(), start), lanes);
  return arith::AddIOp::create(*this, first, arith::ConstantOp::create(*this, getI32VectorAttr(counting)));
}

Value NestBuilder::loadSome(int64_t lanes, Value memory, Value offset, Value count) {
  auto type = VectorType::get({lanes}, cast<MemRefType>(memory.getType()).getElementType());
  Value end = splat(arith::IndexCastOp::create(*this, getI32Type(), count), lanes);
  Value mask = arith::CmpIOp::create(*this, arith::CmpIPredicate::slt, numbers(c(0), lanes), end);
  Value none = arith::ConstantOp::create(*this, getZeroAttr(type));
  return vector::MaskedLoadOp::create(*this, type, memory, ValueRange{offset}, mask, none);
}

void NestBuilder::storeVector(Value value, Value memory, Value offset, bool nontemporal) {
  value = inMemory(*this, value);
  auto op = vector::StoreOp::create(*this, value, memory, ValueRange{offset});
  if (!nontemporal) return;
  auto type = cast<VectorType>(value.getType());
  op.setNontemporal(true);
  // Without the alignment LLVM splits a streaming store into 8-byte pieces.
  op.setAlignment(type.getNumElements() * type.getElementTypeBitWidth() / 8);
}

Value NestBuilder::splat(Value scalar, int64_t lanes) {
  return vector::BroadcastOp::create(*this, VectorType::get({lanes}, scalar.getType()), scalar);
}

Value NestBuilder::constant(double value, int64_t lanes) {
  TypedAttr attr = isa<FloatType>(element) ? TypedAttr(getFloatAttr(element, value))
                                           : TypedAttr(getIntegerAttr(element, int64_t(value)));
  if (lanes) attr = DenseElementsAttr::get(vectorType(lanes), attr);
  return arith::ConstantOp::create(*this, attr);
}

Value NestBuilder::multiplyAdd(Value a, Value b, Value acc) {
  if (isa<IntegerType>(getElementTypeOrSelf(a)))
    return arith::AddIOp::create(*this, arith::MulIOp::create(*this, a, b), acc);
  if (fusedMultiplyAdd && isa<VectorType>(a.getType())) return vector::FMAOp::create(*this, a, b, acc);
  return arith::AddFOp::create(*this, arith::MulFOp::create(*this, a, b), acc);
}

// LLVM makes one instruction of it and the addition around it where the target has VNNI.
Value NestBuilder::multiplyPairs(Value a, Value b) {
  auto type = cast<VectorType>(a.getType());
  const int64_t lanes = type.getNumElements();
  const char *name = lanes == 4    ? "llvm.x86.sse2.pmadd.wd"
                     : lanes == 8  ? "llvm.x86.avx2.pmadd.wd"
                     : lanes == 16 ? "llvm.x86.avx512.pmaddw.d.512"
                                   : nullptr;
  if (name) {
    auto shorts = VectorType::get({2 * lanes}, getI16Type());
    Value halves[] = {vector::BitCastOp::create(*this, shorts, a), vector::BitCastOp::create(*this, shorts, b)};
    return LLVM::CallIntrinsicOp::create(*this, type, getStringAttr(name), ValueRange(halves)).getResult(0);
  }
  Value half = arith::ConstantOp::create(*this, DenseElementsAttr::get(type, Attribute(getI32IntegerAttr(16))));
  auto high = [&](Value x) { return arith::ShRSIOp::create(*this, x, half); };
  auto low = [&](Value x) { return high(arith::ShLIOp::create(*this, x, half)); };
  Value first = arith::MulIOp::create(*this, low(a), low(b)), second = arith::MulIOp::create(*this, high(a), high(b));
  return arith::AddIOp::create(*this, first, second);
}

/// Shuffles of two vectors of n lanes that gather their first and their second blocks of w lanes, in turns.
static std::pair<SmallVector<int64_t>, SmallVector<int64_t>> blockMasks(int64_t n, int64_t w) {
  SmallVector<int64_t> low(n), high(n);
  for (int64_t j = 0; j < n; ++j) {
    low[j] = (j & w) ? n + (j - w) : j;
    high[j] = (j & w) ? n + j : j + w;
  }
  return {low, high};
}

/// Lanes first, first + 2, ... of two vectors of n lanes, one after the other, where a lane is `unit` elements.
static SmallVector<int64_t> everySecond(int64_t n, int64_t unit, int64_t first) {
  SmallVector<int64_t> mask;
  for (int64_t lane = first; lane < 2 * n / unit; lane += 2)
    for (int64_t i = 0; i < unit; ++i) mask.push_back(lane * unit + i);
  return mask;
}

/// The lower or upper halves of all groups of `unit` elements of two vectors of n, element by element in turns.
static SmallVector<int64_t> halvesInTurns(int64_t n, int64_t unit, bool upper) {
  SmallVector<int64_t> mask;
  for (int64_t group = 0; group < n; group += unit)
    for (int64_t i = 0; i < unit / 2; ++i)
      for (int64_t vector : {0, 1}) mask.push_back(vector * n + group + (upper ? unit / 2 : 0) + i);
  return mask;
}

/// The same value, of which code generation knows nothing.
static Value fenced(NestBuilder &b, Value value) {
  auto type = cast<VectorType>(value.getType());
  auto floats = VectorType::get({type.getNumElements() * type.getElementTypeBitWidth() / 32}, b.getF32Type());
  Value bits = b.createOrFold<vector::BitCastOp>(floats, value);
  bits = LLVM::CallIntrinsicOp::create(b, floats, b.getStringAttr("llvm.arithmetic.fence"), bits).getResult(0);
  return b.createOrFold<vector::BitCastOp>(type, bits);
}

SmallVector<Value> NestBuilder::transpose(ArrayRef<Value> rows) {
  // First within groups of 16 bytes, then the groups as wholes: each shuffle is one instruction of x86. A fence
  // between, since the search for a better instruction in chains of shuffles would take a quarter of code generation.
  const int64_t n = rows.size();
  const unsigned bits = cast<VectorType>(rows.front().getType()).getElementTypeBitWidth();
  const int64_t unit = std::min<int64_t>(n, std::max(1u, 128 / bits)), groups = n / unit;
  SmallVector<Value> now(rows), next(n);
  auto shuffle = [&](Value a, Value b, ArrayRef<int64_t> mask) -> Value {
    return vector::ShuffleOp::create(*this, a, b, mask);
  };
  const auto lower = halvesInTurns(n, unit, false), upper = halvesInTurns(n, unit, true);
  for (int64_t round = 1; round < unit; round *= 2, now.swap(next))
    for (int64_t at = 0; at < n; at += unit)
      for (int64_t i = 0; i < unit / 2; ++i) {
        Value a = now[at + i], b = now[at + i + unit / 2];
        next[at + 2 * i] = shuffle(a, b, lower), next[at + 2 * i + 1] = shuffle(a, b, upper);
      }
  if (unit > 1 && groups > 1)
    for (Value &value : now) value = fenced(*this, value);
  const auto even = everySecond(n, unit, 0), odd = everySecond(n, unit, 1);
  for (int64_t round = 1; round < groups; round *= 2, now.swap(next))
    for (int64_t i = 0; i < groups / 2; ++i)
      for (int64_t at = 0; at < unit; ++at) {
        Value a = now[2 * i * unit + at], b = now[(2 * i + 1) * unit + at];
        next[i * unit + at] = shuffle(a, b, even), next[(i + groups / 2) * unit + at] = shuffle(a, b, odd);
      }
  return now;
}

Value NestBuilder::sumRows(ArrayRef<Value> rows) {
  // Round w adds neighbours w lanes apart; pairs of vectors become one, whose lanes take turns.
  const int64_t n = rows.size();
  SmallVector<Value> now(rows);
  for (int64_t w = 1; w < n; w *= 2) {
    const auto [low, high] = blockMasks(n, w);
    SmallVector<Value> next;
    for (size_t i = 0; i < now.size(); i += 2)
      next.push_back(arith::AddFOp::create(*this, vector::ShuffleOp::create(*this, now[i], now[i + 1], low),
                                           vector::ShuffleOp::create(*this, now[i], now[i + 1], high)));
    now = std::move(next);
  }
  return now.front();
}

func::FuncOp NestBuilder::function(StringRef name, unsigned pointers, unsigned indices,
                                   llvm::function_ref<void(ValueRange, ValueRange)> body) {
  OpBuilder::InsertionGuard guard(*this);
  Operation *here = getInsertionBlock()->getParentOp();
  auto module = isa<ModuleOp>(here) ? cast<ModuleOp>(here) : here->getParentOfType<ModuleOp>();
  setInsertionPointToEnd(module.getBody());
  SmallVector<Type> arguments(pointers, ptr);
  arguments.append(indices + sizes.size(), getIndexType());
  auto fn = func::FuncOp::create(*this, name, getFunctionType(arguments, {}));
  fn.setPrivate();
  fn->setAttr("passthrough", getStrArrayAttr({"noinline"}));
  fn->setAttr("llvm.linkage", LLVM::LinkageAttr::get(getContext(), LLVM::Linkage::Internal));
  setInsertionPointToStart(fn.addEntryBlock());
  const SmallVector<Value> outside =
      std::exchange(sizes, llvm::to_vector_of<Value>(fn.getArguments().take_back(sizes.size())));
  body(fn.getArguments().take_front(pointers), fn.getArguments().slice(pointers, indices));
  sizes = outside;
  func::ReturnOp::create(*this);
  return fn;
}

void NestBuilder::parallelChunks(int64_t chunks, func::FuncOp function, ValueRange leading) {
  SmallVector<Value> arguments(leading);
  if (chunks == 1) {
    arguments.push_back(c(0));
    arguments.append(sizes);
    func::CallOp::create(*this, function, arguments);
    return;
  }
  Value low = c(0), high = c(chunks), step = c(1);
  omp::ParallelOperands team;
  team.numThreads = arith::ConstantOp::create(*this, getI32IntegerAttr(chunks));
  team.ifExpr = teamPays;
  auto parallel = omp::ParallelOp::create(*this, team);
  OpBuilder::InsertionGuard guard(*this);
  createBlock(&parallel.getRegion());
  omp::WsloopOperands share;
  share.nowait = getUnitAttr(); // the join of the parallel region is the barrier
  share.scheduleKind = omp::ClauseScheduleKindAttr::get(getContext(), omp::ClauseScheduleKind::Static);
  auto workshare = omp::WsloopOp::create(*this, share);
  omp::TerminatorOp::create(*this);
  createBlock(&workshare.getRegion());
  omp::LoopNestOperands nest;
  nest.loopLowerBounds = {low};
  nest.loopUpperBounds = {high};
  nest.loopSteps = {step};
  nest.collapseNumLoops = getI64IntegerAttr(1);
  auto loops = omp::LoopNestOp::create(*this, nest);
  Block *block = createBlock(&loops.getRegion(), {}, TypeRange{getIndexType()}, {getLoc()});
  arguments.push_back(block->getArgument(0));
  arguments.append(sizes);
  func::CallOp::create(*this, function, arguments);
  omp::YieldOp::create(*this);
}

std::pair<Value, Value> NestBuilder::chunkBounds(Value t, int64_t chunks, Value count) {
  if (chunks == 1) return {c(0), count};
  return {div(mul(t, count), chunks), div(mul(add(t, 1), count), chunks)};
}

} // namespace ein
