// The suite "dynamic": kernels with dynamic indices beside those for known extents.
#include "bench/DynamicSuite.h"
#include "ein/Attention.h"
#include "ein/Engine.h"

#include <functional>
#include <string>
#include <utility>

using namespace ein;

namespace bench {

namespace {

/// A text and its operands; the extents that `dynamic` names differ from row to row.
struct DynamicCase {
  std::string name, text;
  std::vector<TensorType> operands;
  std::vector<std::string> dynamic;
};

/// An einsum over indices i, j, k, all dynamic and of one extent.
DynamicCase einsumCase(const std::string &text, int64_t extent) {
  DynamicCase c{text + " " + std::to_string(extent), text, {}, {"i", "j"}};
  if (text.find('k') != std::string::npos) c.dynamic.emplace_back("k");
  std::vector<int64_t> shape;
  for (const char letter : text.substr(0, text.find("->")) + ",") {
    if (letter != ',')
      shape.push_back(extent);
    else
      c.operands.emplace_back(DType::F32, std::exchange(shape, {}));
  }
  return c;
}

/// Attention of so many queries and keys.
DynamicCase attentionCase(const std::string &name, AttentionOptions options, int64_t heads, int64_t size,
                          int64_t queries, int64_t keys) {
  auto tensor = [&](int64_t heads, int64_t length) {
    if (options.layout == HeadLayout::HeadsFirst) return TensorType(DType::F32, {1, heads, length, size});
    return TensorType(DType::F32, {1, length, heads, size});
  };
  const int64_t keyHeads = queries == 1 ? heads / 4 : heads; // decoding: four heads of queries share one of keys
  DynamicCase c{name + " " + std::to_string(keys), "", {}, {"k"}};
  if (queries > 1) c.dynamic = {"b", "q", "k"};
  c.operands = {tensor(heads, queries), tensor(keyHeads, keys), tensor(keyHeads, keys)};
  c.text = attentionProgram(c.operands, options).value();
  return c;
}

Record timed(const DynamicCase &c, const RunOptions &options) {
  Record record;
  record.suite = "dynamic", record.name = c.name, record.text = c.text;
  std::vector<std::vector<float>> data;
  std::vector<TensorView> operands;
  for (const TensorType &type : c.operands) {
    data.emplace_back();
    for (int64_t i = 0; i < type.numElements(); ++i) data.back().push_back(float(i % 13) / 13 - 0.5f);
    operands.emplace_back(data.back().data(), type);
  }
  CompileOptions known, dynamic;
  known.threads = dynamic.threads = options.threads;
  dynamic.dynamic = c.dynamic;
  Engine engine({.disk = DiskUse::Off});
  const auto first = engine.compile(c.text, operands, dynamic), second = engine.compile(c.text, operands, known);
  if (!first || !second) {
    record.error = (first ? second : first).error().message;
    return record;
  }
  const TensorType type = second->results()[0];
  std::vector<float> out(static_cast<size_t>(type.numElements()));
  const TensorView result(out.data(), type);
  const std::function<void()> calls[] = {[&] { (void)first->run(operands, {&result, 1}); },
                                         [&] { (void)second->run(operands, {&result, 1}); }};
  const std::vector<Stats> stats = interleave(calls, options.seconds, options.threads);
  record.ours = stats[0];
  record.peers.push_back({"known extents", stats[1]});
  return record;
}

} // namespace

std::vector<Record> runDynamicSuite(const RunOptions &options) {
  std::vector<Record> records;
  for (const char *text : {"ik,kj->ij", "ik,jk->ij", "ki,kj->ij", "ij->j", "ij->i", "ij->ji", "ij,ij->ij"})
    for (int64_t extent : {256, 300, 512, 1000}) records.push_back(timed(einsumCase(text, extent), options));
  AttentionOptions plain, causal, sequenceFirst;
  causal.causal = true;
  sequenceFirst.layout = HeadLayout::SequenceFirst;
  for (int64_t n : {256, 512, 1024, 2048}) {
    records.push_back(timed(attentionCase("attention", plain, 8, 64, n, n), options));
    records.push_back(timed(attentionCase("causal attention", causal, 8, 64, n, n), options));
    records.push_back(timed(attentionCase("attention, sequence first", sequenceFirst, 8, 64, n, n), options));
    records.push_back(timed(attentionCase("decoding", causal, 32, 128, 1, n), options));
  }
  return records;
}

} // namespace bench
