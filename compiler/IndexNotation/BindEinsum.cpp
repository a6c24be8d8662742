// einsum("...", X, Y) inside a Program: labels are the Program's indices, extent 1 does not stretch.
#include "compiler/IndexNotation/Binder.h"
#include "compiler/IndexNotation/Words.h"

#include <algorithm>

namespace ein {
namespace {

/// The labels of an implicit output: those that occur once, by code point.
std::vector<std::string> onceOnly(const Subscripts &subscripts) {
  std::map<std::string, size_t> occurrences;
  for (const Term &term : subscripts.inputs)
    for (const Subscript &s : term.subscripts)
      if (!s.isEllipsis()) ++occurrences[s.name];
  std::vector<std::string> once;
  for (const auto &[label, n] : occurrences)
    if (n == 1) once.push_back(label);
  return once;
}

} // namespace

/// What the labels of one einsum(...) mean.
struct Binder::EinsumLabels {
  const SyntaxNode &node;
  Subscripts subscripts;                              ///< spans point into the Program's text
  std::vector<TensorId> tensors;                      ///< by operand
  std::vector<std::string> outputLabels;              ///< ellipsis left out
  std::map<std::string, IndexId> indices;             ///< by label
  std::vector<IndexId> dots;                          ///< the indices of the longest ellipsis
  std::vector<std::vector<AccessSubscript>> accesses; ///< by operand
  std::vector<IndexId> used;                          ///< in the order of the operands
};

Expected<Binder::Value> Binder::bindEinsum(const SyntaxNode &node) {
  auto parsed = parseSubscripts(node.word.text, labelStyleOf(node.word.text));
  auto shift = [&](Span &s) { s.begin += node.word.span.begin, s.end += node.word.span.begin; };
  if (!parsed) {
    for (Label &label : parsed.error().labels) shift(label.span);
    parsed.error().text = text;
    return parsed.error();
  }
  auto shiftTerm = [&](Term &term) {
    shift(term.span);
    for (Subscript &s : term.subscripts) shift(s.span);
  };
  for (Term &term : parsed->inputs) shiftTerm(term);
  if (parsed->output) shiftTerm(*parsed->output);
  if (parsed->inputs.size() != node.names.size())
    return at(node.word.span, ErrorCode::OperandCount,
              "the einsum names " + std::to_string(parsed->inputs.size()) + " operands but " +
                  std::to_string(node.names.size()) + (node.names.size() == 1 ? " was given" : " were given"));

  auto operations = einsumOperations(node);
  if (!operations) return operations.error();
  auto tensors = einsumTensors(node);
  if (!tensors) return tensors.error();
  EinsumLabels labels{node, std::move(*parsed), std::move(*tensors), {}, {}, {}, {}, {}};
  if (!labels.subscripts.output)
    labels.outputLabels = onceOnly(labels.subscripts);
  else
    for (const Subscript &s : labels.subscripts.output->subscripts)
      if (!s.isEllipsis()) labels.outputLabels.push_back(s.name);
  for (size_t o = 0; o < node.names.size(); ++o)
    if (auto ok = bindEinsumOperand(labels, o); !ok) return ok.error();
  if (auto ok = checkEllipsis(labels); !ok) return ok.error();
  auto output = einsumOutput(labels);
  if (!output) return output.error();

  auto product = einsumProduct(labels, *operations);
  if (!product) return product;
  std::vector<IndexId> summed;
  for (IndexId i : labels.used)
    if (!contains(*output, i) && !contains(summed, i)) summed.push_back(i);
  const bool isBool = product->type == DType::Bool;
  if (!summed.empty()) product->e = program.reduce(isBool ? Monoid::Max : operations->add, summed, product->e);
  // "or" of numbers is the maximum of 0 and 1, but over nothing 0.
  auto isEmpty = [&](IndexId i) { return program.indices[i].extent == 0; };
  if (operations->ofTruth && !isBool && std::any_of(summed.begin(), summed.end(), isEmpty))
    product->e = program.map(Fn::Max, {product->e, program.literal(0)});
  for (IndexId i : summed) product->bound.push_back({i, product->e, node.word.span});
  product->free = std::move(*output);
  product->subscripts = product->free.size();
  return product;
}

/// The operations that `over` names.
Expected<EinsumOperations> Binder::einsumOperations(const SyntaxNode &node) const {
  static constexpr std::pair<std::string_view, Semiring> kSemirings[] = {
      {"plus_times", Semiring::PlusTimes}, {"min_plus", Semiring::MinPlus}, {"max_plus", Semiring::MaxPlus},
      {"max_times", Semiring::MaxTimes},   {"or_and", Semiring::OrAnd},     {"lse_plus", Semiring::LogAddExpPlus}};
  if (!node.semiring) return operationsOf(Semiring::PlusTimes);
  for (const auto &[word, semiring] : kSemirings)
    if (node.semiring->text == word) return operationsOf(semiring);
  return at(node.semiring->span, ErrorCode::UnknownName, "unknown semiring " + quote(node.semiring->text),
            "plus_times, min_plus, max_plus, max_times, or_and and lse_plus are known", "here", "E20");
}

/// The operands; one that is an expression gets a tensor of its own.
Expected<std::vector<TensorId>> Binder::einsumTensors(const SyntaxNode &node) {
  std::vector<TensorId> tensors;
  auto next = node.args.begin();
  for (const Word &word : node.names) {
    if (!word.text.empty()) {
      auto t = lookupTensor(word);
      if (!t) return t.error();
      tensors.push_back(*t);
      continue;
    }
    Value value = std::move(valueOf(*next++));
    if (auto ok = nameValue(value, "factor"); !ok) return ok.error();
    tensors.push_back(program.exprs[value.e].tensor);
  }
  return tensors;
}

Expected<Binder::Value> Binder::einsumProduct(const EinsumLabels &labels, const EinsumOperations &operations) {
  const SyntaxNode &node = labels.node;
  Value product;
  for (size_t o = 0; o < node.names.size(); ++o) {
    Value factor = accessValue(labels.tensors[o], labels.accesses[o], labels.subscripts.inputs[o].span);
    factor.span = node.names[o].span;
    const bool complex = isComplex(*factor.type), integer = isInteger(*factor.type);
    if (node.semiring && (complex || (integer && operations.add == Monoid::LogSumExp) ||
                          (*factor.type == DType::Bool && !operations.ofTruth)))
      return at(factor.span, ErrorCode::DTypeMismatch,
                quote(node.semiring->text) + " is not defined for " + std::string(name(*factor.type)), "",
                std::string(name(*factor.type)), "E20");
    if (operations.ofTruth && *factor.type != DType::Bool) {
      const ExprId zero = program.literal(0);
      factor.e = asNumber(program.map(Fn::NotEqual, {factor.e, zero}));
    }
    // Of bools the product is "and"; a bool among numbers is 0 or 1.
    if (product.type == DType::Bool && factor.type != DType::Bool && o > 0) product.e = asNumber(product.e);
    if (factor.type == DType::Bool && o > 0 && product.type != DType::Bool) factor.e = asNumber(factor.e);
    const Type type = join(product.type, factor.type);
    if (o == 0)
      product = factor;
    else
      product.e = program.map(type == DType::Bool ? Fn::And : operations.multiply, {product.e, factor.e});
    product.type = type;
  }
  return product;
}

Expected<void> Binder::bindEinsumOperand(EinsumLabels &labels, size_t o) {
  const Word &word = labels.node.names[o];
  const Term &term = labels.subscripts.inputs[o];
  const Tensor &tensor = program.tensors[labels.tensors[o]];
  const std::string shown = quote(word.text.empty() ? tensor.name : word.text);
  const std::vector<IndexId> axes = tensor.axes;
  auto dots = term.ellipsis();
  size_t labelled = term.subscripts.size() - (dots ? 1 : 0);
  if (dots ? labelled > axes.size() : labelled != axes.size()) {
    Error e = at(term.span, ErrorCode::Rank,
                 shown + " has rank " + std::to_string(axes.size()) + " but its term has " + std::to_string(labelled) +
                     (labelled == 1 ? " subscript" : " subscripts"),
                 "", "the term");
    e.labels.push_back({word.span, "its indices are [" + indexNames(axes) + "]"});
    return e;
  }
  std::vector<AccessSubscript> subscripts;
  for (const Subscript &s : term.subscripts) {
    size_t d = subscripts.size();
    if (s.isEllipsis()) {
      std::vector<IndexId> own(axes.begin() + d, axes.begin() + d + (axes.size() - labelled));
      labels.used.insert(labels.used.end(), own.begin(), own.end());
      subscripts.insert(subscripts.end(), own.begin(), own.end());
      if (auto ok = alignEllipsis(labels, own, o); !ok) return ok;
      continue;
    }
    int64_t extent = *program.indices[axes[d]].extent;
    auto index = labelIndex(labels, s, extent);
    if (!index) return index.error();
    ExtentSource source{s.span, shown,
                        "extent " + std::to_string(extent) + ": dimension " + std::to_string(d) + " of " + shown};
    if (auto ok = useIndex(*index, extent, std::move(source)); !ok) return ok;
    labels.used.push_back(*index);
    subscripts.push_back(*index);
  }
  labels.accesses.push_back(std::move(subscripts));
  return {};
}

/// A label that nothing declares becomes an index: of the Program if the output has it, else local.
Expected<IndexId> Binder::labelIndex(EinsumLabels &labels, const Subscript &s, int64_t extent) {
  if (auto known = labels.indices.find(s.name); known != labels.indices.end()) return known->second;
  std::string_view written = text.substr(s.span.begin, s.span.end - s.span.begin);
  size_t name = written.find(s.name); // behind '{'
  Word word{written.substr(name, s.name.size()), s.span};
  if (words::isReserved(s.name))
    return at(s.span, ErrorCode::Syntax, quote(s.name) + " is a word of the language and cannot name an index",
              "choose another name");
  bool isNew = !symbols.count(s.name);
  if (isNew && program.indices.size() >= kMaxIndices)
    return at(s.span, ErrorCode::Limit, "a Program has at most " + std::to_string(kMaxIndices) + " indices");
  bool inOutput =
      std::find(labels.outputLabels.begin(), labels.outputLabels.end(), s.name) != labels.outputLabels.end();
  Expected<IndexId> index = !isNew     ? lookupIndex(word)
                            : inOutput ? declareIndex(word)
                                       : Expected<IndexId>(hiddenIndex(s.name, extent));
  if (index) labels.indices.emplace(s.name, *index);
  return index;
}

/// An ellipsis stands for the operand's own indices; where two ellipses align, from the right, these agree.
Expected<void> Binder::alignEllipsis(EinsumLabels &labels, const std::vector<IndexId> &own, size_t o) {
  size_t overlap = std::min(own.size(), labels.dots.size());
  if (!std::equal(own.end() - overlap, own.end(), labels.dots.end() - overlap))
    return at(labels.node.names[o].span, ErrorCode::Typing,
              "the ellipsis stands for [" + indexNames(own) + "] here but for [" + indexNames(labels.dots) +
                  "] in an operand before",
              "in a Program dimensions align by name; use labels", "has indices [" + indexNames(own) + "] there");
  if (own.size() > labels.dots.size()) labels.dots = own;
  return {};
}

Expected<void> Binder::checkEllipsis(const EinsumLabels &labels) {
  for (size_t k = 0; k < labels.dots.size(); ++k) {
    IndexId i = labels.dots[k];
    bool labelled =
        std::any_of(labels.indices.begin(), labels.indices.end(), [&](const auto &l) { return l.second == i; });
    if (labelled || std::find(labels.dots.begin(), labels.dots.begin() + k, i) != labels.dots.begin() + k)
      return at(labels.node.word.span, ErrorCode::Typing,
                "index " + quote(program.indices[i].name) + " is in the ellipsis and elsewhere",
                "use labels for all dimensions");
  }
  return {};
}

Expected<std::vector<IndexId>> Binder::einsumOutput(const EinsumLabels &labels) {
  std::vector<IndexId> output;
  if (!labels.subscripts.output) {
    output = labels.dots;
    for (const std::string &label : labels.outputLabels) output.push_back(labels.indices.at(label));
    return output;
  }
  for (const Subscript &s : labels.subscripts.output->subscripts) {
    if (s.isEllipsis()) {
      output.insert(output.end(), labels.dots.begin(), labels.dots.end());
      continue;
    }
    auto known = labels.indices.find(s.name);
    if (known == labels.indices.end())
      return at(s.span, ErrorCode::UnknownName, "output index " + quote(s.name) + " is in no operand", "",
                "not in any input term");
    if (contains(output, known->second))
      return at(s.span, ErrorCode::DuplicateName, "index " + quote(s.name) + " is twice in the output",
                "for a diagonal compare index values: Y[i,j] = if i == j then X[i] else 0");
    output.push_back(known->second);
  }
  return output;
}

} // namespace ein
