// Runs cases: ours, the peers and the GEMM of equal size, interleaved and compared with each other.
#include "bench/Runner.h"
#include "bench/PermuteGemm.h"
#include "compiler/Paths/Flatten.h"

#include <algorithm>
#include <cmath>

using namespace ein;

namespace bench {

namespace {

int64_t bytesOf(const TensorType &type) { return type.numElements() * byteSize(type.dtype); }

/// Multiples of 1/8 in [-1, 1]: their products and sums are exact, so results can be compared bit by bit.
template <class T> void fill(T *data, int64_t elements, uint32_t seed) {
  for (int64_t i = 0; i < elements; ++i) {
    seed = seed * 1664525u + 1013904223u;
    data[i] = static_cast<T>(static_cast<int>((seed >> 24) % 17) - 8) / 8;
  }
}

/// Operands and results of a family.
struct Buffers {
  std::vector<std::shared_ptr<char>> operands;
  std::shared_ptr<char> ours, peer;

  bool allocate(const Case &c, const TensorType &result) {
    for (const TensorType &type : c.operands) {
      operands.push_back(allocateBytes(bytesOf(type)));
      if (!operands.back()) return false;
      const auto seed = static_cast<uint32_t>(operands.size());
      if (type.dtype == DType::F32)
        fill(reinterpret_cast<float *>(operands.back().get()), type.numElements(), seed);
      else
        fill(reinterpret_cast<double *>(operands.back().get()), type.numElements(), seed);
    }
    ours = allocateBytes(bytesOf(result));
    return ours != nullptr;
  }

  std::vector<void *> pointers(bool reversed) const {
    std::vector<void *> list;
    for (const auto &operand : operands) list.push_back(operand.get());
    if (reversed) std::reverse(list.begin(), list.end());
    return list;
  }
};

/// Largest difference relative to the largest value; products of more than two factors are not exact.
template <class T> double difference(const void *ours, const void *peer, int64_t elements) {
  const T *x = static_cast<const T *>(ours), *y = static_cast<const T *>(peer);
  double worst = 0, largest = 1e-30;
  for (int64_t i = 0; i < elements; ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(x[i]) - y[i]));
    largest = std::max(largest, std::abs(static_cast<double>(y[i])));
    if (std::isnan(x[i])) return std::nan("");
  }
  return worst / largest;
}

double flopsOf(const Case &c) {
  auto bound = parseAndBind(c.text, c.operands);
  if (!bound) return 0;
  auto flat = flatten(*bound, {});
  double flops = 0;
  if (flat)
    for (const auto &contraction : flat->contractions) flops += contraction.path.optimisedFlops;
  return flops;
}

/// What takes turns in a family, and which of it is what.
struct Turns {
  std::vector<std::function<void()>> calls;
  std::vector<std::string> names; ///< empty for ours, "=" before the name of a GEMM alone

  void add(std::string name, std::function<void()> call) {
    names.push_back(std::move(name));
    calls.push_back(std::move(call));
  }
};

volatile unsigned readSink;

void addMemoryPeer(Turns &turns, const Case &c, const Buffers &buffers, double bytes, int threads) {
  if (c.comparison == Comparison::Read) {
    const auto size = static_cast<size_t>(bytesOf(c.operands[0]));
    const char *from = buffers.operands[0].get();
    return turns.add("read", [=] { readSink = readBytes(from, size, threads); });
  }
  // Half of the bytes are read, half written.
  const auto size = static_cast<size_t>(bytes / 2);
  const std::shared_ptr<char> from = allocateBytes(size), to = allocateBytes(size);
  if (from && to) turns.add("memcpy", [=] { copyBytes(to.get(), from.get(), size, threads); });
}

/// The strides of an operand that no index repeats or broadcasts over cover it exactly.
bool isPlain(const Case &c, int64_t resultElements, const PermuteGemm &gemm) {
  return c.operands.size() == 2 &&
         gemm.covers(c.operands[0].numElements(), c.operands[1].numElements(), resultElements);
}

void addBlasPeers(Turns &turns, const Case &c, const TensorType &result, Buffers &buffers,
                  std::span<const Blas> libraries, const PermuteGemmProgram &program, int threads) {
  buffers.peer = allocateBytes(bytesOf(result));
  if (!buffers.peer) return;
  for (const Blas &blas : libraries) {
    if (!blas.supports(result.dtype)) continue;
    turns.add(blas.name, [&blas, &program, list = buffers.pointers(false), out = buffers.peer.get(), threads] {
      program.run(blas, list, out, threads);
    });
    if (program.stepCount() != 1 || !program.onlyStep().permutes()) continue;
    if (!isPlain(c, result.numElements(), program.onlyStep())) continue;
    turns.add("=" + blas.name, [&blas, gemm = program.onlyStep().gemmAlone(), list = buffers.pointers(false),
                                out = allocateBytes(bytesOf(result)),
                                threads] { gemm.run(blas, list[0], list[1], out.get(), threads); });
  }
}

/// Whether ours writes what the peer wrote; the peer has been called.
std::string compare(const TensorType &result, const Buffers &buffers) {
  const int64_t elements = result.numElements();
  const bool isF32 = result.dtype == DType::F32;
  const double off = isF32 ? difference<float>(buffers.ours.get(), buffers.peer.get(), elements)
                           : difference<double>(buffers.ours.get(), buffers.peer.get(), elements);
  if (off <= (isF32 ? 1e-4 : 1e-10)) return {};
  return "WRONG: differs from the peer by " + std::to_string(off) + " of the largest element";
}

Record blankRecord(const Case &c) {
  Record record;
  record.suite = c.suite, record.name = c.name, record.text = c.text, record.family = c.family;
  for (const TensorType &type : c.operands) record.operands.push_back(type.str());
  record.flops = flopsOf(c);
  return record;
}

} // namespace

double Runner::roofline(const Record &record, DType dtype, Comparison comparison) const {
  const double compute = comparison == Comparison::PermuteGemm ? record.flops / ceilings.flops(dtype) : 0;
  const double bandwidth = comparison == Comparison::Read ? ceilings.readBytes : ceilings.copyBytes;
  const double memory = record.bytes > 2 * ceilings.cacheBytes ? record.bytes / bandwidth : 0;
  return std::max(compute, memory) / record.ours.median;
}

std::vector<Record> Runner::run(std::span<const Case> family) {
  std::vector<Record> records;
  for (const Case &c : family) records.push_back(blankRecord(c));
  std::vector<Kernel> kernels;
  CompileOptions compileOptions;
  compileOptions.threads = options.threads;
  const auto failAll = [&](const std::string &why) {
    for (Record &record : records) record.error = why;
    return records;
  };
  for (const Case &c : family) {
    auto kernel = engine.compile(c.text, c.operands, compileOptions);
    if (!kernel) return failAll(kernel.error().message);
    kernels.push_back(*kernel);
  }
  const Case &first = family.front();
  const TensorType result = kernels.front().results().front();
  Buffers buffers;
  if (!buffers.allocate(first, result)) return failAll("no memory for operands");

  Turns turns;
  for (size_t f = 0; f < family.size(); ++f) {
    std::vector<TensorView> in, out{TensorView(buffers.ours.get(), result)};
    const std::vector<void *> pointers = buffers.pointers(family[f].reversed);
    for (size_t o = 0; o < pointers.size(); ++o) in.emplace_back(pointers[o], family[f].operands[o]);
    if (auto ok = kernels[f].run(in, out); !ok) return failAll(ok.error().message);
    turns.add("", [in, out, kernel = kernels[f]] { (void)kernel.run(in, out); });
  }
  double bytes = static_cast<double>(bytesOf(result));
  for (const TensorType &type : first.operands) bytes += static_cast<double>(bytesOf(type));
  std::optional<PermuteGemmProgram> program;
  if (first.comparison == Comparison::PermuteGemm)
    program = PermuteGemmProgram::plan(first.text, first.operands);
  else
    addMemoryPeer(turns, first, buffers, bytes, options.threads);
  for (const Blas &blas : libraries) blas.setThreads(options.threads);
  if (program) addBlasPeers(turns, first, result, buffers, libraries, *program, options.threads);
  if (buffers.peer) {
    turns.calls[family.size()]();
    for (size_t f = 0; f < family.size(); ++f) {
      std::fill_n(buffers.ours.get(), bytesOf(result), 0x7f);
      turns.calls[f]();
      records[f].error = compare(result, buffers);
    }
  }

  const std::vector<Stats> stats = interleave(turns.calls, options.seconds, options.threads);
  for (size_t f = 0; f < family.size(); ++f) {
    Record &record = records[f];
    record.ours = stats[f];
    record.bytes = bytes;
    if (program && program->stepCount() == 1) record.gemmSize = program->onlyStep().size();
    for (size_t t = family.size(); t < stats.size(); ++t) {
      if (turns.names[t][0] != '=')
        record.peers.emplace_back(turns.names[t], stats[t]);
      else if (!record.gemmAlone || stats[t].median < record.gemmAlone->median)
        record.gemmAlone = stats[t];
    }
    std::sort(record.peers.begin(), record.peers.end(),
              [](const auto &x, const auto &y) { return x.second.median < y.second.median; });
    record.roofline = roofline(record, result.dtype, first.comparison);
  }
  return records;
}

} // namespace bench
