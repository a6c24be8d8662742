// Assignments to linalg operations.
#include "compiler/Lowering/LowerToLinalg.h"
#include "compiler/Lowering/FoldRegion.h"
#include "compiler/Lowering/LowerExpressions.h"
#include "compiler/Lowering/Sizes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <algorithm>
#include <numeric>
#include <optional>

using namespace mlir;

namespace ein {

namespace {

class LinalgLowering {
public:
  LinalgLowering(MLIRContext &context, const FlatProgram &flat, const std::vector<TensorType> &operands,
                 const std::vector<TensorType> &results, const CompiledModule &module)
      : b(UnknownLoc::get(&context), &context), flat(flat), p(flat.program), operands(operands), results(results),
        module(module), memory(p.tensors.size()), expressions(b, p), arithmetic(b) {}

  OwningOpRef<ModuleOp> run();

private:
  /// Where a tensor lies: a memref from which views are made, with the strides of its dimensions.
  struct Memory {
    Value base;
    OpFoldResult offset;
    SmallVector<OpFoldResult> shape, strides;
    bool plain = false; ///< `base` itself has the tensor's type
  };
  /// An operand of an operation: a view with one dimension per index, and those indices.
  struct View {
    Value memref;
    SmallVector<IndexId> indices;
  };

  using Sizes = llvm::DenseMap<int32_t, Value>; ///< arguments of a function, by place in the call's sizes
  Memory known(Value base, int64_t offset, const TensorType &type, bool plain);
  Memory rowMajor(Value base, TensorId tensor);
  Memory sizedArgument(func::FuncOp fn, TensorId tensor, const TensorType &type, ArrayRef<int32_t> own,
                       NamedAttribute attribute);
  OpFoldResult extentOf(IndexId i, const Sizes &sizes);
  ArrayRef<int32_t> slotsOf(size_t number) const;
  OpFoldResult placesInWorkspace(const Sizes &sizes, llvm::function_ref<void(TensorId, OpFoldResult place)> place);
  Sizes addSizes(func::FuncOp fn);
  void bindWorkspace(func::FuncOp fn);
  void emitWorkspaceFunction();
  Memory argument(Block *block, func::FuncOp fn, const TensorType &type, StringRef kind, int64_t number);
  View view(TensorId tensor, ArrayRef<AccessSubscript> subscripts, int64_t at = 0);
  View resultView(TensorId tensor);
  Value whole(TensorId tensor);
  std::optional<View> extentsOf(TensorId result, ArrayRef<IndexId> reduced, ArrayRef<View> inputs);
  void lower(const Assignment &assignment, bool isPart = false);
  void lowerCascade(const Cascade &cascade);
  void lowerFold(size_t product);
  void lowerPart(const Assignment &assignment, bool isVirtual, StringRef role);
  void collect(ExprId e, SmallVectorImpl<ExprId> &accesses, SmallVectorImpl<ExprId> &gathers) const;
  bool isContraction(ExprId body, ArrayRef<IndexId> reduced, ArrayRef<View> inputs, const View &out) const;
  std::optional<linalg::TypeFn> contractionCast(ArrayRef<ExprId> accesses, DType to) const;
  AffineMap map(const View &view, ArrayRef<IndexId> loops);

  ImplicitLocOpBuilder b;
  const FlatProgram &flat;
  const Program &p;
  const std::vector<TensorType> &operands, &results;
  const CompiledModule &module; ///< of which dynamic numbers have which places
  Sizes sizes;                  ///< of @kernel
  std::vector<Memory> memory;
  ExpressionLowering expressions;
  SizeBuilder arithmetic;
};

/// A layout without dynamic sizes.
LinalgLowering::Memory LinalgLowering::known(Value base, int64_t offset, const TensorType &type, bool plain) {
  return {base, b.getIndexAttr(offset), getAsIndexOpFoldResult(b.getContext(), type.shape),
          getAsIndexOpFoldResult(b.getContext(), type.strides), plain};
}

LinalgLowering::Memory LinalgLowering::argument(Block *block, func::FuncOp fn, const TensorType &type, StringRef kind,
                                                int64_t number) {
  const unsigned position = block->getNumArguments();
  SmallVector<DictionaryAttr> unused;
  Memory m = known(nullptr, 0, type, type.isContiguous());
  MemRefType memref = MemRefType::get(type.shape, expressions.elementType(type.dtype));
  SmallVector<NamedAttribute> attributes = {b.getNamedAttr(kind, b.getI64IntegerAttr(number))};
  if (!m.plain) {
    int64_t low, high;
    type.addressRange(low, high);
    m.offset = b.getIndexAttr(-low);
    memref = MemRefType::get({high - low}, expressions.elementType(type.dtype));
    if (low) attributes.push_back(b.getNamedAttr("ein.low", b.getI64IntegerAttr(low)));
  }
  (void)fn.insertArgument(position, memref, b.getDictionaryAttr(attributes), b.getLoc());
  m.base = block->getArgument(position);
  return m;
}

OpFoldResult LinalgLowering::extentOf(IndexId i, const Sizes &sizes) {
  const Index &index = p.indices[i];
  return index.dynamic >= 0 ? OpFoldResult(sizes.lookup(index.dynamic)) : b.getIndexAttr(*index.extent);
}

/// The slots of an operand or, numbered after those, a result.
ArrayRef<int32_t> LinalgLowering::slotsOf(size_t number) const {
  ArrayRef<int32_t> slots = module.sizeSlots;
  auto rank = [&](size_t i) {
    return i < operands.size() ? module.operands[i].shape.size() : module.results[i - operands.size()].shape.size();
  };
  for (size_t i = 0; i < number; ++i) slots = slots.drop_front(2 * rank(i));
  return slots.take_front(2 * rank(number));
}

/// One argument for each place in the call's sizes.
LinalgLowering::Sizes LinalgLowering::addSizes(func::FuncOp fn) {
  Sizes arguments;
  if (module.dynamic.empty()) return arguments;
  llvm::DenseMap<int32_t, int64_t> strides;
  size_t at = 0;
  for (const auto *types : {&module.operands, &module.results})
    for (const TensorType &type : *types) {
      for (auto [slot, stride] :
           llvm::zip(ArrayRef(module.sizeSlots).slice(at).drop_front(type.shape.size()), type.strides))
        if (slot >= 0) strides[slot] = stride;
      at += 2 * type.shape.size();
    }
  for (auto [n, dynamic] : llvm::enumerate(module.dynamic)) {
    auto index = llvm::find_if(p.indices, [&, n = n](const Index &i) { return i.dynamic == int(n); });
    arguments[n] = addSizeArgument(fn, n, *index->extent, dynamic.least);
  }
  for (int32_t slot = int32_t(module.dynamic.size()); strides.count(slot); ++slot)
    arguments[slot] = addSizeArgument(fn, slot, strides[slot], 0);
  return arguments;
}

/// Row-major memory of a tensor, with its extents at run time.
LinalgLowering::Memory LinalgLowering::rowMajor(Value base, TensorId tensor) {
  Memory m{base, b.getIndexAttr(0), {}, {}, false};
  OpFoldResult stride = b.getIndexAttr(1);
  for (IndexId axis : llvm::reverse(p.tensors[tensor].axes)) {
    m.shape.insert(m.shape.begin(), extentOf(axis, sizes));
    m.strides.insert(m.strides.begin(), stride);
    stride = arithmetic.mul(stride, m.shape.front());
  }
  return m;
}

/// An operand or result with a dynamic index: flat memory around its element at index zero.
LinalgLowering::Memory LinalgLowering::sizedArgument(func::FuncOp fn, TensorId tensor, const TensorType &type,
                                                     ArrayRef<int32_t> own, NamedAttribute attribute) {
  const unsigned position = fn.getNumArguments();
  auto flatType = MemRefType::get({ShapedType::kDynamic}, expressions.elementType(type.dtype));
  (void)fn.insertArgument(position, flatType, b.getDictionaryAttr(attribute), b.getLoc());
  Memory m = rowMajor(fn.getArgument(position), tensor);
  if (llvm::is_contained(own, CompiledModule::kRowMajor)) return m;
  ArrayRef<int32_t> slots = own.drop_front(own.size() / 2);
  ArrayRef<uint32_t> groups = p.tensors[tensor].groups;
  size_t axis = groups.empty() ? slots.size() : std::accumulate(groups.begin(), groups.end(), size_t(0));
  const int64_t parts = type.shape.size() > axis ? 2 : 1; // of a complex number
  for (size_t d = slots.size(); d-- > 0;) {
    OpFoldResult stride = b.getIndexAttr(0);
    if (slots[d] >= 0) stride = arithmetic.mul(sizes.lookup(slots[d]), b.getIndexAttr(parts));
    for (uint32_t n = groups.empty() ? 1 : groups[d]; n > 0; --n) {
      --axis;
      m.strides[axis] = slots[d] < 0 ? OpFoldResult(b.getIndexAttr(type.strides[axis])) : stride;
      stride = arithmetic.mul(stride, m.shape[axis]);
    }
  }
  return m;
}

/// Places of all intermediates, one behind the other; gives the bytes of all.
OpFoldResult LinalgLowering::placesInWorkspace(const Sizes &sizes,
                                               llvm::function_ref<void(TensorId, OpFoldResult)> place) {
  OpFoldResult at = b.getIndexAttr(0);
  for (TensorId t = 0; t < p.tensors.size(); ++t) {
    if (flat.workspaceOffsets[t] < 0) continue;
    place(t, at);
    OpFoldResult bytes = b.getIndexAttr(byteSize(p.tensors[t].dtype));
    for (IndexId axis : p.tensors[t].axes) bytes = arithmetic.mul(bytes, extentOf(axis, sizes));
    at = arithmetic.add(at, arithmetic.align64(bytes));
  }
  return at;
}

void LinalgLowering::bindWorkspace(func::FuncOp fn) {
  const unsigned position = fn.getNumArguments();
  auto bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  (void)fn.insertArgument(position, bytes, b.getDictionaryAttr({b.getNamedAttr("ein.workspace", b.getUnitAttr())}),
                          b.getLoc());
  Value workspace = fn.getArgument(position);
  placesInWorkspace(sizes, [&](TensorId t, OpFoldResult place) {
    OpFoldResult elements = b.getIndexAttr(1);
    for (IndexId axis : p.tensors[t].axes) elements = arithmetic.mul(elements, extentOf(axis, sizes));
    auto known = getConstantIntValue(elements);
    auto type = MemRefType::get({known.value_or(ShapedType::kDynamic)}, expressions.elementType(p.tensors[t].dtype));
    SmallVector<Value> dynamic;
    if (!known) dynamic.push_back(arithmetic.value(elements));
    memory[t] = rowMajor(memref::ViewOp::create(b, type, workspace, arithmetic.value(place), dynamic), t);
  });
}

void LinalgLowering::emitWorkspaceFunction() {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(cast<ModuleOp>(b.getInsertionBlock()->getParentOp()->getParentOp()).getBody());
  auto fn = func::FuncOp::create(b, kWorkspaceFunction, b.getFunctionType({}, {b.getIndexType()}));
  b.setInsertionPointToStart(fn.addEntryBlock());
  const Sizes own = addSizes(fn);
  Value bytes = arithmetic.value(placesInWorkspace(own, [](TensorId, OpFoldResult) {}));
  func::ReturnOp::create(b, bytes);
}

OwningOpRef<ModuleOp> LinalgLowering::run() {
  OwningOpRef<ModuleOp> module = ModuleOp::create(b.getLoc());
  b.setInsertionPointToStart(module->getBody());
  auto fn = func::FuncOp::create(b, "kernel", b.getFunctionType({}, {}));
  Block *block = fn.addEntryBlock();
  b.setInsertionPointToStart(block);
  const size_t given = p.inputs.size() - p.priors;
  sizes = addSizes(fn);
  auto numberedArgument = [&](TensorId t, const TensorType &type, StringRef kind, size_t i) {
    if (llvm::none_of(p.tensors[t].axes, [&](IndexId axis) { return p.indices[axis].dynamic >= 0; }))
      return argument(block, fn, type, kind, i);
    return sizedArgument(fn, t, type, slotsOf(kind == "ein.operand" ? i : operands.size() + i),
                         b.getNamedAttr(kind, b.getI64IntegerAttr(i)));
  };
  for (auto [i, t] : llvm::enumerate(p.inputs))
    memory[t] = i < given ? numberedArgument(t, operands[i], "ein.operand", i)
                          : numberedArgument(t, results[i - given], "ein.result", i - given);
  for (auto [i, t] : llvm::enumerate(p.outputs)) memory[t] = numberedArgument(t, results[i], "ein.result", i);
  if (!sizes.empty()) {
    bindWorkspace(fn);
  } else if (flat.workspaceBytes) {
    auto bytes = MemRefType::get({flat.workspaceBytes}, b.getI8Type());
    const unsigned position = block->getNumArguments();
    (void)fn.insertArgument(position, bytes, b.getDictionaryAttr({b.getNamedAttr("ein.workspace", b.getUnitAttr())}),
                            b.getLoc());
    Value workspace = block->getArgument(position);
    for (TensorId t = 0; t < p.tensors.size(); ++t) {
      if (flat.workspaceOffsets[t] < 0) continue;
      TensorType type = p.typeOf(t);
      Value at = arith::ConstantIndexOp::create(b, flat.workspaceOffsets[t]);
      auto memref = MemRefType::get(type.shape, expressions.elementType(type.dtype));
      Value base = memref::ViewOp::create(b, memref, workspace, at, ValueRange{});
      memory[t] = known(base, 0, type, true);
    }
  }
  auto cascade = flat.cascades.begin();
  for (size_t i = 0, next; i < p.assignments.size(); i = next) {
    next = endOfStep(flat, i);
    if (cascade != flat.cascades.end() && i == cascade->first)
      lowerCascade(*cascade++);
    else if (next == i + 1)
      lower(p.assignments[i]);
    else
      lowerFold(i);
  }
  func::ReturnOp::create(b);
  if (!sizes.empty()) emitWorkspaceFunction();
  return module;
}

/// Subscripts that repeat take the diagonal, constant ones drop out.
LinalgLowering::View LinalgLowering::view(TensorId tensor, ArrayRef<AccessSubscript> subscripts, int64_t at) {
  const Memory &m = memory[tensor];
  View v;
  SmallVector<OpFoldResult> extents, strides;
  OpFoldResult offset = m.offset;
  bool plain = m.plain;
  for (size_t d = 0; d < subscripts.size(); ++d) {
    if (!subscripts[d]) {
      plain = false;
      if (d + 1 == subscripts.size()) offset = arithmetic.add(offset, arithmetic.mul(b.getIndexAttr(at), m.strides[d]));
      continue;
    }
    const IndexId i = *subscripts[d];
    auto *known = llvm::find(v.indices, i);
    if (known != v.indices.end()) {
      plain = false;
      OpFoldResult &stride = strides[known - v.indices.begin()];
      stride = arithmetic.add(stride, m.strides[d]);
      continue;
    }
    v.indices.push_back(i);
    extents.push_back(extentOf(i, sizes));
    strides.push_back(m.strides[d]);
  }
  v.memref = plain
                 ? m.base
                 : arithmetic.view(m.base, expressions.elementType(p.tensors[tensor].dtype), offset, extents, strides);
  return v;
}

LinalgLowering::View LinalgLowering::resultView(TensorId tensor) {
  SmallVector<AccessSubscript> axes(p.tensors[tensor].axes.begin(), p.tensors[tensor].axes.end());
  return view(tensor, axes);
}

/// The memory of a tensor along its axes, whatever they are.
Value LinalgLowering::whole(TensorId tensor) {
  const Memory &m = memory[tensor];
  if (m.plain) return m.base;
  return arithmetic.view(m.base, expressions.elementType(p.tensors[tensor].dtype), m.offset, m.shape, m.strides);
}

/// linalg takes the extents of loops from operands. For reduced ones that only index values and gathers have, an
/// operand that nothing reads: one element of the result, with strides of 0.
std::optional<LinalgLowering::View> LinalgLowering::extentsOf(TensorId result, ArrayRef<IndexId> reduced,
                                                              ArrayRef<View> inputs) {
  View v;
  SmallVector<OpFoldResult> extents;
  for (IndexId i : reduced) {
    if (llvm::any_of(inputs, [&](const View &input) { return llvm::is_contained(input.indices, i); })) continue;
    v.indices.push_back(i);
    extents.push_back(extentOf(i, sizes));
  }
  if (extents.empty()) return std::nullopt;
  const Memory &m = memory[result];
  const SmallVector<OpFoldResult> strides(extents.size(), b.getIndexAttr(0));
  v.memref = arithmetic.view(m.base, expressions.elementType(p.tensors[result].dtype), m.offset, extents, strides);
  return v;
}

/// Accesses of an expression in order of appearance; those with computed subscripts apart.
void LinalgLowering::collect(ExprId e, SmallVectorImpl<ExprId> &accesses, SmallVectorImpl<ExprId> &gathers) const {
  SmallVector<ExprId> stack{e};
  while (!stack.empty()) {
    const ExprId now = stack.pop_back_val();
    const Expr &x = p.exprs[now];
    auto &list = x.computed.empty() ? accesses : gathers;
    if (x.kind == Expr::Kind::Access && !llvm::is_contained(list, now)) list.push_back(now);
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
    if (p.exprs[a].kind != Expr::Kind::Access || !p.exprs[a].computed.empty()) return false;
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

/// Parts of a step with several operations start their reductions by themselves.
void LinalgLowering::lower(const Assignment &assignment, bool isPart) {
  const Expr &root = p.exprs[assignment.value];
  const bool reduces = root.kind == Expr::Kind::Reduce;
  const ExprId body = reduces ? root.args[0] : assignment.value;
  ArrayRef<IndexId> reduced;
  if (reduces) reduced = root.indices;
  const DType stored = p.tensors[assignment.result].dtype;
  // A reduction is accumulated in what it is stored in; else the wider of the two types is computed in.
  const DType as =
      reduces ? stored : accumulateType(expressions.typeOf(body) ? promote(*expressions.typeOf(body), stored) : stored);

  if (llvm::is_contained(p.typeOf(assignment.result).shape, 0)) return; // nothing to write
  View out = resultView(assignment.result);
  if (reduces) {
    if (!isPart)
      linalg::FillOp::create(b, ValueRange{expressions.number(identityOf(root.monoid), stored)},
                             ValueRange{out.memref});
    if (llvm::any_of(reduced, [&](IndexId i) { return *p.indices[i].extent == 0; })) return;
  }

  SmallVector<ExprId> accesses, gathers;
  collect(body, accesses, gathers);
  SmallVector<Value> gathered;
  for (ExprId g : gathers) gathered.push_back(whole(p.exprs[g].tensor));
  SmallVector<View> inputs;
  for (ExprId a : accesses) inputs.push_back(view(p.exprs[a].tensor, p.exprs[a].subscripts, p.exprs[a].at));
  SmallVector<IndexId> loops(out.indices);
  llvm::append_range(loops, reduced);
  SmallVector<AffineMap> maps;
  SmallVector<Value> memrefs;
  if (auto extents = extentsOf(assignment.result, reduced, inputs)) inputs.push_back(*extents);
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
  SmallVector<utils::IteratorType> iterators(out.indices.size(), utils::IteratorType::parallel);
  iterators.append(reduced.size(), utils::IteratorType::reduction);
  linalg::GenericOp::create(b, TypeRange{}, memrefs, ValueRange{out.memref}, maps, iterators,
                            [&](OpBuilder &nested, Location, ValueRange arguments) {
                              OpBuilder::InsertionGuard guard(b);
                              b.setInsertionPoint(nested.getInsertionBlock(), nested.getInsertionPoint());
                              Value value = expressions.emit(
                                  body, as, {accesses, arguments.drop_back(), loops, gathers, gathered});
                              value = reduces ? expressions.combine(root.monoid, as, arguments.back(), value)
                                              : expressions.convert(value, as, stored);
                              linalg::YieldOp::create(b, value);
                            });
  if (llvm::any_of(flat.folded, [&](const auto &f) { return f.reader == assignment.result; }))
    b.getInsertionBlock()->back().setAttr(kFactorAttr, b.getI64IntegerAttr(assignment.result));
}

/// An operation of a step that has several: what is never stored are allocations that nothing makes, and each operation
/// knows its role.
void LinalgLowering::lowerPart(const Assignment &assignment, bool isVirtual, StringRef role) {
  if (isVirtual) {
    SmallVector<OpFoldResult> extents;
    for (IndexId axis : p.tensors[assignment.result].axes) extents.push_back(extentOf(axis, sizes));
    const Type element = expressions.elementType(p.tensors[assignment.result].dtype);
    memory[assignment.result] = rowMajor(memref::AllocOp::create(b, extents, element), assignment.result);
    memory[assignment.result].plain = true;
  }
  lower(assignment, true);
  Operation *op = &b.getInsertionBlock()->back();
  op->setAttr("ein.role", b.getStringAttr(role));
  SmallVector<int64_t> loops(p.tensors[assignment.result].axes.begin(), p.tensors[assignment.result].axes.end());
  if (const Expr &e = p.exprs[assignment.value]; e.kind == Expr::Kind::Reduce)
    loops.append(e.indices.begin(), e.indices.end());
  op->setAttr("ein.loops", b.getDenseI64ArrayAttr(loops));
}

/// A region of its own.
void LinalgLowering::lowerCascade(const Cascade &cascade) {
  for (size_t i = cascade.first; i < cascade.last; ++i)
    if (llvm::is_contained(p.typeOf(p.assignments[i].result).shape, 0)) return; // nothing to write
  auto region = scf::ExecuteRegionOp::create(b, TypeRange{});
  region->setAttr("ein.cascade", b.getDictionaryAttr({b.getNamedAttr("key", b.getI64IntegerAttr(cascade.key))}));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&region.getRegion().emplaceBlock());
  for (size_t i = cascade.first; i < cascade.last; ++i) {
    const Role role = cascade.roles[i - cascade.first];
    lowerPart(p.assignments[i], role != Role::Finish, name(role));
  }
  scf::YieldOp::create(b);
}

/// A region of a contraction and what follows it, which names the tensor that is not stored.
void LinalgLowering::lowerFold(size_t product) {
  auto region = scf::ExecuteRegionOp::create(b, TypeRange{});
  region->setAttr(kFoldAttr, b.getI64IntegerAttr(p.assignments[product].result));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&region.getRegion().emplaceBlock());
  lowerPart(p.assignments[product], true, "product");
  lowerPart(p.assignments[product + 1], false, "finish");
  scf::YieldOp::create(b);
}

} // namespace

OwningOpRef<ModuleOp> lowerToLinalg(MLIRContext &context, const FlatProgram &flat,
                                    const std::vector<TensorType> &operands, const std::vector<TensorType> &results,
                                    const CompiledModule &sized) {
  return LinalgLowering(context, flat, operands, results, sized).run();
}

} // namespace ein
