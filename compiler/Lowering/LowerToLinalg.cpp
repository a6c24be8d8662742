// Assignments to linalg operations.
#include "compiler/Lowering/LowerToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

using namespace mlir;

namespace ein {

namespace {

class LinalgLowering {
public:
  LinalgLowering(MLIRContext &context, const FlatProgram &flat, const std::vector<TensorType> &operands,
                 const std::vector<TensorType> &results)
      : b(UnknownLoc::get(&context), &context), flat(flat), p(flat.program), operands(operands), results(results),
        memory(p.tensors.size()), types(p.dtypes()) {}

  OwningOpRef<ModuleOp> run();

private:
  /// Where a tensor lies: a memref from which views are made, with the strides of its dimensions.
  struct Memory {
    Value base;
    int64_t offset = 0;
    std::vector<int64_t> shape, strides;
    bool plain = false; ///< `base` itself has the tensor's type
  };
  /// An operand of an operation: a view with one dimension per index, and those indices.
  struct View {
    Value memref;
    SmallVector<IndexId> indices;
  };

  Type elementType(DType t);
  Memory argument(Block *block, func::FuncOp fn, const TensorType &type, StringRef kind, int64_t number);
  View view(TensorId tensor, ArrayRef<AccessSubscript> subscripts, int64_t at = 0);
  View resultView(TensorId tensor);
  void lower(const Assignment &assignment);
  void collect(ExprId e, SmallVectorImpl<ExprId> &accesses) const;
  bool isContraction(ExprId body, ArrayRef<IndexId> reduced, ArrayRef<View> inputs, const View &out) const;
  std::optional<linalg::TypeFn> contractionCast(ArrayRef<ExprId> accesses, DType to) const;
  AffineMap map(const View &view, ArrayRef<IndexId> loops);
  /// Bounds of an expression that is an integer at every point.
  struct Range {
    double low, high;
    bool wide = false; ///< needs 64 bits
  };
  void findIntegers();
  std::optional<Range> rangeOf(const Expr &x) const;
  /// What expressions of one assignment are made from.
  struct Body {
    ArrayRef<ExprId> accesses;
    ValueRange elements; ///< one per access
    ArrayRef<IndexId> loops;
  };
  Value emit(ExprId e, DType as, const Body &body);
  Value emitInteger(ExprId e, bool wide, ArrayRef<IndexId> loops);
  Value emitMap(const Expr &e, DType as, const Body &body);
  Value emitCompare(const Expr &e, DType as, const Body &body);
  Value emitArithmetic(Fn fn, DType as, ArrayRef<Value> a);
  Value emitSign(DType as, Value x);
  Value combine(Monoid monoid, DType as, Value a, Value c);
  Value compare(Fn fn, DType as, Value x, Value y);
  Value convert(Value value, DType from, DType to);
  Value number(double v, DType as);

  ImplicitLocOpBuilder b;
  const FlatProgram &flat;
  const Program &p;
  const std::vector<TensorType> &operands, &results;
  std::vector<Memory> memory;
  std::vector<std::optional<Range>> integers; ///< by expression
  std::vector<std::optional<DType>> types;    ///< by expression
};

Type LinalgLowering::elementType(DType t) {
  switch (t) {
  case DType::F16: return b.getF16Type();
  case DType::BF16: return b.getBF16Type();
  case DType::F32: return b.getF32Type();
  case DType::F64: return b.getF64Type();
  case DType::Bool: return b.getI1Type();
  default: return b.getIntegerType(byteSize(t) * 8);
  }
}

/// A constant; an infinity is the integer at that end, true or false.
Value LinalgLowering::number(double v, DType as) {
  Type type = elementType(as);
  if (isFloat(as)) return arith::ConstantOp::create(b, b.getFloatAttr(type, v));
  const unsigned bits = type.getIntOrFloatBitWidth();
  APInt value = isUnsigned(as) ? APInt::getZero(bits) : APInt::getSignedMinValue(bits);
  if (v > 0) value = isUnsigned(as) ? APInt::getMaxValue(bits) : APInt::getSignedMaxValue(bits);
  if (std::isfinite(v)) {
    const bool beyond = v >= 0x1p63; // only 2^63 itself is let through
    value = APInt(bits, beyond ? uint64_t(1) << 63 : uint64_t(int64_t(v)), /*isSigned=*/false, /*implicitTrunc=*/true);
  }
  return arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
}

/// Rounds to nearest between floats, keeps the low bits between integers; conditions are 0 or 1.
Value LinalgLowering::convert(Value value, DType from, DType to) {
  Type type = elementType(to);
  if (value.getType() == type) return value;
  const bool narrows = byteSize(to) < byteSize(from), isUnsignedSource = isUnsigned(from);
  if (isFloat(from) && isFloat(to)) {
    if (narrows) return arith::TruncFOp::create(b, type, value);
    return arith::ExtFOp::create(b, type, value);
  }
  if (isFloat(to)) {
    if (isUnsignedSource) return arith::UIToFPOp::create(b, type, value);
    return arith::SIToFPOp::create(b, type, value);
  }
  if (narrows) return arith::TruncIOp::create(b, type, value);
  if (isUnsignedSource) return arith::ExtUIOp::create(b, type, value);
  return arith::ExtSIOp::create(b, type, value);
}

LinalgLowering::Memory LinalgLowering::argument(Block *block, func::FuncOp fn, const TensorType &type, StringRef kind,
                                                int64_t number) {
  const unsigned position = block->getNumArguments();
  SmallVector<DictionaryAttr> unused;
  Memory m{nullptr, 0, type.shape, type.strides, type.isContiguous()};
  MemRefType memref = MemRefType::get(type.shape, elementType(type.dtype));
  SmallVector<NamedAttribute> attributes = {b.getNamedAttr(kind, b.getI64IntegerAttr(number))};
  if (!m.plain) {
    int64_t low, high;
    type.addressRange(low, high);
    m.offset = -low;
    memref = MemRefType::get({high - low}, elementType(type.dtype));
    if (low) attributes.push_back(b.getNamedAttr("ein.low", b.getI64IntegerAttr(low)));
  }
  (void)fn.insertArgument(position, memref, b.getDictionaryAttr(attributes), b.getLoc());
  m.base = block->getArgument(position);
  return m;
}

OwningOpRef<ModuleOp> LinalgLowering::run() {
  OwningOpRef<ModuleOp> module = ModuleOp::create(b.getLoc());
  b.setInsertionPointToStart(module->getBody());
  auto fn = func::FuncOp::create(b, "kernel", b.getFunctionType({}, {}));
  Block *block = fn.addEntryBlock();
  b.setInsertionPointToStart(block);
  const size_t given = p.inputs.size() - p.priors;
  for (auto [i, t] : llvm::enumerate(p.inputs))
    memory[t] = i < given ? argument(block, fn, operands[i], "ein.operand", i)
                          : argument(block, fn, results[i - given], "ein.result", i - given);
  for (auto [i, t] : llvm::enumerate(p.outputs)) memory[t] = argument(block, fn, results[i], "ein.result", i);
  if (flat.workspaceBytes) {
    auto bytes = MemRefType::get({flat.workspaceBytes}, b.getI8Type());
    const unsigned position = block->getNumArguments();
    (void)fn.insertArgument(position, bytes, b.getDictionaryAttr({b.getNamedAttr("ein.workspace", b.getUnitAttr())}),
                            b.getLoc());
    Value workspace = block->getArgument(position);
    for (TensorId t = 0; t < p.tensors.size(); ++t) {
      if (flat.workspaceOffsets[t] < 0) continue;
      TensorType type = p.typeOf(t);
      Value at = arith::ConstantIndexOp::create(b, flat.workspaceOffsets[t]);
      auto memref = MemRefType::get(type.shape, elementType(type.dtype));
      Value base = memref::ViewOp::create(b, memref, workspace, at, ValueRange{});
      memory[t] = {base, 0, type.shape, type.strides, true};
    }
  }
  findIntegers();
  for (const Assignment &a : p.assignments) lower(a);
  func::ReturnOp::create(b);
  return module;
}

/// Subscripts that repeat take the diagonal, constant ones drop out.
LinalgLowering::View LinalgLowering::view(TensorId tensor, ArrayRef<AccessSubscript> subscripts, int64_t at) {
  const Memory &m = memory[tensor];
  View v;
  SmallVector<int64_t> sizes, strides;
  int64_t offset = m.offset;
  bool plain = m.plain;
  for (size_t d = 0; d < subscripts.size(); ++d) {
    if (!subscripts[d]) {
      plain = false;
      if (d + 1 == subscripts.size()) offset += at * m.strides[d];
      continue;
    }
    const IndexId i = *subscripts[d];
    auto *known = llvm::find(v.indices, i);
    if (known != v.indices.end()) {
      plain = false;
      strides[known - v.indices.begin()] += m.strides[d];
      continue;
    }
    v.indices.push_back(i);
    sizes.push_back(*p.indices[i].extent);
    strides.push_back(m.strides[d]);
  }
  if (plain) {
    v.memref = m.base;
    return v;
  }
  auto layout = StridedLayoutAttr::get(b.getContext(), offset, strides);
  auto type = MemRefType::get(sizes, elementType(p.tensors[tensor].dtype), layout);
  v.memref = memref::ReinterpretCastOp::create(b, type, m.base, offset, sizes, strides);
  return v;
}

LinalgLowering::View LinalgLowering::resultView(TensorId tensor) {
  SmallVector<AccessSubscript> axes(p.tensors[tensor].axes.begin(), p.tensors[tensor].axes.end());
  return view(tensor, axes);
}

/// Accesses of an expression in order of appearance. Children precede parents in `exprs`.
void LinalgLowering::collect(ExprId e, SmallVectorImpl<ExprId> &accesses) const {
  SmallVector<ExprId> stack{e};
  while (!stack.empty()) {
    const ExprId now = stack.pop_back_val();
    const Expr &x = p.exprs[now];
    if (x.kind == Expr::Kind::Access && !llvm::is_contained(accesses, now)) accesses.push_back(now);
    for (auto i = x.args.rbegin(); i != x.args.rend(); ++i) stack.push_back(*i);
  }
}

AffineMap LinalgLowering::map(const View &view, ArrayRef<IndexId> loops) {
  SmallVector<AffineExpr> exprs;
  for (IndexId i : view.indices) exprs.push_back(b.getAffineDimExpr(llvm::find(loops, i) - loops.begin()));
  return AffineMap::get(loops.size(), 0, exprs, b.getContext());
}

/// linalg.contract wants a product of two accesses, every index in both, or in one and the output.
bool LinalgLowering::isContraction(ExprId body, ArrayRef<IndexId> reduced, ArrayRef<View> inputs,
                                   const View &out) const {
  const Expr &e = p.exprs[body];
  if (e.kind != Expr::Kind::Map || e.fn != Fn::Mul || inputs.size() != 2 || e.args[0] == e.args[1]) return false;
  for (ExprId a : e.args)
    if (p.exprs[a].kind != Expr::Kind::Access) return false;
  auto has = [](const View &v, IndexId i) { return llvm::is_contained(v.indices, i); };
  for (IndexId i : reduced)
    if (!has(inputs[0], i) || !has(inputs[1], i)) return false;
  for (IndexId i : out.indices)
    if (!has(inputs[0], i) && !has(inputs[1], i)) return false;
  return !reduced.empty();
}

/// How a contraction reads its operands: linalg has one cast for both. Nothing where they need different ones.
std::optional<linalg::TypeFn> LinalgLowering::contractionCast(ArrayRef<ExprId> accesses, DType to) const {
  std::optional<linalg::TypeFn> cast;
  for (ExprId access : accesses) {
    const DType from = p.tensors[p.exprs[access].tensor].dtype;
    if (from == DType::Bool || byteSize(from) > byteSize(to)) return std::nullopt;
    if (isFloat(from) || byteSize(from) == byteSize(to)) {
      if (isFloat(from) != isFloat(to)) return std::nullopt;
      continue;
    }
    const auto wanted = isUnsigned(from) ? linalg::TypeFn::cast_unsigned : linalg::TypeFn::cast_signed;
    if (cast && *cast != wanted) return std::nullopt;
    cast = wanted;
  }
  return cast.value_or(linalg::TypeFn::cast_signed);
}

void LinalgLowering::lower(const Assignment &assignment) {
  const Expr &root = p.exprs[assignment.value];
  const bool reduces = root.kind == Expr::Kind::Reduce;
  const ExprId body = reduces ? root.args[0] : assignment.value;
  ArrayRef<IndexId> reduced;
  if (reduces) reduced = root.indices;
  const DType stored = p.tensors[assignment.result].dtype;
  // A reduction is accumulated in what it is stored in; else the wider of the two types is computed in.
  const DType as = reduces ? stored : accumulateType(types[body] ? promote(*types[body], stored) : stored);

  if (llvm::is_contained(p.typeOf(assignment.result).shape, 0)) return; // nothing to write
  View out = resultView(assignment.result);
  if (reduces) {
    linalg::FillOp::create(b, ValueRange{number(identityOf(root.monoid), stored)}, ValueRange{out.memref});
    if (llvm::any_of(reduced, [&](IndexId i) { return *p.indices[i].extent == 0; })) return;
  }

  SmallVector<ExprId> accesses;
  collect(body, accesses);
  SmallVector<View> inputs;
  for (ExprId a : accesses) inputs.push_back(view(p.exprs[a].tensor, p.exprs[a].subscripts, p.exprs[a].at));
  SmallVector<IndexId> loops(out.indices);
  llvm::append_range(loops, reduced);
  SmallVector<AffineMap> maps;
  SmallVector<Value> memrefs;
  for (const View &v : inputs) maps.push_back(map(v, loops)), memrefs.push_back(v.memref);
  maps.push_back(map(out, loops));

  if (reduces && root.monoid == Monoid::Sum && isContraction(body, reduced, inputs, out)) {
    if (auto cast = contractionCast(accesses, stored)) {
      SmallVector<NamedAttribute> attributes;
      if (*cast == linalg::TypeFn::cast_unsigned)
        attributes.push_back(b.getNamedAttr("cast", linalg::TypeFnAttr::get(b.getContext(), *cast)));
      linalg::ContractOp::create(b, memrefs, ValueRange{out.memref}, b.getAffineMapArrayAttr(maps), attributes);
      return;
    }
  }
  // A reduced index that no operand has would leave the loop without an extent: it multiplies a sum by
  // its extent and is dropped by maximum and minimum. flatten() leaves none.
  SmallVector<utils::IteratorType> iterators(out.indices.size(), utils::IteratorType::parallel);
  iterators.append(reduced.size(), utils::IteratorType::reduction);
  linalg::GenericOp::create(b, TypeRange{}, memrefs, ValueRange{out.memref}, maps, iterators,
                            [&](OpBuilder &nested, Location, ValueRange arguments) {
                              OpBuilder::InsertionGuard guard(b);
                              b.setInsertionPoint(nested.getInsertionBlock(), nested.getInsertionPoint());
                              Value value = emit(body, as, {accesses, arguments.drop_back(), loops});
                              value = reduces ? combine(root.monoid, as, arguments.back(), value)
                                              : convert(value, as, stored);
                              linalg::YieldOp::create(b, value);
                            });
}

/// The ranges of the expressions that are integers at every point: index values, whole literals, and
/// + - * max min of them. Children precede parents, so one pass finds all. What could leave 53 bits is real.
void LinalgLowering::findIntegers() {
  integers.resize(p.exprs.size());
  for (ExprId e = 0; e < p.exprs.size(); ++e) {
    const Expr &x = p.exprs[e];
    std::optional<Range> range;
    if (x.kind == Expr::Kind::IndexValue) range = Range{0, double(*p.indices[x.indices[0]].extent)};
    if (x.kind == Expr::Kind::Literal && x.literal == std::floor(x.literal)) range = Range{x.literal, x.literal};
    if (x.kind == Expr::Kind::Map && llvm::all_of(x.args, [&](ExprId a) { return integers[a].has_value(); }))
      range = rangeOf(x);
    // The narrowest type that holds every value on the way there, too.
    if (range && range->low >= -0x1p53 && range->high <= 0x1p53) {
      for (ExprId a : x.args) range->wide |= integers[a]->wide;
      range->wide |= range->low < -0x1p31 || range->high >= 0x1p31;
      integers[e] = range;
    }
  }
}

std::optional<LinalgLowering::Range> LinalgLowering::rangeOf(const Expr &x) const {
  const Range &a = *integers[x.args[0]], &c = *integers[x.args.back()];
  switch (x.fn) {
  case Fn::Add: return Range{a.low + c.low, a.high + c.high};
  case Fn::Sub: return Range{a.low - c.high, a.high - c.low};
  case Fn::Neg: return Range{-a.high, -a.low};
  case Fn::Max: return Range{std::max(a.low, c.low), std::max(a.high, c.high)};
  case Fn::Min: return Range{std::min(a.low, c.low), std::min(a.high, c.high)};
  case Fn::Mul: {
    auto [low, high] = std::minmax({a.low * c.low, a.low * c.high, a.high * c.low, a.high * c.high});
    return Range{low, high};
  }
  default: return std::nullopt;
  }
}

Value LinalgLowering::emitInteger(ExprId e, bool wide, ArrayRef<IndexId> loops) {
  const Expr &x = p.exprs[e];
  Type type = wide ? b.getI64Type() : b.getI32Type();
  auto constant = [&](double v) { return arith::ConstantOp::create(b, b.getIntegerAttr(type, int64_t(v))); };
  if (x.kind == Expr::Kind::Literal) return constant(x.literal);
  if (x.kind == Expr::Kind::IndexValue) {
    Value index = linalg::IndexOp::create(b, llvm::find(loops, x.indices[0]) - loops.begin());
    Value narrow = arith::IndexCastOp::create(b, b.getI32Type(), index);
    return wide ? arith::ExtSIOp::create(b, type, narrow).getResult() : narrow;
  }
  SmallVector<Value> a;
  for (ExprId arg : x.args) a.push_back(emitInteger(arg, wide, loops));
  switch (x.fn) {
  case Fn::Add: return arith::AddIOp::create(b, a[0], a[1]);
  case Fn::Sub: return arith::SubIOp::create(b, a[0], a[1]);
  case Fn::Mul: return arith::MulIOp::create(b, a[0], a[1]);
  case Fn::Max: return arith::MaxSIOp::create(b, a[0], a[1]);
  case Fn::Min: return arith::MinSIOp::create(b, a[0], a[1]);
  default: return arith::SubIOp::create(b, constant(0), a[0]);
  }
}

Value LinalgLowering::combine(Monoid monoid, DType as, Value a, Value c) {
  return emitArithmetic(monoid == Monoid::Sum ? Fn::Add : monoid == Monoid::Max ? Fn::Max : Fn::Min, as, {a, c});
}

/// The value of an expression, computed in `as`.
Value LinalgLowering::emit(ExprId e, DType as, const Body &body) {
  const Expr &x = p.exprs[e];
  if (x.kind == Expr::Kind::Literal) return number(x.literal, as);
  if (x.kind == Expr::Kind::Access)
    return convert(body.elements[llvm::find(body.accesses, e) - body.accesses.begin()], p.tensors[x.tensor].dtype, as);
  if (integers[e])
    return convert(emitInteger(e, integers[e]->wide, body.loops), integers[e]->wide ? DType::I64 : DType::I32, as);
  return emitMap(x, as, body);
}

Value LinalgLowering::compare(Fn fn, DType as, Value x, Value y) {
  using I = arith::CmpIPredicate;
  using F = arith::CmpFPredicate;
  struct Predicates {
    I isSigned, isUnsigned;
    F real;
  };
  static const Predicates all[] = {{I::slt, I::ult, F::OLT}, {I::sle, I::ule, F::OLE}, {I::sgt, I::ugt, F::OGT},
                                   {I::sge, I::uge, F::OGE}, {I::eq, I::eq, F::OEQ},   {I::ne, I::ne, F::UNE}};
  const Predicates &which = all[int(fn) - int(Fn::Less)];
  if (isFloat(as)) return arith::CmpFOp::create(b, which.real, x, y);
  return arith::CmpIOp::create(b, isUnsigned(as) ? which.isUnsigned : which.isSigned, x, y);
}

/// In the type that the two sides promote to, whatever is around them.
Value LinalgLowering::emitCompare(const Expr &e, DType as, const Body &body) {
  const ExprId left = e.args[0], right = e.args[1];
  if (integers[left] && integers[right]) {
    const bool wide = integers[left]->wide || integers[right]->wide;
    return compare(e.fn, DType::I64, emitInteger(left, wide, body.loops), emitInteger(right, wide, body.loops));
  }
  if (types[left] && types[right]) as = promote(*types[left], *types[right]);
  if (!types[left] || !types[right]) as = types[left] ? *types[left] : types[right] ? *types[right] : as;
  if (as == DType::Bool) as = DType::F64; // of literals and index values only
  as = accumulateType(as);
  Value x = emit(left, as, body);
  return compare(e.fn, as, x, emit(right, as, body));
}

Value LinalgLowering::emitMap(const Expr &e, DType as, const Body &body) {
  if (e.fn >= Fn::Less && e.fn <= Fn::NotEqual) return emitCompare(e, as, body);
  SmallVector<Value> a;
  for (auto [i, arg] : llvm::enumerate(e.args)) {
    const bool condition = e.fn == Fn::And || e.fn == Fn::Or || e.fn == Fn::Not || (e.fn == Fn::Select && i == 0);
    a.push_back(emit(arg, condition ? DType::Bool : as, body));
  }
  switch (e.fn) {
  case Fn::Exp: return math::ExpOp::create(b, a[0]);
  case Fn::Log: return math::LogOp::create(b, a[0]);
  case Fn::Sqrt: return math::SqrtOp::create(b, a[0]);
  case Fn::Tanh: return math::TanhOp::create(b, a[0]);
  case Fn::Sign: return emitSign(as, a[0]);
  case Fn::And: return arith::AndIOp::create(b, a[0], a[1]);
  case Fn::Or: return arith::OrIOp::create(b, a[0], a[1]);
  case Fn::Not: return arith::XOrIOp::create(b, a[0], arith::ConstantOp::create(b, b.getBoolAttr(true)));
  case Fn::Select: return arith::SelectOp::create(b, a[0], a[1], a[2]);
  default: return emitArithmetic(e.fn, as, a);
  }
}

Value LinalgLowering::emitSign(DType as, Value x) {
  Value above = compare(Fn::Greater, as, x, number(0, as)), below = compare(Fn::Less, as, x, number(0, as));
  return arith::SelectOp::create(b, above, number(1, as), arith::SelectOp::create(b, below, number(-1, as), x));
}

/// + - * / - abs floor max min: of floats, of integers modulo 2^bits, max and min of bool as or and and.
Value LinalgLowering::emitArithmetic(Fn fn, DType as, ArrayRef<Value> a) {
  const bool real = isFloat(as), logical = as == DType::Bool, wraps = isUnsigned(as);
  auto either = [&](auto ofFloats, auto ofIntegers) -> Value { return real ? Value(ofFloats()) : Value(ofIntegers()); };
  switch (fn) {
  case Fn::Add:
    return either([&] { return arith::AddFOp::create(b, a[0], a[1]); },
                  [&] { return arith::AddIOp::create(b, a[0], a[1]); });
  case Fn::Sub:
    return either([&] { return arith::SubFOp::create(b, a[0], a[1]); },
                  [&] { return arith::SubIOp::create(b, a[0], a[1]); });
  case Fn::Mul:
    return either([&] { return arith::MulFOp::create(b, a[0], a[1]); },
                  [&] { return arith::MulIOp::create(b, a[0], a[1]); });
  case Fn::Div: return arith::DivFOp::create(b, a[0], a[1]);
  case Fn::Neg:
    return either([&] { return arith::NegFOp::create(b, a[0]); },
                  [&] { return arith::SubIOp::create(b, number(0, as), a[0]); });
  case Fn::Floor: return real ? Value(math::FloorOp::create(b, a[0])) : a[0];
  case Fn::Abs:
    if (real) return math::AbsFOp::create(b, a[0]);
    if (wraps) return a[0];
    return arith::MaxSIOp::create(b, a[0], arith::SubIOp::create(b, number(0, as), a[0]));
  case Fn::Max:
    if (real) return arith::MaximumFOp::create(b, a[0], a[1]);
    if (logical) return arith::OrIOp::create(b, a[0], a[1]);
    return wraps ? Value(arith::MaxUIOp::create(b, a[0], a[1])) : Value(arith::MaxSIOp::create(b, a[0], a[1]));
  case Fn::Min:
    if (real) return arith::MinimumFOp::create(b, a[0], a[1]);
    if (logical) return arith::AndIOp::create(b, a[0], a[1]);
    return wraps ? Value(arith::MinUIOp::create(b, a[0], a[1])) : Value(arith::MinSIOp::create(b, a[0], a[1]));
  default: return {};
  }
}

} // namespace

OwningOpRef<ModuleOp> lowerToLinalg(MLIRContext &context, const FlatProgram &flat,
                                    const std::vector<TensorType> &operands, const std::vector<TensorType> &results) {
  return LinalgLowering(context, flat, operands, results).run();
}

} // namespace ein
