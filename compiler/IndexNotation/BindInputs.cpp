// Declarations of a Program text: indices, operands, and where extents come from.
#include "compiler/IndexNotation/Binder.h"

#include <algorithm>
#include <charconv>

namespace ein {
namespace {

bool isNumber(const Word &word) { return word.text[0] >= '0' && word.text[0] <= '9'; }

} // namespace

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
              "convert the operand, or declare it " + std::string(name(type.dtype)), "here", "E09");
  if (input.groups.size() != static_cast<size_t>(type.rank()))
    return at(input.name.span, ErrorCode::Rank,
              which + " has rank " + std::to_string(type.rank()) + " but is declared with " +
                  std::to_string(input.groups.size()) + (input.groups.size() == 1 ? " index" : " indices"),
              "", "shape " + shapeString(type.shape), "E07");
  std::vector<IndexId> axes;
  for (size_t d = 0, left = 0; axes.size() < input.axes.size(); --left, d += left == 0) {
    const Word &axis = input.axes[axes.size()];
    auto index = symbols.count(axis.text) ? lookupIndex(axis) : declareIndex(axis);
    if (!index) return index.error();
    if (left == 0) left = input.groups[d];
    axes.push_back(*index);
    if (input.groups[d] > 1) continue; // bindGroups
    ExtentSource source{axis.span, quote(input.name.text),
                        "extent " + std::to_string(type.shape[d]) + ": dimension " + std::to_string(d) + " of " +
                            which + ", shape " + shapeString(type.shape)};
    if (auto ok = useIndex(*index, type.shape[d], std::move(source)); !ok) return ok;
  }
  TensorId t = addTensor(std::string(input.name.text), *dtype, std::move(axes));
  if (input.axes.size() > input.groups.size()) program.tensors[t].groups = input.groups;
  program.inputs.push_back(t);
  return declare(input.name, {Symbol::Kind::Tensor, t, input.name.span});
}

/// Extents given by those of other indices, until nothing new is learned.
Expected<void> Binder::bindProducts() {
  for (bool changed = true, isLast = false; changed || !isLast;) {
    isLast = !changed;
    changed = false;
    if (auto ok = bindGroups(isLast, changed); !ok) return ok;
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

/// The extents of indices that share a dimension: of each group all but one must be known from elsewhere.
Expected<void> Binder::bindGroups(bool isLast, bool &changed) {
  for (size_t o = 0; o < syntax.inputs.size(); ++o) {
    const Syntax::Input &input = syntax.inputs[o];
    auto first = input.axes.begin();
    for (size_t d = 0; d < input.groups.size(); first += input.groups[d++])
      if (input.groups[d] > 1)
        if (auto ok = bindGroup({&*first, input.groups[d]}, operands[o].shape[d], isLast, changed); !ok) return ok;
  }
  return {};
}

Expected<void> Binder::bindGroup(std::span<const Word> group, int64_t extent, bool isLast, bool &changed) {
  std::string written = "(";
  int64_t known = 1;
  const Word *unknown = nullptr;
  bool several = false;
  for (const Word &word : group) {
    written += (written.size() > 1 ? " " : "") + std::string(word.text);
    const std::optional<int64_t> own = program.indices[symbols.find(word.text)->second.id].extent;
    several |= !own && unknown;
    if (!own) unknown = &word;
    if (own && __builtin_mul_overflow(known, *own, &known))
      return at(word.span, ErrorCode::Limit, "the extent of " + written + ") does not fit 63 bits");
  }
  written += ")";
  const Span span{group.front().span.begin, group.back().span.end};
  const std::string label = "extent " + std::to_string(extent);
  if (several && !isLast) return {};
  if (several || (unknown && known == 0))
    return at(span, ErrorCode::Extent, written + ": all indices but one need an extent from elsewhere",
              "fix one: index " + std::string(group.back().text) + " = 4", label, "E11");
  if (unknown ? extent % known != 0 : extent != known)
    return at(span, ErrorCode::Extent,
              written + ": " + std::to_string(extent) + (unknown ? " is not divisible by " : " is not ") +
                  std::to_string(known),
              "", label, "E11");
  if (!unknown) return {};
  changed = true;
  return useIndex(
      symbols.find(unknown->text)->second.id, extent / known,
      {unknown->span, written, "extent " + std::to_string(extent / known) + " of " + std::to_string(extent)});
}

/// What the caller promises about integers.
Expected<void> Binder::bindAttributes() {
  for (size_t o = 0; o < syntax.inputs.size(); ++o) {
    const Syntax::Input &input = syntax.inputs[o];
    Tensor &t = program.tensors[program.inputs[o]];
    for (const std::optional<Word> &attribute : {input.sorted, input.below})
      if (attribute && !isInteger(t.dtype))
        return at(attribute->span, ErrorCode::Typing,
                  "'sorted' and 'below' are for integers, and " + quote(t.name) + " is " + std::string(name(t.dtype)),
                  "", "here", "E08");
    t.sorted = input.sorted.has_value();
    if (!input.below) continue;
    auto index = lookupIndex(*input.below);
    if (!index) return index.error();
    t.below = *index;
  }
  return {};
}

} // namespace ein
