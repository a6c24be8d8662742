// A Program is bound a second time, to other extents of its dynamic indices: what differs depends on them.
#include "compiler/IndexNotation/DynamicIndices.h"
#include "compiler/IndexNotation/KnownExtents.h"

#include <algorithm>

namespace ein {
namespace {

constexpr size_t kMost = 8;

/// Extents for the second binding: primes of their own, as long or short as the standard ones.
int64_t otherExtent(size_t number, int64_t standard) {
  static constexpr int64_t kLong[kMost] = {103, 107, 109, 113, 127, 131, 137, 139};
  static constexpr int64_t kShort[kMost] = {43, 47, 53, 59, 61, 62, 58, 57};
  return standard >= 64 ? kLong[number] : kShort[number];
}

Error cannotBeDynamic(const std::string &name, const std::string &why) {
  return makeError(ErrorCode::Unsupported, "'" + name + "' cannot be dynamic: " + why,
                   "leave it out of the dynamic indices");
}

class Marking {
public:
  Marking(Program &p, std::string_view text, std::span<const TensorType> operands, const CompileOptions &options)
      : p(p), text(text), operands(operands), options(options) {}

  Expected<void> mark() {
    if (auto fine = findNames(); !fine) return fine;
    if (auto fine = checkUses(); !fine) return fine;
    if (auto fine = compareWithOtherExtents(); !fine) return fine;
    putKnownExtents(p);
    return {};
  }

private:
  Expected<void> findNames();
  Expected<void> checkUses() const;
  Expected<void> compareWithOtherExtents();
  std::optional<std::string> dynamicIn(std::span<const IndexId> indices) const;
  std::optional<std::string> dynamicValueIn(ExprId e) const;
  std::vector<TensorType> otherOperands() const;

  Program &p;
  std::string_view text;
  std::span<const TensorType> operands;
  const CompileOptions &options;
};

Expected<void> Marking::findNames() {
  if (options.dynamic.size() > kMost)
    return makeError(ErrorCode::Limit, std::to_string(options.dynamic.size()) + " dynamic indices",
                     "at most " + std::to_string(kMost));
  for (size_t n = 0; n < options.dynamic.size(); ++n) {
    const std::string &name = options.dynamic[n];
    auto index = std::find_if(p.indices.begin(), p.indices.end(), [&](const Index &i) { return i.name == name; });
    if (index == p.indices.end()) {
      std::string names;
      for (const Index &i : p.indices) names += (names.empty() ? "" : ", ") + i.name;
      return makeError(ErrorCode::UnknownName, "there is no index '" + name + "' to be dynamic",
                       names.empty() ? "the expression has no index" : "its indices are " + names);
    }
    if (index->dynamic >= 0) return makeError(ErrorCode::DuplicateName, "'" + name + "' is dynamic twice", "drop one");
    index->dynamic = static_cast<int>(n);
  }
  return {};
}

std::optional<std::string> Marking::dynamicIn(std::span<const IndexId> indices) const {
  for (IndexId i : indices)
    if (p.indices[i].dynamic >= 0) return p.indices[i].name;
  return std::nullopt;
}

/// A dynamic index whose value is part of an expression.
std::optional<std::string> Marking::dynamicValueIn(ExprId root) const {
  std::vector<ExprId> stack{root};
  while (!stack.empty()) {
    const Expr &e = p.exprs[stack.back()];
    stack.pop_back();
    if (e.kind == Expr::Kind::IndexValue)
      if (auto name = dynamicIn(e.indices)) return name;
    stack.insert(stack.end(), e.args.begin(), e.args.end());
  }
  return std::nullopt;
}

/// What is proven about positions, and how lists are made, holds for the extents at hand only.
Expected<void> Marking::checkUses() const {
  for (size_t i = 0; i < operands.size(); ++i) {
    const Tensor &t = p.tensors[p.inputs[i]];
    const std::vector<std::optional<IndexId>> own = indicesOfDimensions(t);
    for (IndexId axis : t.axes)
      if (p.indices[axis].dynamic >= 0 && std::find(own.begin(), own.end(), axis) == own.end())
        return cannotBeDynamic(p.indices[axis].name, "'" + t.name + "' has a dimension that it shares with others");
    if (t.below && p.indices[*t.below].dynamic >= 0)
      return cannotBeDynamic(p.indices[*t.below].name, "the values of '" + t.name + "' are declared to be below it");
  }
  for (const Expr &e : p.exprs) {
    if (e.kind == Expr::Kind::Top) {
      auto name = dynamicIn(e.indices);
      if (!name && e.list.place) name = dynamicIn(std::span(&*e.list.place, 1));
      if (name) return cannotBeDynamic(*name, "the largest or smallest along it are listed");
    }
    if (e.kind != Expr::Kind::Access || e.computed.empty()) continue;
    if (auto name = dynamicIn(p.tensors[e.tensor].axes))
      return cannotBeDynamic(*name, "'" + p.tensors[e.tensor].name + "' has it, and a subscript that is computed");
    for (ExprId position : e.args)
      if (auto name = dynamicValueIn(position))
        return cannotBeDynamic(*name, "a subscript of '" + p.tensors[e.tensor].name + "' is computed from its value");
  }
  return {};
}

std::vector<TensorType> Marking::otherOperands() const {
  std::vector<TensorType> others(operands.begin(), operands.end());
  for (size_t o = 0; o < others.size(); ++o) {
    const std::vector<std::optional<IndexId>> own = indicesOfDimensions(p.tensors[p.inputs[o]]);
    std::vector<int64_t> shape = others[o].shape;
    for (size_t d = 0; d < std::min(shape.size(), own.size()); ++d)
      if (const int n = own[d] ? p.indices[*own[d]].dynamic : -1; n >= 0)
        shape[d] = otherExtent(static_cast<size_t>(n), shape[d]);
    others[o] = TensorType(others[o].dtype, std::move(shape));
  }
  return others;
}

Expected<void> Marking::compareWithOtherExtents() {
  auto other = parseAndBind(text, otherOperands(), options);
  const std::string &first = options.dynamic.front();
  if (!other || other->indices.size() != p.indices.size())
    return cannotBeDynamic(first, "what the expression means depends on its extent");
  for (size_t i = 0; i < p.indices.size(); ++i) {
    Index &mine = p.indices[i];
    const int64_t extent = *mine.extent, changed = *other->indices[i].extent;
    if (extent == changed) {
      if (mine.dynamic >= 0) return cannotBeDynamic(mine.name, "no operand has it, or its extent is declared");
      continue;
    }
    const auto same = std::find_if(p.indices.begin(), p.indices.end(), [&](const Index &d) {
      return d.dynamic >= 0 && *d.extent == extent && otherExtent(static_cast<size_t>(d.dynamic), extent) == changed;
    });
    if (same == p.indices.end())
      return cannotBeDynamic(first, "the extent of '" + mine.name + "' follows from dynamic ones");
    mine.dynamic = same->dynamic;
    other->indices[i].extent = extent;
  }
  if (print(*other) != print(p))
    return cannotBeDynamic(first, "its extent, or another dynamic one, is part of a value");
  return {};
}

} // namespace

std::vector<std::optional<IndexId>> indicesOfDimensions(const Tensor &tensor) {
  if (tensor.groups.empty()) return {tensor.axes.begin(), tensor.axes.end()};
  std::vector<std::optional<IndexId>> own;
  size_t axis = 0;
  for (uint32_t n : tensor.groups) {
    own.push_back(n == 1 ? std::optional(tensor.axes[axis]) : std::nullopt);
    axis += n;
  }
  return own;
}

Expected<void> markDynamicIndices(Program &p, std::string_view text, std::span<const TensorType> operands,
                                  const CompileOptions &options) {
  return Marking(p, text, operands, options).mark();
}

} // namespace ein
