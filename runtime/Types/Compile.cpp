// Binary form of what goes to the compiler and what comes back from it.
#include "runtime/Types/Wire.h"

#include <cstdio>

namespace ein {
namespace {

void write(wire::Writer &w, const CompileOptions &options) {
  w.string(options.target.cpu);
  w.number(static_cast<uint8_t>(options.target.portable));
  w.string(options.target.gpu);
  w.number(static_cast<uint8_t>(options.path));
  w.number(options.pathBudgetMs);
  w.number<int32_t>(options.threads);
  w.number(options.memoryLimit);
  w.list(options.resultStrides, [&](const std::vector<int64_t> &strides) { w.numbers(strides); });
  w.list(options.plans, [&](const std::string &plan) { w.string(plan); });
  w.number(static_cast<uint8_t>(options.labels));
  w.number(static_cast<uint8_t>(options.scatter));
  for (const std::optional<DType> &dtype : {options.resultDType, options.computeDType, options.accumulateDType})
    w.number(static_cast<uint8_t>(dtype ? 1 + static_cast<uint8_t>(*dtype) : 0));
  w.numbers(options.conjugate);
  w.number(static_cast<uint8_t>(options.semiring));
  w.number(options.alpha);
  w.number(options.beta);
  w.number(static_cast<uint8_t>(options.fuse));
  w.list(options.order, [&](const std::vector<int64_t> &step) { w.numbers(step); });
}

CompileOptions readOptions(wire::Reader &r) {
  CompileOptions options;
  options.target.cpu = r.string();
  options.target.portable = r.flag();
  options.target.gpu = r.string();
  if (options.target.isGpu() && !findGpu(options.target.gpu)) r.fail();
  options.path = r.enumerator(PathStrategy::Fused);
  options.pathBudgetMs = r.number<double>();
  options.threads = r.number<int32_t>();
  options.memoryLimit = r.number<int64_t>();
  options.resultStrides = r.list<std::vector<int64_t>>([&] { return r.numbers(); });
  options.plans = r.list<std::string>([&] { return r.string(); });
  options.labels = r.enumerator(LabelStyle::Names);
  options.scatter = r.number<uint8_t>() != 0;
  for (std::optional<DType> *dtype : {&options.resultDType, &options.computeDType, &options.accumulateDType}) {
    const auto number = r.number<uint8_t>();
    if (number > kDTypes.size()) r.fail();
    if (number > 0 && number <= kDTypes.size()) *dtype = static_cast<DType>(number - 1);
  }
  options.conjugate = r.numbers();
  options.semiring = r.enumerator(Semiring::LogAddExpPlus);
  options.alpha = r.number<double>();
  options.beta = r.number<double>();
  options.fuse = r.number<uint8_t>() != 0;
  options.order = r.list<std::vector<int64_t>>([&] { return r.numbers(); });
  return options;
}

} // namespace

std::string CompileRequest::serialize() const {
  wire::Writer w;
  w.string(text);
  w.list(operands, [&](const TensorType &type) { wire::write(w, type); });
  write(w, options);
  w.list(dumpStages, [&](const std::string &stage) { w.string(stage); });
  w.number(candidates);
  w.string(cFunction);
  w.string(soname);
  return w.seal(wire::Kind::Request);
}

Expected<CompileRequest> CompileRequest::deserialize(std::string_view bytes) {
  auto fields = wire::open(wire::Kind::Request, bytes);
  if (!fields) return fields.error();
  wire::Reader r(*fields);
  CompileRequest request;
  request.text = r.string();
  request.operands = r.list<TensorType>([&] { return wire::readTensorType(r); });
  request.options = readOptions(r);
  request.dumpStages = r.list<std::string>([&] { return r.string(); });
  request.candidates = r.number<int32_t>();
  request.cFunction = r.string();
  request.soname = r.string();
  if (!r.finished()) return wire::malformed("request");
  return request;
}

std::string CompileRequest::keyText() const {
  static constexpr const char *kStrategies[] = {"auto", "optimal", "greedy", "fused"};
  char numbers[96];
  std::snprintf(numbers, sizeof numbers, "; path %s %g ms; threads %d; memory %lld",
                kStrategies[static_cast<int>(options.path)], options.pathBudgetMs, options.threads,
                static_cast<long long>(options.memoryLimit));
  std::string key = text + "; ";
  for (size_t i = 0; i < operands.size(); ++i) key += (i > 0 ? ", " : "") + operands[i].str();
  key += "; " + options.target.str() + numbers;
  for (const std::vector<int64_t> &strides : options.resultStrides) key += "; result strides " + shapeString(strides);
  for (const std::string &plan : options.plans) key += "; plan " + plan;
  if (options.labels == LabelStyle::Names) key += "; names";
  if (options.scatter) key += "; scatter";
  if (options.resultDType) key += "; result " + std::string(name(*options.resultDType));
  if (options.computeDType) key += "; compute " + std::string(name(*options.computeDType));
  if (options.accumulateDType) key += "; accumulate " + std::string(name(*options.accumulateDType));
  if (!options.conjugate.empty()) key += "; conjugate " + shapeString(options.conjugate);
  if (options.semiring != Semiring::PlusTimes) key += std::string("; semiring ") + name(options.semiring);
  if (options.alpha != 1 || options.beta != 0) {
    std::snprintf(numbers, sizeof numbers, "; alpha %.17g, beta %.17g", options.alpha, options.beta);
    key += numbers;
  }
  if (!options.fuse) key += "; not fused";
  for (const std::vector<int64_t> &step : options.order) key += "; step " + shapeString(step);
  if (!cFunction.empty()) key += "; function " + cFunction + " in " + soname;
  return key;
}

static void write(wire::Writer &w, const Error &error) {
  w.number(static_cast<uint8_t>(error.code));
  w.string(error.message);
  w.string(error.text);
  w.list(error.labels, [&](const Label &label) {
    w.number(label.span.begin);
    w.number(label.span.end);
    w.string(label.text);
  });
  w.list(error.notes, [&](const std::string &note) { w.string(note); });
  w.string(error.help);
  w.string(error.rule);
}

static Error readError(wire::Reader &r) {
  Error error;
  error.code = r.enumerator(ErrorCode::DeviceMissing);
  error.message = r.string();
  error.text = r.string();
  error.labels = r.list<Label>([&] {
    Label label;
    label.span.begin = r.number<uint32_t>();
    label.span.end = r.number<uint32_t>();
    label.text = r.string();
    return label;
  });
  error.notes = r.list<std::string>([&] { return r.string(); });
  error.help = r.string();
  error.rule = r.string();
  return error;
}

std::string CompileResult::serialize() const {
  wire::Writer w;
  wire::write(w, module);
  w.list(stages, [&](const auto &stage) {
    w.string(stage.first);
    w.string(stage.second);
  });
  w.list(timings, [&](const auto &timing) {
    w.string(timing.first);
    w.number(timing.second);
  });
  w.list(candidates, [&](const PlanCandidate &candidate) {
    w.number(candidate.step);
    w.string(candidate.plan);
    w.number(candidate.predictedCycles);
  });
  w.string(compiler);
  w.string(cpu);
  w.list(warnings, [&](const Error &warning) { write(w, warning); });
  return w.seal(wire::Kind::Result);
}

Expected<CompileResult> CompileResult::deserialize(std::string_view bytes) {
  auto fields = wire::open(wire::Kind::Result, bytes);
  if (!fields) return fields.error();
  wire::Reader r(*fields);
  CompileResult result;
  result.module = wire::readModule(r);
  result.stages = r.list<std::pair<std::string, std::string>>([&] {
    std::string stage = r.string();
    return std::pair(std::move(stage), r.string());
  });
  result.timings = r.list<std::pair<std::string, double>>([&] {
    std::string stage = r.string();
    return std::pair(std::move(stage), r.number<double>());
  });
  result.candidates = r.list<PlanCandidate>([&] {
    PlanCandidate candidate;
    candidate.step = r.number<int32_t>();
    candidate.plan = r.string();
    candidate.predictedCycles = r.number<double>();
    return candidate;
  });
  result.compiler = r.string();
  result.cpu = r.string();
  result.warnings = r.list<Error>([&] { return readError(r); });
  if (!r.finished()) return wire::malformed("result");
  return result;
}

std::string serializeError(const Error &error) {
  wire::Writer w;
  write(w, error);
  return w.seal(wire::Kind::Error);
}

Expected<void> deserializeError(std::string_view bytes, Error &error) {
  auto fields = wire::open(wire::Kind::Error, bytes);
  if (!fields) return fields.error();
  wire::Reader r(*fields);
  error = readError(r);
  if (!r.finished()) return wire::malformed("error");
  return {};
}

} // namespace ein
