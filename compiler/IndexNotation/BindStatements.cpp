// Declarations, lets and outputs of a Program text.
#include "compiler/IndexNotation/Binder.h"

#include <algorithm>
#include <charconv>

namespace ein {
namespace {

bool isNumber(const Word &word) { return word.text[0] >= '0' && word.text[0] <= '9'; }

} // namespace

/// Declarations of indices and inputs hold for the whole text; lets in the order they are written.
Expected<Program> Binder::run() {
  for (const Syntax::Let &let : syntax.lets) letNames.try_emplace(let.name.text, let.name.span);
  if (auto ok = bindConstants(); !ok) return std::move(ok.error());
  if (auto ok = bindInputs(); !ok) return std::move(ok.error());
  if (auto ok = bindProducts(); !ok) return std::move(ok.error());
  for (const Syntax::Let &let : syntax.lets)
    if (auto ok = bindLet(let); !ok) return std::move(ok.error());
  if (syntax.outputs.empty())
    return makeError(ErrorCode::Typing, "the Program has no output", "end it with a line 'out NAME'");
  for (const Syntax::Output &output : syntax.outputs)
    if (auto ok = bindOutput(output); !ok) return std::move(ok.error());
  if (auto ok = checkExtentsKnown(); !ok) return std::move(ok.error());
  return std::move(program);
}

/// Declares the indices of 'index' lines; gives those their extents that name no other index.
Expected<void> Binder::bindConstants() {
  for (const Syntax::IndexDecl &decl : syntax.indices) {
    auto id = declareIndex(decl.name);
    if (!id) return id.error();
    if (decl.factors.empty() || !std::all_of(decl.factors.begin(), decl.factors.end(), isNumber)) continue;
    auto extent = extentOf(decl);
    if (!extent) return extent.error();
    program.indices[*id].extent = **extent;
    extentSources[*id] = {decl.name.span, "its declaration", "declared " + std::to_string(**extent)};
  }
  return {};
}

/// The product of a declaration's factors, if all are known.
Expected<std::optional<int64_t>> Binder::extentOf(const Syntax::IndexDecl &decl) {
  std::optional<int64_t> product = 1;
  for (const Word &factor : decl.factors) {
    int64_t extent = 0;
    if (isNumber(factor)) {
      auto [stop, error] = std::from_chars(factor.text.data(), factor.text.data() + factor.text.size(), extent);
      if (error != std::errc() || stop != factor.text.data() + factor.text.size())
        return at(factor.span, ErrorCode::Syntax,
                  "an extent is an integer of at most 63 bits, not " + quote(factor.text));
    } else {
      auto index = lookupIndex(factor);
      if (!index) return index.error();
      if (!program.indices[*index].extent) return std::optional<int64_t>();
      extent = *program.indices[*index].extent;
    }
    if (__builtin_mul_overflow(*product, extent, &*product))
      return at(factor.span, ErrorCode::Limit, "the extent of " + quote(decl.name.text) + " does not fit 63 bits");
  }
  return product;
}

Expected<void> Binder::bindInputs() {
  size_t declared = syntax.inputs.size();
  if (declared != operands.size()) {
    Error e = makeError(ErrorCode::OperandCount, "the Program declares " + std::to_string(declared) +
                                                     (declared == 1 ? " operand but " : " operands but ") +
                                                     std::to_string(operands.size()) +
                                                     (operands.size() == 1 ? " was given" : " were given"));
    e.text = text;
    if (declared > operands.size())
      e.labels.push_back({syntax.inputs[operands.size()].name.span, "no operand for this one"});
    return e;
  }
  if (declared > kMaxOperands)
    return makeError(ErrorCode::Limit, "a Program has at most " + std::to_string(kMaxOperands) + " operands");
  for (size_t o = 0; o < declared; ++o)
    if (auto ok = bindInput(o); !ok) return ok;
  return {};
}

Expected<void> Binder::bindInput(size_t o) {
  const Syntax::Input &input = syntax.inputs[o];
  const TensorType &type = operands[o];
  std::string which = "operand " + std::to_string(o) + " " + quote(input.name.text);
  if (auto ok = type.verify(); !ok) {
    ok.error().notes.push_back("this is " + which);
    return ok;
  }
  auto dtype = dtypeOf(input.dtype);
  if (!dtype) return dtype.error();
  if (*dtype != type.dtype)
    return at(input.dtype.span, ErrorCode::DTypeMismatch,
              which + " is declared " + std::string(name(*dtype)) + " but is " + std::string(name(type.dtype)),
              "convert the operand, or declare it " + std::string(name(type.dtype)));
  if (input.axes.size() != static_cast<size_t>(type.rank()))
    return at(input.name.span, ErrorCode::Rank,
              which + " has rank " + std::to_string(type.rank()) + " but is declared with " +
                  std::to_string(input.axes.size()) + (input.axes.size() == 1 ? " index" : " indices"),
              "", "shape " + shapeString(type.shape));
  std::vector<IndexId> axes;
  for (size_t d = 0; d < input.axes.size(); ++d) {
    const Word &axis = input.axes[d];
    auto index = symbols.count(axis.text) ? lookupIndex(axis) : declareIndex(axis);
    if (!index) return index.error();
    ExtentSource source{axis.span, quote(input.name.text),
                        "extent " + std::to_string(type.shape[d]) + ": dimension " + std::to_string(d) + " of " +
                            which + ", shape " + shapeString(type.shape)};
    if (auto ok = useIndex(*index, type.shape[d], std::move(source)); !ok) return ok;
    axes.push_back(*index);
  }
  TensorId t = addTensor(std::string(input.name.text), *dtype, std::move(axes));
  program.inputs.push_back(t);
  return declare(input.name, {Symbol::Kind::Tensor, t, input.name.span});
}

/// Extents given by those of other indices, until nothing new is learned.
Expected<void> Binder::bindProducts() {
  for (bool changed = true; changed;) {
    changed = false;
    for (const Syntax::IndexDecl &decl : syntax.indices) {
      if (decl.factors.empty()) continue;
      auto extent = extentOf(decl);
      if (!extent) return extent.error();
      if (!*extent) continue;
      IndexId id = symbols.find(decl.name.text)->second.id;
      changed |= !program.indices[id].extent;
      ExtentSource source{decl.name.span, "its declaration", "declared " + std::to_string(**extent)};
      if (auto ok = useIndex(id, **extent, std::move(source)); !ok) return ok;
    }
  }
  return {};
}

Expected<void> Binder::bindLet(const Syntax::Let &let) {
  values.clear();
  firstNode = let.begin;
  for (NodeId node = let.begin; node <= let.value; ++node) {
    auto value = bindNode(syntax.nodes[node]);
    if (!value) return value.error();
    values.push_back(std::move(*value));
  }
  Value &value = values.back();
  for (IndexId i : value.free)
    if (auto ok = renameBound(value, i); !ok) return ok;
  auto axes = resultAxes(let, value);
  if (!axes) return axes.error();

  DType dtype = value.type               ? *value.type
                : program.inputs.empty() ? DType::F64
                                         : program.tensors[program.inputs[0]].dtype;
  if (let.dtype) {
    auto wanted = dtypeOf(*let.dtype);
    if (!wanted) return wanted.error();
    if (value.type && !convertible(*value.type, *wanted))
      return at(let.dtype->span, ErrorCode::DTypeMismatch,
                quote(let.name.text) + " is declared " + std::string(name(*wanted)) + " but its value is " +
                    std::string(name(dtype)),
                *wanted == DType::Bool ? "compare it with something: x != 0"
                                       : "floats become no integers by themselves");
    dtype = *wanted;
  }
  TensorId t = addTensor(std::string(let.name.text), dtype, std::move(*axes));
  if (auto ok = declare(let.name, {Symbol::Kind::Tensor, t, let.name.span}); !ok) return ok;
  if (auto ok = program.typeOf(t).verify(); !ok)
    return at(let.name.span, ok.error().code, quote(let.name.text) + ": " + ok.error().message);
  program.assignments.push_back({t, value.e});
  return {};
}

/// The stored order of a let's indices: the one it lists, which must be the free indices of its value.
Expected<std::vector<IndexId>> Binder::resultAxes(const Syntax::Let &let, const Value &value) {
  if (!let.axes) return value.free;
  std::vector<IndexId> axes;
  for (const Word &word : *let.axes) {
    auto index = lookupIndex(word);
    if (!index) return index.error();
    if (contains(axes, *index))
      return at(word.span, ErrorCode::DuplicateName, "index " + quote(word.text) + " is twice in the result",
                "for a diagonal compare index values: Y[i,j] = if i == j then X[i] else 0");
    if (!contains(value.free, *index)) {
      Error e = at(word.span, ErrorCode::Typing,
                   "the result lists " + quote(word.text) + " but the expression does not depend on it",
                   "drop it, or use an operand that has it", "not in the expression");
      for (const Bound &b : value.bound)
        if (b.index == *index) e.labels.push_back({b.span, "reduced here"});
      return e;
    }
    axes.push_back(*index);
  }
  for (IndexId i : value.free) {
    if (contains(axes, i)) continue;
    std::string left = program.indices[i].name;
    Error e = at(value.span, ErrorCode::Typing,
                 "index " + quote(left) + " is left over: not in the result '" + std::string(let.name.text) + "[" +
                     indexNames(axes) + "]'",
                 "sum it: sum[" + left + "](...), or list it", "depends on " + indexNames(value.free));
    e.labels.push_back({let.name.span, "lists " + (axes.empty() ? "no index" : indexNames(axes))});
    return e;
  }
  return axes;
}

Expected<void> Binder::bindOutput(const Syntax::Output &output) {
  auto t = lookupTensor(output.name);
  if (!t) return t.error();
  std::vector<IndexId> own;
  for (IndexId axis : program.tensors[*t].axes)
    if (!contains(own, axis)) own.push_back(axis);
  if (output.dtype) {
    auto dtype = dtypeOf(*output.dtype);
    if (!dtype) return dtype.error();
    DType actual = program.tensors[*t].dtype;
    if (*dtype != actual)
      return at(output.dtype->span, ErrorCode::DTypeMismatch,
                quote(output.name.text) + " is " + std::string(name(actual)) + ", not " + std::string(name(*dtype)),
                "conversions are not built yet");
  }
  auto axes = outputAxes(output, std::move(own));
  if (!axes) return axes.error();
  TensorId result = *t;
  if (contains(program.inputs, *t)) { // an operand is no result: copy it
    ExprId value = program.access(*t);
    result = addTensor(freshName(program.tensors[*t].name + "_out"), program.tensors[*t].dtype, *axes);
    symbols.emplace(program.tensors[result].name, Symbol{Symbol::Kind::Tensor, result, output.name.span});
    program.assignments.push_back({result, value});
  } else if (contains(program.outputs, result)) {
    return at(output.name.span, ErrorCode::DuplicateName, quote(output.name.text) + " is an output twice",
              "list it once");
  } else {
    permuteAxes(result, *axes);
  }
  program.outputs.push_back(result);
  return {};
}

Expected<std::vector<IndexId>> Binder::outputAxes(const Syntax::Output &output, std::vector<IndexId> own) {
  if (!output.axes) return own;
  std::vector<IndexId> axes;
  for (const Word &word : *output.axes) {
    auto index = lookupIndex(word);
    if (!index) return index.error();
    if (contains(axes, *index))
      return at(word.span, ErrorCode::DuplicateName, "index " + quote(word.text) + " is twice in the output");
    if (!contains(own, *index))
      return at(word.span, ErrorCode::Typing, quote(output.name.text) + " has no index " + quote(word.text),
                "it has " + indexNames(own));
    axes.push_back(*index);
  }
  for (IndexId i : own)
    if (!contains(axes, i))
      return at(output.name.span, ErrorCode::Typing,
                "the output leaves out index " + quote(program.indices[i].name) + " of " + quote(output.name.text),
                "an output lists all indices: " + indexNames(own));
  return axes;
}

/// Changes the stored order of a computed tensor, in its definition and in all that reads it.
void Binder::permuteAxes(TensorId t, const std::vector<IndexId> &axes) {
  const std::vector<IndexId> old = program.tensors[t].axes;
  if (old == axes) return;
  std::vector<size_t> from; // from[d]: where dimension d was
  for (IndexId axis : axes) from.push_back(std::find(old.begin(), old.end(), axis) - old.begin());
  program.tensors[t].axes = axes;
  for (Expr &e : program.exprs) {
    if (e.kind != Expr::Kind::Access || e.tensor != t) continue;
    std::vector<AccessSubscript> subscripts = e.subscripts;
    for (size_t d = 0; d < from.size(); ++d) e.subscripts[d] = subscripts[from[d]];
  }
}

Expected<void> Binder::checkExtentsKnown() {
  for (const Index &index : program.indices)
    if (!index.extent)
      return at(symbols.find(index.name)->second.declared, ErrorCode::Extent,
                "the extent of index " + quote(index.name) + " is unknown",
                "give it one: index " + index.name + " = 64", "declared here");
  return {};
}

Expected<Program> programFromText(std::string_view text, std::span<const TensorType> operands) {
  auto syntax = parseSyntax(text);
  if (!syntax) return syntax.error();
  return Binder(text, std::move(*syntax), operands).run();
}

} // namespace ein
