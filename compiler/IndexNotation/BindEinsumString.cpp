// Binds an einsum string to its operands: numpy's rules of ellipsis and broadcasting.
#include "compiler/IndexNotation/BoundEinsum.h"
#include "compiler/Paths/ContractionPath.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace ein {
namespace {

/// One dimension of an operand.
struct Use {
  size_t operand = 0;
  size_t dim = 0;
};

/// Two uses of one index whose extents do not agree.
struct Conflict {
  IndexId index = 0;
  Use first, second;
};

using OperandIndices = std::vector<std::vector<IndexId>>; // by operand and dimension

class EinsumBinder {
public:
  EinsumBinder(const Subscripts &subscripts, std::span<const TensorType> operands, const CompileOptions &options)
      : subscripts(subscripts), operands(operands), options(options) {}

  Expected<BoundEinsum> run() {
    if (auto ok = checkOperands(); !ok) return std::move(ok.error());
    if (auto ok = nameIndices(); !ok) return std::move(ok.error());
    if (auto conflict = unify(dims)) return conflictError(*conflict);
    if (auto ok = subscripts.output ? explicitOutput() : implicitOutput(); !ok) return std::move(ok.error());
    if (auto ok = checkResult(); !ok) return std::move(ok.error());
    if (auto ok = checkConjugates(); !ok) return std::move(ok.error());
    if (auto ok = checkContractionOrder(); !ok) return std::move(ok.error());
    return finish();
  }

private:
  // --- Operands -----------------------------------------------------------------------------------

  Expected<void> checkOperands() {
    size_t terms = subscripts.inputs.size();
    if (operands.size() != terms) {
      Error e = error(ErrorCode::OperandCount, "the expression names " + count(terms, "operand") + " but " +
                                                   std::to_string(operands.size()) +
                                                   (operands.size() == 1 ? " was given" : " were given"));
      if (terms > operands.size())
        e.labels.push_back({subscripts.inputs[operands.size()].span, "no operand for this term"});
      else
        e.labels.push_back({subscripts.inputs.back().span, "the last term"});
      if (terms < operands.size()) e.help = "separate the subscripts of operands with ','";
      return e;
    }
    for (size_t o = 0; o < terms; ++o) {
      if (auto ok = operands[o].verify(); !ok) {
        return at(subscripts.inputs[o].span, std::move(ok.error()), "operand " + std::to_string(o));
      }
      const Term &term = subscripts.inputs[o];
      auto rank = static_cast<size_t>(operands[o].rank());
      bool fits = term.ellipsis() ? term.subscripts.size() - 1 <= rank : term.subscripts.size() == rank;
      if (!fits) return rankError(o);
    }
    return {};
  }

  Error rankError(size_t o) const {
    const Term &term = subscripts.inputs[o];
    size_t labels = term.subscripts.size() - (term.ellipsis() ? 1 : 0);
    auto rank = static_cast<size_t>(operands[o].rank());
    std::string shape = shapeString(operands[o].shape);
    Error e = error(ErrorCode::Rank, "operand " + std::to_string(o) + " has rank " + std::to_string(rank) +
                                         " but its term has " + count(labels, "subscript"));
    e.labels.push_back({term.span, (term.ellipsis() ? "at least " : "") + std::to_string(labels) +
                                       (labels == 1 ? " dimension" : " dimensions") + ", but operand " +
                                       std::to_string(o) + " has shape " + shape});
    if (rank > labels) e.help = "'...' in a term stands for any number of dimensions";
    return e;
  }

  // --- Indices ------------------------------------------------------------------------------------

  size_t ellipsisRank(size_t o) const {
    const Term &term = subscripts.inputs[o];
    return term.ellipsis() ? static_cast<size_t>(operands[o].rank()) - (term.subscripts.size() - 1) : 0;
  }

  /// Gives each dimension of each operand its index. The dimensions of ellipses align from the right.
  Expected<void> nameIndices() {
    for (size_t o = 0; o < operands.size(); ++o) dotsRank = std::max(dotsRank, ellipsisRank(o));
    for (size_t k = 0; k < dotsRank; ++k) indices.push_back({"dots" + std::to_string(k), std::nullopt});
    for (size_t o = 0; o < operands.size(); ++o) {
      dims.emplace_back();
      for (const Subscript &s : subscripts.inputs[o].subscripts) {
        if (!s.isEllipsis()) {
          dims[o].push_back(indexOf(s.name));
          if (indices.size() <= kMaxIndices) continue;
          return at(s.span,
                    makeError(ErrorCode::Limit, "an einsum has at most " + std::to_string(kMaxIndices) + " indices"),
                    "one more");
        }
        for (size_t k = dotsRank - ellipsisRank(o); k < dotsRank; ++k) dims[o].push_back(static_cast<IndexId>(k));
      }
    }
    return {};
  }

  IndexId indexOf(const std::string &label) {
    auto [it, isNew] = ids.try_emplace(label, static_cast<IndexId>(indices.size()));
    if (isNew) indices.push_back({label, std::nullopt});
    return it->second;
  }

  /// Finds the extent of each index: 1 gives way to any other across operands, never within one.
  std::optional<Conflict> unify(const OperandIndices &dims) {
    std::vector<std::optional<Use>> decided(indices.size());
    auto extentAt = [&](const Use &u) { return operands[u.operand].shape[u.dim]; };
    for (size_t o = 0; o < dims.size(); ++o) {
      std::map<IndexId, Use> own;
      for (size_t d = 0; d < dims[o].size(); ++d) {
        IndexId i = dims[o][d];
        Use use{o, d};
        auto [first, isFirst] = own.try_emplace(i, use);
        if (!isFirst && extentAt(first->second) != extentAt(use)) return Conflict{i, first->second, use};
        if (decided[i] && extentAt(*decided[i]) != extentAt(use) && extentAt(*decided[i]) != 1 && extentAt(use) != 1)
          return Conflict{i, *decided[i], use};
        if (!decided[i] || extentAt(*decided[i]) == 1) decided[i] = use;
      }
    }
    for (IndexId i = 0; i < decided.size(); ++i) indices[i].extent = extentAt(*decided[i]);
    return std::nullopt;
  }

  Error conflictError(const Conflict &c) {
    int64_t first = operands[c.first.operand].shape[c.first.dim],
            second = operands[c.second.operand].shape[c.second.dim];
    bool sameOperand = c.first.operand == c.second.operand;
    std::string what = c.index < dotsRank ? "dimension " + std::to_string(c.index) + " of the ellipsis"
                                          : "index '" + indices[c.index].name + "'";
    std::string message = what + (sameOperand ? " has extents " : " has extent ") + std::to_string(first);
    message += sameOperand ? " and " + std::to_string(second) + " in operand " + std::to_string(c.first.operand)
                           : " in operand " + std::to_string(c.first.operand) + " but " + std::to_string(second) +
                                 " in operand " + std::to_string(c.second.operand);
    Error e = error(ErrorCode::Extent, std::move(message));
    e.labels = {useLabel(c.first), useLabel(c.second)};
    e.notes.push_back(sameOperand ? "a repeated index takes the diagonal, so its extents must be equal"
                                  : "only extent 1 broadcasts");
    e.help = permutationHelp();
    return e;
  }

  Label useLabel(const Use &u) const {
    const std::vector<int64_t> &shape = operands[u.operand].shape;
    return {subscriptAt(u).span, "extent " + std::to_string(shape[u.dim]) + ": dimension " + std::to_string(u.dim) +
                                     " of operand " + std::to_string(u.operand) + ", shape " + shapeString(shape)};
  }

  const Subscript &subscriptAt(const Use &u) const {
    const Term &term = subscripts.inputs[u.operand];
    auto dots = term.ellipsis();
    if (!dots || u.dim < *dots) return term.subscripts[u.dim];
    size_t width = ellipsisRank(u.operand);
    return term.subscripts[u.dim < *dots + width ? *dots : u.dim - width + 1];
  }

  /// Of two operands, whether another order of one's dimensions would fit.
  std::string permutationHelp() {
    if (operands.size() != 2) return {};
    for (size_t o : {1, 0}) {
      size_t rank = dims[o].size();
      if (subscripts.inputs[o].ellipsis() || rank < 2 || rank > 4) continue;
      std::vector<size_t> order(rank);
      std::iota(order.begin(), order.end(), 0);
      while (std::next_permutation(order.begin(), order.end())) {
        OperandIndices permuted = dims;
        Subscripts shown = subscripts;
        for (size_t d = 0; d < rank; ++d) {
          permuted[o][d] = dims[o][order[d]];
          shown.inputs[o].subscripts[d] = subscripts.inputs[o].subscripts[order[d]];
        }
        if (!unify(permuted))
          return "with the dimensions of operand " + std::to_string(o) + (rank == 2 ? " swapped" : " permuted") +
                 " it fits: " + shown.str();
      }
    }
    return {};
  }

  // --- Output -------------------------------------------------------------------------------------

  void outputEllipsis() {
    for (size_t k = 0; k < dotsRank; ++k) output.push_back(static_cast<IndexId>(k));
  }

  Expected<void> explicitOutput() {
    std::map<std::string_view, const Subscript *> seen;
    for (const Subscript &s : subscripts.output->subscripts) {
      if (s.isEllipsis()) {
        outputEllipsis();
        continue;
      }
      auto known = ids.find(s.name);
      if (known == ids.end()) return unknownOutput(s);
      auto [first, isFirst] = seen.try_emplace(s.name, &s);
      if (!isFirst && !options.scatter) {
        Error e = error(ErrorCode::DuplicateName, "index '" + s.name + "' is twice in the output");
        e.labels = {{s.span, "again here"}, {first->second->span, "first here"}};
        e.help = "list it once; the option 'scatter' allows it, and writes the diagonal and zeros elsewhere";
        return e;
      }
      output.push_back(known->second);
    }
    return {};
  }

  Error unknownOutput(const Subscript &s) const {
    Error e = error(ErrorCode::UnknownName, "output index '" + s.name + "' is in no operand");
    e.labels.push_back({s.span, "not in any input term"});
    std::string known;
    for (size_t i = dotsRank; i < indices.size(); ++i) known += (known.empty() ? "" : ", ") + indices[i].name;
    e.help = known.empty() ? "the operands have no index" : "the operands have: " + known;
    return e;
  }

  /// The ellipsis first, then what occurs exactly once, by code point (the order of UTF-8 bytes).
  Expected<void> implicitOutput() {
    outputEllipsis();
    std::vector<size_t> occurrences(indices.size(), 0);
    for (const auto &operand : dims)
      for (IndexId i : operand) ++occurrences[i];
    for (const auto &[label, i] : ids)
      if (i >= dotsRank && occurrences[i] == 1) output.push_back(i);
    return {};
  }

  /// The result's rank, dtype and bytes.
  Expected<void> checkResult() {
    Span place = subscripts.output ? subscripts.output->span : Span{0, static_cast<uint32_t>(subscripts.text.size())};
    if (output.size() > kMaxRank)
      return at(place,
                makeError(ErrorCode::Limit, "the result has rank " + std::to_string(output.size()) + "; the limit is " +
                                                std::to_string(kMaxRank)),
                "the result");
    auto settled = dtypesOfEinsum(operands, options);
    if (!settled) return at(place, std::move(settled.error()), "the result");
    dtypes = *settled;
    std::vector<int64_t> shape;
    for (IndexId i : output) shape.push_back(*indices[i].extent);
    if (auto ok = TensorType(dtypes.result, std::move(shape)).verify(); !ok)
      return at(place, std::move(ok.error()), "the result");
    return {};
  }

  Expected<void> checkConjugates() const {
    const Span inputs{subscripts.inputs.front().span.begin, subscripts.inputs.back().span.end};
    std::vector<bool> taken(operands.size(), false);
    for (int64_t o : options.conjugate) {
      if (o < 0 || o >= std::ssize(operands))
        return at(inputs,
                  makeError(ErrorCode::OperandCount,
                            "the conjugate of operand " + std::to_string(o) + ", which the expression does not have",
                            "operands count from 0 to " + std::to_string(operands.size() - 1)),
                  count(operands.size(), "operand"));
      if (taken[o])
        return at(subscripts.inputs[o].span,
                  makeError(ErrorCode::DuplicateName,
                            "the conjugate of operand " + std::to_string(o) + " is taken twice", "list it once"),
                  "operand " + std::to_string(o));
      taken[o] = true;
    }
    return {};
  }

  Expected<void> checkContractionOrder() const {
    if (options.order.empty()) return {};
    auto wrong = checkOrder(options.order, operands.size());
    if (!wrong) return {};
    Span inputs{subscripts.inputs.front().span.begin, subscripts.inputs.back().span.end};
    return at(inputs,
              makeError(ErrorCode::OperandCount, *wrong,
                        "each step takes positions in the list of what is left; its result goes to the end"),
              std::to_string(operands.size()) + (operands.size() == 1 ? " operand" : " operands"));
  }

  BoundEinsum finish() {
    BoundEinsum bound{subscripts.text, std::move(indices), {}, "result", dtypes, std::move(output)};
    for (size_t o = 0; o < operands.size(); ++o)
      bound.operands.push_back({"op" + std::to_string(o), operands[o].dtype, operands[o].shape, std::move(dims[o]),
                                subscripts.inputs[o].span});
    for (int64_t o : options.conjugate) bound.operands[o].conjugated = isComplex(operands[o].dtype);
    return bound;
  }

  /// An error from elsewhere, with its place.
  Error at(Span span, Error e, std::string label) const {
    e.text = subscripts.text;
    e.labels.push_back({span, std::move(label)});
    return e;
  }

  Error error(ErrorCode code, std::string message) const {
    Error e = makeError(code, std::move(message));
    e.text = subscripts.text;
    return e;
  }

  static std::string count(size_t n, const std::string &noun) {
    return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
  }

  const Subscripts &subscripts;
  std::span<const TensorType> operands;
  const CompileOptions &options;
  std::vector<Index> indices;
  std::map<std::string, IndexId> ids;
  size_t dotsRank = 0; ///< dimensions of the longest ellipsis; their indices come first
  EinsumDTypes dtypes;
  OperandIndices dims;
  std::vector<IndexId> output;
};

} // namespace

Expected<BoundEinsum> bindEinsumString(const Subscripts &subscripts, std::span<const TensorType> operands,
                                       const CompileOptions &options) {
  return EinsumBinder(subscripts, operands, options).run();
}

} // namespace ein
