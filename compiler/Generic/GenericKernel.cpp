// Making and running of generic kernels.
#include "compiler/Generic/GenericKernel.h"

#include "compiler/IndexNotation/Interpreter.h"
#include "compiler/Paths/Flatten.h"
#include "compiler/Paths/Requirements.h"
#include "compiler/Paths/ResultTypes.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ein {
namespace {

/// What takes longer waits for the compiler: a compilation takes 15 to 50 ms.
constexpr double kMostNanoseconds = 25e6;
/// The interpreter's time for a node of an expression at one point, and for an element that is read or written.
constexpr double kNodeNanoseconds = 25, kElementNanoseconds = 4;
/// The interpreter recurses over expressions.
constexpr int64_t kMostDepth = 200;

/// Whether only compiled code can do what is asked.
bool needsCompiler(const CompileOptions &options) {
  return options.target != Target() || options.memoryLimit != 0 || !options.dynamic.empty();
}

/// Integers wrap in the interpreter only where all numbers are integers.
bool computesIntegersAmongFloats(const Program &p) {
  return !isExact(p) && std::any_of(p.assignments.begin(), p.assignments.end(),
                                    [&](const Assignment &a) { return isInteger(p.tensors[a.result].dtype); });
}

double pointsOf(const Program &p, const std::vector<IndexId> &indices) {
  double points = 1;
  for (IndexId i : indices) points *= static_cast<double>(*p.indices[i].extent);
  return points;
}

/// Nodes that the interpreter visits, and how deep it recurses, by expression.
struct Visits {
  explicit Visits(const Program &p) : nodes(p.exprs.size(), 1), depth(p.exprs.size(), 1) {
    for (ExprId id = 0; id < p.exprs.size(); ++id) {
      const Expr &e = p.exprs[id];
      std::vector<ExprId> args = e.args;
      if (e.guard) args.push_back(*e.guard);
      for (ExprId arg : args) {
        nodes[id] += nodes[arg];
        depth[id] = std::max(depth[id], depth[arg] + 1);
      }
      if (e.kind == Expr::Kind::Reduce || e.kind == Expr::Kind::Top) nodes[id] *= pointsOf(p, e.indices);
    }
  }
  std::vector<double> nodes;
  std::vector<int64_t> depth;
};

/// The stride of an index in a row-major tensor seen through subscripts; also where the same index occurs twice.
int64_t strideOf(const std::vector<AccessSubscript> &subscripts, const std::vector<int64_t> &strides, IndexId index) {
  int64_t stride = 0;
  for (size_t d = 0; d < subscripts.size(); ++d)
    if (subscripts[d] == index) stride += strides[d];
  return stride;
}

bool isPlainAccess(const Expr &e) { return e.kind == Expr::Kind::Access && e.computed.empty() && e.at == 0; }

} // namespace

Expected<std::unique_ptr<const GenericKernel>> GenericKernel::make(const CompileRequest &request) {
  using Pointer = std::unique_ptr<const GenericKernel>;
  const CompileOptions &options = request.options;
  if (needsCompiler(options)) return Pointer();
  // In the compiler's order, so that of several mistakes the same one is named.
  Expected<Program> program = parseAndBind(request.text, request.operands, options);
  if (!program) return program.error();
  Expected<FlatProgram> flat = flattenAtAnySize(*program, options);
  if (!flat) return flat.error();
  if (auto met = checkRequirements(*program, *flat); !met) return met.error();
  Expected<std::vector<TensorType>> results = ein::resultTypes(*program, options);
  if (!results) return results.error();
  if (!program->requirements.empty() && !flat->folds.empty()) return Pointer(); // the planner has to agree
  if (!flat->cascades.empty() || !flat->folds.empty() || !flat->inlined.empty()) {
    CompileOptions steps = options;
    steps.fuse = false;
    flat = flattenAtAnySize(*program, steps);
    if (!flat) return Pointer();
  }
  if (computesIntegersAmongFloats(flat->program)) return Pointer();

  std::unique_ptr<GenericKernel> kernel(new GenericKernel);
  kernel->program = std::move(flat->program);
  kernel->operandTypes = request.operands;
  kernel->resultTypes = std::move(*results);
  for (const Assignment &a : kernel->program.assignments) kernel->products.push_back(kernel->productOf(a));
  if (kernel->predictNanoseconds() > kMostNanoseconds) return Pointer();
  return Pointer(std::move(kernel));
}

std::optional<GenericKernel::Product> GenericKernel::productOf(const Assignment &assignment) const {
  if (isExact(program)) return std::nullopt;
  const Expr *value = &program.exprs[assignment.value];
  std::vector<IndexId> summed;
  if (value->kind == Expr::Kind::Reduce) {
    if (value->monoid != Monoid::Sum || value->guard) return std::nullopt;
    summed = value->indices;
    value = &program.exprs[value->args[0]];
  }
  std::array<const Expr *, 2> factors = {value, nullptr};
  if (value->kind == Expr::Kind::Map && value->fn == Fn::Mul)
    factors = {&program.exprs[value->args[0]], &program.exprs[value->args[1]]};
  for (const Expr *factor : factors)
    if (factor && !isPlainAccess(*factor)) return std::nullopt;

  Product product{factors[0]->tensor, {}, {}};
  if (factors[1]) product.b = factors[1]->tensor;
  const std::vector<IndexId> &axes = program.tensors[assignment.result].axes;
  const std::vector<int64_t> cStrides = program.typeOf(assignment.result).strides;
  const auto addLoop = [&](IndexId i, int64_t cStride, bool isSummed) {
    std::array<int64_t, 2> strides = {};
    for (size_t f = 0; f < 2; ++f)
      if (factors[f]) strides[f] = strideOf(factors[f]->subscripts, program.typeOf(factors[f]->tensor).strides, i);
    ProductLoops &loops = product.loops;
    (isSummed          ? loops.depth
     : strides[1] == 0 ? loops.rows
     : strides[0] == 0 ? loops.columns
                       : loops.batch)
        .push_back({*program.indices[i].extent, strides[0], strides[1], cStride});
  };
  for (size_t d = 0; d < axes.size(); ++d) addLoop(axes[d], cStrides[d], false);
  for (IndexId i : summed) addLoop(i, 0, true);
  return product;
}

double GenericKernel::predictNanoseconds() const {
  const Visits visits(program);
  double time = 0;
  for (size_t n = 0; n < products.size(); ++n) {
    const Assignment &a = program.assignments[n];
    if (visits.depth[a.value] > kMostDepth) return HUGE_VAL;
    time += products[n] ? predictProduct(products[n]->loops)
                        : kNodeNanoseconds * visits.nodes[a.value] * pointsOf(program, program.tensors[a.result].axes);
  }
  for (const std::vector<TensorId> *tensors : {&program.inputs, &program.outputs})
    for (TensorId t : *tensors) time += kElementNanoseconds * pointsOf(program, program.tensors[t].axes);
  return time;
}

void GenericKernel::run(void *const *operands, void *const *results) const {
  std::vector<ReferenceTensor> inputs;
  for (size_t o = 0; o < operandTypes.size(); ++o)
    inputs.push_back(readReference(TensorView(operands[o], operandTypes[o])));
  for (size_t r = 0; r < program.priors; ++r) inputs.push_back(readReference(TensorView(results[r], resultTypes[r])));
  const auto shortcut = [&](const Assignment &assignment, std::span<std::vector<double>> values) {
    const std::optional<Product> &product = products[static_cast<size_t>(&assignment - program.assignments.data())];
    if (!product) return false;
    std::vector<double> &c = values[assignment.result];
    c.assign(static_cast<size_t>(program.typeOf(assignment.result).numElements()), 0);
    static constexpr double kOne = 1;
    addProduct(product->loops, values[product->a],
               product->b ? std::span<const double>(values[*product->b]) : std::span(&kOne, 1), c);
    return true;
  };
  const std::vector<ReferenceTensor> values = interpret(program, inputs, shortcut);
  for (size_t r = 0; r < values.size(); ++r) writeReference(values[r], TensorView(results[r], resultTypes[r]));
}

} // namespace ein
