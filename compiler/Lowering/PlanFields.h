// The fields of a plan as entries of a dictionary: one list, `visit(plan, field)`, to write and to read them.
#pragma once

#include "mlir/IR/Builders.h"

#include <type_traits>
#include <vector>

namespace ein {

/// Appends every field that `visit` names.
template <class Plan> void appendFields(mlir::NamedAttrList &list, mlir::Builder &b, Plan plan) {
  visit(plan, [&](llvm::StringRef name, auto &value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::vector<int64_t>>)
      list.append(name, b.getDenseI64ArrayAttr(value));
    else
      list.append(name, b.getI64IntegerAttr(int64_t(value)));
    return true;
  });
}

/// Lays the entries of `attr` over `plan`; false where one is missing.
template <class Plan> bool readFields(Plan &plan, mlir::DictionaryAttr attr) {
  return visit(plan, [&](llvm::StringRef name, auto &value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::vector<int64_t>>) {
      auto numbers = attr.getAs<mlir::DenseI64ArrayAttr>(name);
      if (!numbers) return false;
      value = numbers.asArrayRef().vec();
    } else {
      auto number = attr.getAs<mlir::IntegerAttr>(name);
      if (!number) return false;
      value = std::remove_reference_t<decltype(value)>(number.getInt());
    }
    return true;
  });
}

} // namespace ein
