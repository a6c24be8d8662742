// Lets, outputs and requirements of a Program text.
#include "compiler/IndexNotation/Binder.h"
#include "compiler/IndexNotation/Warnings.h"

#include <algorithm>

namespace ein {
/// Declarations of indices and inputs hold for the whole text; lets in the order they are written.
Expected<Program> Binder::run() {
  for (const Syntax::Let &let : syntax.lets) letNames.try_emplace(let.name.text, let.name.span);
  if (auto ok = bindConstants(); !ok) return std::move(ok.error());
  if (auto ok = bindInputs(); !ok) return std::move(ok.error());
  if (auto ok = bindProducts(); !ok) return std::move(ok.error());
  if (auto ok = bindAttributes(); !ok) return std::move(ok.error());
  for (const Syntax::Let &let : syntax.lets) {
    if (auto ok = bindLet(let); !ok) return std::move(ok.error());
    ++currentLet;
  }
  if (syntax.outputs.empty())
    return makeError(ErrorCode::Typing, "the Program has no output", "end it with a line 'out NAME'");
  for (const Syntax::Output &output : syntax.outputs)
    if (auto ok = bindOutput(output); !ok) return std::move(ok.error());
  if (auto ok = bindRequirements(); !ok) return std::move(ok.error());
  if (auto ok = checkExtentsKnown(); !ok) return std::move(ok.error());
  std::ranges::move(findWarnings(program), std::back_inserter(program.warnings));
  std::ranges::stable_sort(program.warnings, {}, [](const Error &w) { return w.labels[0].span.begin; });
  return std::move(program);
}

Expected<void> Binder::bindLet(const Syntax::Let &let) {
  values.clear();
  firstNode = let.begin;
  const size_t named = program.assignments.size();
  for (NodeId node = let.begin; node <= let.value; ++node) {
    auto value = bindNode(syntax.nodes[node]);
    if (!value) return value.error();
    values.push_back(std::move(*value));
  }
  Value &value = values.back();
  for (IndexId i : value.free)
    if (auto ok = renameBound(value, i); !ok) return ok;
  for (size_t a = named; a < program.assignments.size(); ++a)
    if (auto ok = checkSubscripts(program.assignments[a].value); !ok) return ok;
  if (auto ok = checkSubscripts(value.e); !ok) return ok;
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
                                       : "cast it: cast(x, " + std::string(name(*wanted)) + ")",
                "here", "E09");
    dtype = *wanted;
  }
  TensorId t = addTensor(std::string(let.name.text), dtype, std::move(*axes));
  if (auto ok = declare(let.name, {Symbol::Kind::Tensor, t, let.name.span}); !ok) return ok;
  if (auto ok = program.typeOf(t).verify(); !ok)
    return at(let.name.span, ok.error().code, quote(let.name.text) + ": " + ok.error().message);
  if (!let.axes && program.tensors[t].axes.size() > 1) unordered.insert(t);
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
                   "drop it, or use an operand that has it", "not in the expression", "E04");
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
                 "sum it: sum[" + left + "](...), or list it", "depends on " + indexNames(value.free), "E03");
    e.labels.push_back({let.name.span, "lists " + (axes.empty() ? "no index" : indexNames(axes))});
    return e;
  }
  return axes;
}

Expected<void> Binder::bindOutput(const Syntax::Output &output) {
  auto t = lookupTensor(output.name);
  if (!t) {
    t.error().rule = "E13";
    return t.error();
  }
  std::vector<IndexId> own;
  for (IndexId axis : program.tensors[*t].axes)
    if (!contains(own, axis)) own.push_back(axis);
  auto axes = outputAxes(output, std::move(own));
  if (!axes) return axes.error();
  auto dtype = outputType(output, *t);
  if (!dtype) return dtype.error();
  TensorId result = *t;
  const bool isRead = std::any_of(program.exprs.begin(), program.exprs.end(),
                                  [&](const Expr &e) { return e.kind == Expr::Kind::Access && e.tensor == *t; });
  // An operand is no result, and what others read is not rounded for them.
  if (contains(program.inputs, *t) || (isRead && *dtype != program.tensors[*t].dtype)) {
    ExprId value = program.access(*t);
    result = addTensor(freshName(program.tensors[*t].name + "_out"), *dtype, *axes);
    symbols.emplace(program.tensors[result].name, Symbol{Symbol::Kind::Tensor, result, output.name.span});
    program.assignments.push_back({result, value});
  } else if (contains(program.outputs, result)) {
    return at(output.name.span, ErrorCode::DuplicateName, quote(output.name.text) + " is an output twice",
              "list it once", "again here", "E13");
  } else {
    permuteAxes(result, *axes);
    program.tensors[result].dtype = *dtype;
  }
  program.outputs.push_back(result);
  return {};
}

/// The dtype that an output is stored in.
Expected<DType> Binder::outputType(const Syntax::Output &output, TensorId t) const {
  const DType own = program.tensors[t].dtype;
  if (!output.dtype) return own;
  auto wanted = dtypeOf(*output.dtype);
  if (!wanted || convertible(own, *wanted)) return wanted;
  return at(output.dtype->span, ErrorCode::DTypeMismatch,
            quote(output.name.text) + " is " + std::string(name(own)) + ", not " + std::string(name(*wanted)),
            "cast it where it is defined", "here", "E09");
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
    for (uint32_t &d : e.computed) d = static_cast<uint32_t>(std::find(from.begin(), from.end(), d) - from.begin());
  }
}

Expected<void> Binder::bindRequirements() {
  auto computed = [&](const Word &word) -> Expected<TensorId> {
    auto t = lookupTensor(word);
    if (!t || !contains(program.inputs, *t)) return t;
    return at(word.span, ErrorCode::Typing, quote(word.text) + " is an operand: it is in memory as it is",
              "name a tensor that the Program computes", "an operand");
  };
  for (const Syntax::Requirement &line : syntax.requirements) {
    Requirement requirement{Requirement::Kind::OnePass, {}, line.kind.span};
    for (auto kind : {Requirement::Kind::NoStore, Requirement::Kind::Stored, Requirement::Kind::Exact})
      if (line.kind.text == name(kind)) requirement.kind = kind;
    for (const Word &word : line.names) {
      auto t = computed(word);
      if (!t) return t.error();
      requirement.tensors.push_back(*t);
    }
    requirement.span.end = line.names.back().span.end;
    program.requirements.push_back(std::move(requirement));
  }
  for (const Word &word : syntax.stores) {
    auto t = computed(word);
    if (!t) return t.error();
    if (!contains(program.stores, *t)) program.stores.push_back(*t);
  }
  return {};
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
