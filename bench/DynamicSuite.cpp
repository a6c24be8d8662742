// The suite "dynamic": kernels with dynamic indices beside those for known extents.
#include "bench/DynamicSuite.h"
#include "ein/Engine.h"

#include <functional>
#include <string>

using namespace ein;

namespace bench {

namespace {

/// An einsum over indices i, j, k, all dynamic and of one extent.
struct Shape {
  const char *text;
  std::vector<std::string> operands;
  std::string result;
};

TensorType typeOf(const std::string &letters, int64_t extent) {
  return TensorType(DType::F32, std::vector<int64_t>(letters.size(), extent));
}

Record timed(const Shape &shape, int64_t extent, const RunOptions &options) {
  Record record;
  record.suite = "dynamic", record.name = std::string(shape.text) + " " + std::to_string(extent);
  record.text = shape.text;
  std::vector<std::vector<float>> data;
  std::vector<TensorView> operands;
  for (const std::string &letters : shape.operands) {
    const TensorType type = typeOf(letters, extent);
    data.emplace_back(static_cast<size_t>(type.numElements()), 0.5f);
    operands.emplace_back(data.back().data(), type);
  }
  const TensorType type = typeOf(shape.result, extent);
  std::vector<float> out(static_cast<size_t>(type.numElements()));
  const TensorView result(out.data(), type);

  CompileOptions known, dynamic;
  known.threads = dynamic.threads = options.threads;
  dynamic.dynamic = {"i", "j"};
  if (std::string(shape.text).find('k') != std::string::npos) dynamic.dynamic.emplace_back("k");
  Engine engine({.disk = DiskUse::Off});
  const auto first = engine.compile(shape.text, operands, dynamic),
             second = engine.compile(shape.text, operands, known);
  if (!first || !second) {
    record.error = (first ? second : first).error().message;
    return record;
  }
  const std::function<void()> calls[] = {[&] { (void)first->run(operands, {&result, 1}); },
                                         [&] { (void)second->run(operands, {&result, 1}); }};
  const std::vector<Stats> stats = interleave(calls, options.seconds, options.threads);
  record.ours = stats[0];
  record.peers.push_back({"known extents", stats[1]});
  return record;
}

} // namespace

std::vector<Record> runDynamicSuite(const RunOptions &options) {
  const Shape shapes[] = {{"ik,kj->ij", {"ik", "kj"}, "ij"},
                          {"ik,jk->ij", {"ik", "jk"}, "ij"},
                          {"ki,kj->ij", {"ki", "kj"}, "ij"},
                          {"ij->j", {"ij"}, "j"},
                          {"ij->i", {"ij"}, "i"},
                          {"ij->ji", {"ij"}, "ji"},
                          {"ij,ij->ij", {"ij", "ij"}, "ij"}};
  std::vector<Record> records;
  for (const Shape &shape : shapes)
    for (int64_t extent : {256, 300, 512, 1000}) records.push_back(timed(shape, extent, options));
  return records;
}

} // namespace bench
