// Gives the names of a Program text their meaning: declares, types, and unifies extents.
#pragma once

#include "compiler/IndexNotation/BoundEinsum.h"
#include "compiler/IndexNotation/Bounds.h"
#include "compiler/IndexNotation/Syntax.h"
#include "compiler/Subscripts/Subscripts.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace ein {

/// Declarations are in BindInputs.cpp, lets and outputs in BindStatements.cpp, expressions in the files of their sort.
class Binder {
public:
  Binder(std::string_view text, Syntax syntax, std::span<const TensorType> operands)
      : text(text), syntax(std::move(syntax)), operands(operands), ranges(program) {
    program.text = text;
  }

  Expected<Program> run();

private:
  using Status = Expected<void>;

  /// What an expression denotes at one point; nothing for literals and index values, which take the dtype around them.
  using Type = std::optional<DType>;

  /// An index that a Reduce or Top binds.
  struct Bound {
    IndexId index;
    ExprId reduce;
    Span span;
  };

  /// A bound expression.
  struct Value {
    ExprId e = 0;
    Type type;
    Span span;
    std::vector<IndexId> free; ///< as subscripts of tensors in the order of first appearance, then the others
    size_t subscripts = 0;     ///< how many of `free` are subscripts of tensors
    std::vector<Bound> bound;  ///< indices that reductions inside bind
  };

  struct Symbol {
    enum class Kind : uint8_t { Index, Tensor } kind;
    uint32_t id;
    Span declared;
  };

  /// Where the extent of an index comes from, for messages.
  struct ExtentSource {
    Span span;
    std::string place; ///< "'K'"
    std::string label; ///< "extent 3: dimension 2 of operand 0, shape [2,4,3]"
  };

  // Statements.
  Status bindConstants();
  Status bindInputs();
  Status bindInput(size_t o);
  Status bindProducts();
  Status bindGroups(bool isLast, bool &changed);
  Status bindGroup(std::span<const Word> group, int64_t extent, bool isLast, bool &changed);
  Status bindAttributes();
  Expected<std::optional<int64_t>> extentOf(const Syntax::IndexDecl &decl);
  Status bindLet(const Syntax::Let &let);
  Expected<std::vector<IndexId>> resultAxes(const Syntax::Let &let, const Value &value);
  Expected<DType> outputType(const Syntax::Output &output, TensorId t) const;
  Status bindOutput(const Syntax::Output &output);
  Expected<std::vector<IndexId>> outputAxes(const Syntax::Output &output, std::vector<IndexId> own);
  void permuteAxes(TensorId t, const std::vector<IndexId> &axes);
  Status checkExtentsKnown();
  Status bindRequirements();

  // Expressions.
  Expected<Value> bindNode(const SyntaxNode &node);
  Expected<Value> bindReference(const Word &word);
  Expected<Value> bindAccess(const SyntaxNode &node);
  Expected<Value> subscript(const Word &word, std::vector<NodeId>::const_iterator &next);
  Status checkSubscripts(ExprId root);
  Expected<Value> bindApply(const SyntaxNode &node);
  Expected<Value> bindCast(const SyntaxNode &node);
  Expected<Value> bindRand(const SyntaxNode &node);
  static void unite(Value &value, const Value &other);
  Status renameBound(Value &value, IndexId index);
  Value accessValue(TensorId t, std::vector<AccessSubscript> subscripts, Span span);
  Value &valueOf(NodeId node) { return values[node - firstNode]; }
  static Type join(Type a, Type b);
  Status checkApply(const SyntaxNode &node, Type type) const;
  ExprId asNumber(ExprId condition);
  Status nameValue(Value &value, const std::string &base);
  ExprId copy(ExprId root);
  Status nameIfLarge(Value &value, const std::string &base);

  // Reductions.
  Expected<Value> bindReduction(const SyntaxNode &node);
  Status checkReduced(const SyntaxNode &node, const Value &value) const;
  Expected<std::vector<IndexId>> reducedIndices(const SyntaxNode &node, const std::vector<IndexId> &free);
  Expected<Value> reduceTo(Expr e, Value value, const SyntaxNode &node);
  Expected<Value> bindMean(const SyntaxNode &node, Value value, std::optional<Value> guard,
                           const std::vector<IndexId> &indices);
  Expected<Value> bindVariance(const SyntaxNode &node, Value value, std::optional<Value> guard,
                               const std::vector<IndexId> &indices);
  Expected<Value> bindTop(const SyntaxNode &node, Value value, std::optional<Value> guard,
                          const std::vector<IndexId> &indices);
  Status bindSink(const SyntaxNode &node, Value &value, Expr &e);

  // einsum(...).
  struct EinsumLabels;
  Expected<Value> bindEinsum(const SyntaxNode &node);
  Expected<EinsumOperations> einsumOperations(const SyntaxNode &node) const;
  Expected<std::vector<TensorId>> einsumTensors(const SyntaxNode &node);
  Expected<Value> einsumProduct(const EinsumLabels &labels, const EinsumOperations &operations);
  Status bindEinsumOperand(EinsumLabels &labels, size_t o);
  Expected<IndexId> labelIndex(EinsumLabels &labels, const Subscript &s, int64_t extent);
  Status alignEllipsis(EinsumLabels &labels, const std::vector<IndexId> &own, size_t o);
  Expected<std::vector<IndexId>> einsumOutput(const EinsumLabels &labels);
  Status checkEllipsis(const EinsumLabels &labels);

  // Names and extents.
  Status declare(const Word &name, Symbol symbol);
  Expected<IndexId> declareIndex(const Word &name);
  IndexId hiddenIndex(const std::string &name, int64_t extent);
  void unhide(const std::string &name);
  std::string freshName(const std::string &base) const;
  Expected<Symbol> lookup(const Word &name) const;
  Expected<IndexId> lookupIndex(const Word &name) const;
  Expected<TensorId> lookupTensor(const Word &name) const;
  std::string suggestion(std::string_view name) const;
  Status useIndex(IndexId i, int64_t extent, ExtentSource source);
  Expected<DType> dtypeOf(const Word &word) const;
  TensorId addTensor(const std::string &name, DType dtype, std::vector<IndexId> axes);
  std::string indexNames(const std::vector<IndexId> &indices) const;

  static bool contains(const std::vector<IndexId> &indices, IndexId i) {
    return std::find(indices.begin(), indices.end(), i) != indices.end();
  }

  Error at(Span span, ErrorCode code, std::string message, std::string help = {}, std::string label = "here",
           const char *rule = "") const {
    Error e = errorAt(text, span, code, std::move(message), std::move(help), std::move(label));
    e.rule = rule;
    return e;
  }

  std::string_view text;
  Syntax syntax;
  std::span<const TensorType> operands;
  Program program;
  std::map<std::string, Symbol, std::less<>> symbols;
  std::map<std::string, IndexId> hidden; ///< indices that no name of the text means, by the name they print with
  std::map<std::string_view, Span> letNames;
  std::map<std::string, TensorId, std::less<>> hiddenTensors; ///< the same of tensors
  std::set<TensorId> unordered;                               ///< computed, and no list says in which order they lie
  std::vector<std::optional<ExtentSource>> extentSources;     ///< by index
  std::vector<Value> values;                                  ///< of the let being bound, by node
  NodeId firstNode = 0;
  size_t currentLet = 0;
  IntegerRanges ranges;
  bool hasComputed = false;        ///< some subscript is
  std::vector<uint64_t> treeSizes; ///< by expression: nodes when nothing is shared
};

} // namespace ein
