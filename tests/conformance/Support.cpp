// What the conformance tests share: a case, its run on guarded memory, and the verdict of the reference interpreter.
#include "tests/conformance/Support.h"

#include "compiler/IndexNotation/Element.h"
#include "compiler/IndexNotation/Interpreter.h"
#include "ein/Compile.h"
#include "ein/Engine.h"
#include "tests/conformance/GuardedMemory.h"
#include "tools/einc/Check.h"
#include "tools/einc/Operands.h"

#include <cmath>
#include <limits>

namespace ein::test {
namespace {

/// Quotes for the shell, on one line.
std::string quoted(const std::string &text) {
  std::string result = text.find('\n') == std::string::npos ? "'" : "$'";
  for (char c : text) result += c == '\n' ? "\\n" : std::string(1, c);
  return result + "'";
}

const char *strategyName(PathStrategy strategy) {
  switch (strategy) {
  case PathStrategy::Auto: return "auto";
  case PathStrategy::Optimal: return "optimal";
  case PathStrategy::Greedy: return "greedy";
  case PathStrategy::Fused: return "fused";
  }
  return "auto";
}

/// No case comes again, and what is loaded slows down the loading of more.
Engine &smallEngine() {
  static Engine engine({.maxKernels = 8});
  return engine;
}

/// A kernel for a case; through `compile` where stages are asked for.
Expected<Kernel> kernelOf(const Case &c, std::vector<std::pair<std::string, std::string>> &stages) {
  Engine &engine = smallEngine();
  if (c.stages.empty()) return engine.compile(c.text, std::span<const TensorType>(c.types), c.options);
  auto result = compile({c.text, c.types, c.options, c.stages});
  if (!result) return result.error();
  stages = std::move(result->stages);
  return engine.load(std::move(result->module));
}

} // namespace

std::string reproducer(const Case &c) {
  std::string line = "einc run " + quoted(c.text);
  for (const TensorType &type : c.types) line += " --type '" + type.str() + "'";
  line += " --target " + c.options.target.str() + " --path " + strategyName(c.options.path) + " --threads " +
          std::to_string(c.options.threads) + " --seed " + std::to_string(c.seed) + " --check";
  if (c.options.labels == LabelStyle::Names) line += " --names";
  if (c.options.scatter) line += " --scatter";
  if (c.options.resultDType) line += " --out-dtype " + std::string(name(*c.options.resultDType));
  if (c.options.computeDType) line += " --compute-dtype " + std::string(name(*c.options.computeDType));
  if (c.options.accumulateDType) line += " --accumulate-dtype " + std::string(name(*c.options.accumulateDType));
  for (int64_t o : c.options.conjugate) line += " --conj " + std::to_string(o);
  if (c.options.semiring != Semiring::PlusTimes) line += std::string(" --semiring ") + name(c.options.semiring);
  if (c.options.alpha != 1) line += " --alpha " + std::to_string(c.options.alpha);
  if (c.options.beta != 0) line += " --beta " + std::to_string(c.options.beta);
  if (c.data == Data::Integers) line += " --integers";
  for (const std::string &index : c.options.dynamic) line += " --dynamic " + index;
  for (const std::vector<int64_t> &strides : c.options.resultStrides) {
    const std::string list = shapeString(strides);
    line += " --result-strides=" + list.substr(1, list.size() - 2);
  }
  for (const std::string &plan : c.options.plans) line += "  # plan " + plan;
  return line;
}

::testing::AssertionResult failure(const Case &c, const std::string &why) {
  return ::testing::AssertionFailure() << why << "\n  seed " << c.seed << (c.data == Data::Integers ? ", integers" : "")
                                       << "\n  " << reproducer(c);
}

Expected<Execution> Execution::prepare(const Case &c) {
  CompileOptions options = c.options;
  options.dynamic.clear(); // extents are numbers here
  auto program = parseAndBind(c.text, c.types, options);
  if (!program) return program.error();
  Execution execution;
  execution.source = c;
  execution.program = std::move(*program);
  for (const TensorType &type : c.types)
    execution.operands.push_back(guardedTensor(type, c.seed % 2 ? Guard::Below : Guard::Above));
  if (c.data == Data::Integers)
    einc::fillIntegers(execution.operands, c.seed);
  else
    einc::fillRandom(execution.operands, c.seed);
  return execution;
}

Expected<void> Execution::run() {
  watch({}, reproducer(source)); // compiling is to name the case as well, should it die
  auto kernel = kernelOf(source, stages);
  if (!kernel) return kernel.error();
  results.clear();
  auto types = kernel->resultsFor(source.types);
  if (!types) return types.error();
  for (const TensorType &type : *types) {
    results.push_back(guardedTensor(type, source.seed % 2 ? Guard::Above : Guard::Below));
    poison(results.back());
  }
  auto filled = einc::fillPriors(source.options, results, source.seed);
  if (!filled) return filled.error();
  priors = std::move(*filled);
  std::vector<const einc::HostTensor *> tensors;
  for (const einc::HostTensor &operand : operands) tensors.push_back(&operand);
  for (const einc::HostTensor &result : results) tensors.push_back(&result);
  watch(tensors, reproducer(source));
  if (auto ok = kernel->run(einc::viewsOf(operands), einc::viewsOf(results)); !ok) return ok;
  return checkSurroundings();
}

std::vector<TensorView> Execution::inputs() const {
  std::vector<TensorView> views = einc::viewsOf(operands);
  for (const TensorView &prior : einc::viewsOf(priors)) views.push_back(prior);
  return views;
}

Expected<void> Execution::checkSurroundings() const {
  if (auto touch = touched()) {
    const bool isOperand = touch->tensor < operands.size();
    const einc::HostTensor &tensor = isOperand ? operands[touch->tensor] : results[touch->tensor - operands.size()];
    return makeError(ErrorCode::Run,
                     "byte " + std::to_string(touch->offset) + " of the " +
                         std::to_string(einc::storageElements(tensor.view.type) * byteSize(tensor.view.type.dtype)) +
                         " of " + (isOperand ? "operand " : "result ") + tensor.view.type.str() + " was touched");
  }
  for (const einc::HostTensor &result : results)
    if (auto offset = writtenOutside(result))
      return makeError(ErrorCode::Run, "element " + std::to_string(*offset) + " beside a result " +
                                           result.view.type.str() + " was written");
  return {};
}

double roundingBound(double roundings, DType dtype) {
  auto gamma = [&](double unitRoundoff) {
    const double x = roundings * unitRoundoff;
    return x < 1 ? x / (1 - x) : std::numeric_limits<double>::infinity();
  };
  const DType computed = accumulateType(dtype);
  return gamma(unitRoundoff(computed)) + gamma(0x1p-53) + (computed == dtype ? 0 : 2 * unitRoundoff(dtype));
}

/// A result that a narrow float cannot hold is rounded once.
static bool sameInteger(DType dtype, const ReferenceTensor &result, const ReferenceTensor &reference, size_t i) {
  if (!reference.integers.empty()) return result.integers[i] == reference.integers[i];
  return stored(dtype, reference.values[i]) == result.values[i];
}

/// Integers have no bound to allow for.
static ::testing::AssertionResult equalsInterpreter(const Execution &execution) {
  std::vector<ReferenceTensor> operands;
  for (const TensorView &input : execution.inputs()) operands.push_back(readReference(input));
  const std::vector<ReferenceTensor> references = interpret(execution.program, operands);
  for (size_t r = 0; r < references.size(); ++r) {
    const ReferenceTensor result = readReference(execution.results[r].view);
    const DType part = partType(execution.results[r].view.type.dtype);
    for (size_t i = 0; i < result.values.size(); ++i)
      if (!sameInteger(part, result, references[r], i))
        return failure(execution.source, "element " + std::to_string(i) + " is " + std::to_string(result.values[i]) +
                                             ", the reference " + std::to_string(references[r].values[i]));
  }
  return ::testing::AssertionSuccess();
}

::testing::AssertionResult agreesWithInterpreter(const Execution &execution) {
  if (execution.source.data == Data::Integers) return equalsInterpreter(execution);
  const einc::CheckReport report = einc::check(execution.program, execution.inputs(), einc::viewsOf(execution.results));
  if (report.fine && report.typical) return ::testing::AssertionSuccess();
  if (report.fine) return failure(execution.source, report.place + ", more than 4 sqrt(K) + 8 units");
  return failure(execution.source, report.place + ", bound " + std::to_string(report.bound));
}

::testing::AssertionResult computesAsInterpreted(const Case &c) {
  auto execution = Execution::prepare(c);
  if (!execution) return failure(c, execution.error().render());
  if (auto ok = execution->run(); !ok) return failure(c, ok.error().render());
  return agreesWithInterpreter(*execution);
}

double points(const Program &program) {
  double product = 1;
  for (const Index &index : program.indices) product *= static_cast<double>(*index.extent);
  return product;
}

std::vector<TensorType> types(std::string_view text) {
  std::vector<TensorType> result;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    auto type = TensorType::parse(text.substr(at, end - at));
    EXPECT_TRUE(type) << text;
    if (type) result.push_back(*type);
    at = end + 1;
  }
  return result;
}

} // namespace ein::test
