// Names, extents and dtypes of a Program text.
#include "compiler/IndexNotation/Binder.h"

#include <algorithm>
#include <numeric>

namespace ein {
namespace {

/// Edits (insert, delete, replace) between two names, blind to ASCII case.
size_t editDistance(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

} // namespace

Expected<void> Binder::declare(const Word &name, Symbol symbol) {
  auto [it, isNew] = symbols.try_emplace(std::string(name.text), symbol);
  if (!isNew) {
    Error e = at(name.span, ErrorCode::DuplicateName, quote(name.text) + " is declared twice", "choose another name",
                 "again here", symbol.kind == Symbol::Kind::Tensor ? "E13" : "E06");
    e.labels.push_back(
        {it->second.declared, it->second.kind == Symbol::Kind::Index ? "an index since here" : "a tensor since here"});
    return e;
  }
  unhide(it->first);
  return {};
}

Expected<IndexId> Binder::declareIndex(const Word &name) {
  auto id = static_cast<IndexId>(program.indices.size());
  if (id == kMaxIndices)
    return at(name.span, ErrorCode::Limit, "a Program has at most " + std::to_string(kMaxIndices) + " indices");
  if (auto ok = declare(name, {Symbol::Kind::Index, id, name.span}); !ok) return ok.error();
  program.indices.push_back({std::string(name.text), std::nullopt});
  extentSources.emplace_back();
  return id;
}

/// An index that is local to one einsum. Locals of one name and extent share it.
IndexId Binder::hiddenIndex(const std::string &name, int64_t extent) {
  if (auto known = hidden.find(name); known != hidden.end() && program.indices[known->second].extent == extent) {
    extentSources[known->second].reset();
    return known->second;
  }
  auto id = static_cast<IndexId>(program.indices.size());
  std::string printed = symbols.count(name) || hidden.count(name) || hiddenTensors.count(name) ? freshName(name) : name;
  hidden.emplace(printed, id);
  program.indices.push_back({std::move(printed), extent});
  extentSources.emplace_back();
  return id;
}

/// Frees a name that the text declares only now.
void Binder::unhide(const std::string &name) {
  if (auto tensor = hiddenTensors.extract(name)) {
    tensor.key() = program.tensors[tensor.mapped()].name = freshName(name);
    hiddenTensors.insert(std::move(tensor));
  }
  auto local = hidden.find(name);
  if (local == hidden.end()) return;
  IndexId id = local->second;
  std::string other = freshName(name);
  hidden.erase(local);
  program.indices[id].name = other;
  hidden.emplace(std::move(other), id);
}

std::string Binder::freshName(const std::string &base) const {
  for (size_t n = 0;; ++n) {
    std::string candidate = base + std::to_string(n);
    if (!symbols.count(candidate) && !hidden.count(candidate) && !hiddenTensors.count(candidate) &&
        !letNames.count(candidate))
      return candidate;
  }
}

Expected<Binder::Symbol> Binder::lookup(const Word &name) const {
  if (auto known = symbols.find(name.text); known != symbols.end()) return known->second;
  if (auto later = letNames.find(name.text); later != letNames.end()) {
    bool recursive = later->second.begin == syntax.lets[currentLet].name.span.begin;
    Error e = at(name.span, ErrorCode::UnknownName,
                 quote(name.text) + (recursive ? " is defined by itself" : " is used before it is defined"),
                 recursive ? "" : "move its definition up", "used here", recursive ? "E14" : "E01");
    e.labels.push_back({later->second, "defined here"});
    return e;
  }
  std::string similar = suggestion(name.text);
  return at(name.span, ErrorCode::UnknownName, "unknown name " + quote(name.text),
            similar.empty() ? "" : "did you mean " + quote(similar) + "?", "nothing declares it", "E01");
}

Expected<IndexId> Binder::lookupIndex(const Word &name) const {
  auto symbol = lookup(name);
  if (!symbol) return symbol.error();
  if (symbol->kind == Symbol::Kind::Index) return symbol->id;
  Error e =
      at(name.span, ErrorCode::Typing, quote(name.text) + " is a tensor, not an index", "", "an index is needed here");
  e.labels.push_back({symbol->declared, "a tensor since here"});
  return e;
}

Expected<TensorId> Binder::lookupTensor(const Word &name) const {
  auto symbol = lookup(name);
  if (!symbol) return symbol.error();
  if (symbol->kind == Symbol::Kind::Tensor) return symbol->id;
  Error e =
      at(name.span, ErrorCode::Typing, quote(name.text) + " is an index, not a tensor", "", "a tensor is needed here");
  e.labels.push_back({symbol->declared, "an index since here"});
  return e;
}

/// The declared name that looks most like `name`, if any does: closer than a complete rewrite.
std::string Binder::suggestion(std::string_view name) const {
  std::string best;
  size_t bestDistance = std::min<size_t>(name.size(), name.size() < 5 ? 2 : 3);
  for (const auto &[candidate, symbol] : symbols) {
    if (candidate.size() > name.size() + 2 || name.size() > candidate.size() + 2) continue;
    size_t distance = editDistance(name, candidate);
    if (distance >= bestDistance) continue;
    bestDistance = distance;
    best = candidate;
  }
  return best;
}

/// Every use of an index has one extent; the first one decides.
Expected<void> Binder::useIndex(IndexId i, int64_t extent, ExtentSource source) {
  std::optional<int64_t> &known = program.indices[i].extent;
  if (!known) known = extent;
  std::optional<ExtentSource> &first = extentSources[i];
  if (*known != extent) {
    std::string message = "index " + quote(program.indices[i].name) + " has extent " + std::to_string(*known);
    if (first) message += " in " + first->place;
    Error e = at(source.span, ErrorCode::Extent, message + " but " + std::to_string(extent) + " in " + source.place, "",
                 source.label, "E02");
    if (first) e.labels.insert(e.labels.begin(), {first->span, first->label});
    if (*known == 1 || extent == 1)
      e.notes.push_back("in a Program extent 1 does not stretch; subscript such a dimension with 0: X[0,k]");
    return e;
  }
  if (!first) first = std::move(source);
  return {};
}

Expected<DType> Binder::dtypeOf(const Word &word) const {
  if (auto dtype = parseDType(word.text)) return *dtype;
  // int32 is i32, and so on.
  for (std::string_view spelled : {"int", "uint"})
    if (word.text.starts_with(spelled))
      if (auto dtype = parseDType(std::string(1, spelled[0]).append(word.text.substr(spelled.size())))) return *dtype;
  return at(word.span, ErrorCode::DTypeMismatch, "dtype " + quote(word.text) + " is not accepted",
            "dtypes are " + std::string(kDTypeNames), "here", "E09");
}

TensorId Binder::addTensor(const std::string &name, DType dtype, std::vector<IndexId> axes) {
  program.tensors.push_back({name, dtype, std::move(axes)});
  return static_cast<TensorId>(program.tensors.size() - 1);
}

std::string Binder::indexNames(const std::vector<IndexId> &indices) const {
  std::string out;
  for (IndexId i : indices) out += (out.empty() ? "" : ",") + program.indices[i].name;
  return out;
}

} // namespace ein
