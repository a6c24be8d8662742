// Binding, flattening and comparing Programs in tests.
#pragma once

#include "compiler/IndexNotation/Interpreter.h"
#include "compiler/Paths/Flatten.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace ein::test {

inline Program bound(const std::string &text, const std::vector<std::string> &types) {
  std::vector<TensorType> operands;
  for (const std::string &type : types) operands.push_back(TensorType::parse(type).value());
  Expected<Program> p = parseAndBind(text, operands);
  if (!p) {
    ADD_FAILURE() << p.error().render();
    return {};
  }
  return *p;
}

inline FlatProgram fusedFlat(const Program &p, const CompileOptions &options = {}) {
  Expected<FlatProgram> result = flatten(p, options);
  if (!result) {
    ADD_FAILURE() << result.error().render();
    return {};
  }
  return *result;
}

/// One loop nest per assignment: cascades have tests of their own.
inline FlatProgram flat(const Program &p, CompileOptions options = {}) {
  options.fuse = false;
  return fusedFlat(p, options);
}

/// The assignments of a Program, one per line.
inline std::string assignments(const Program &p) {
  std::string text;
  for (const Assignment &a : p.assignments) {
    text += p.tensors[a.result].name;
    for (size_t d = 0; d < p.tensors[a.result].axes.size(); ++d)
      text += (d == 0 ? "[" : ",") + p.indices[p.tensors[a.result].axes[d]].name;
    text += (p.tensors[a.result].axes.empty() ? "" : "]") + std::string(" = ") + print(p, a.value) + "\n";
  }
  return text;
}

/// A Reduce stands at the root of a value or nowhere; Softmax and guards nowhere.
inline void checkFlatForm(const Program &p) {
  Expected<void> ok = verify(p);
  ASSERT_TRUE(ok) << ok.error().render() << print(p);
  for (const Assignment &a : p.assignments) {
    std::vector<ExprId> stack{a.value};
    while (!stack.empty()) {
      ExprId e = stack.back();
      stack.pop_back();
      const Expr &expr = p.exprs[e];
      EXPECT_NE(expr.kind, Expr::Kind::Softmax) << print(p);
      EXPECT_FALSE(expr.guard) << print(p);
      EXPECT_TRUE(expr.kind != Expr::Kind::Reduce || e == a.value) << print(p);
      stack.insert(stack.end(), expr.args.begin(), expr.args.end());
    }
  }
}

inline std::vector<ReferenceTensor> randomOperands(const Program &p, std::mt19937 &random) {
  std::uniform_real_distribution<double> value(-2, 2);
  std::vector<ReferenceTensor> operands;
  for (TensorId t : p.inputs) {
    TensorType type = p.typeOf(t);
    operands.push_back({type.shape, std::vector<double>(static_cast<size_t>(type.numElements()))});
    for (double &x : operands.back().values) x = value(random);
  }
  return operands;
}

inline void expectSame(const std::vector<ReferenceTensor> &a, const std::vector<ReferenceTensor> &b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t t = 0; t < a.size(); ++t) {
    ASSERT_EQ(a[t].shape, b[t].shape);
    ASSERT_EQ(a[t].values.size(), b[t].values.size());
    for (size_t i = 0; i < a[t].values.size(); ++i) {
      double x = a[t].values[i], y = b[t].values[i];
      bool same = x == y || (std::isnan(x) && std::isnan(y)) || std::abs(x - y) <= 1e-11 * (1 + std::abs(x));
      ASSERT_TRUE(same) << "element " << i << ": " << x << " and " << y;
    }
  }
}

/// Flattens with each strategy and compares what the interpreter makes of both Programs. Without cascades, whose masks
/// are no expressions: tests/unit/cascades.
inline void checkMeaning(const Program &p, const std::vector<ReferenceTensor> &operands) {
  std::vector<ReferenceTensor> expected = interpret(p, operands);
  for (PathStrategy strategy : {PathStrategy::Auto, PathStrategy::Optimal, PathStrategy::Greedy, PathStrategy::Fused}) {
    CompileOptions options;
    options.path = strategy;
    options.fuse = false;
    FlatProgram f = flat(p, options);
    checkFlatForm(f.program);
    expectSame(interpret(f.program, operands), expected);
    if (::testing::Test::HasFailure()) {
      ADD_FAILURE() << print(p) << "\n" << print(f.program);
      return;
    }
  }
}

} // namespace ein::test
