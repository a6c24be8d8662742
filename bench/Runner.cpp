// Runs cases: ours, the peers and the GEMM of equal size, interleaved and compared with each other.
#include "bench/Runner.h"
#include "bench/PermuteGemm.h"
#include "compiler/IndexNotation/Element.h"
#include "compiler/Paths/Explain.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

using namespace ein;

namespace bench {

namespace {

int64_t bytesOf(const TensorType &type) { return type.numElements() * byteSize(type.dtype); }

/// Multiples of 1/8 in [-1, 1], whole numbers in integers: their products and sums are exact, so results can be
/// compared bit by bit.
void fill(DType dtype, void *data, int64_t elements, uint32_t seed) {
  const int least = isUnsigned(dtype) || dtype == DType::Bool ? 0 : -8;
  for (int64_t i = 0; i < elements; ++i) {
    seed = seed * 1664525u + 1013904223u;
    const int value = static_cast<int>((seed >> 24) % 17) + least;
    setElement(dtype, data, i, isFloat(partType(dtype)) ? value / 8.0 : value);
  }
}

/// Operands and results of a family.
struct Buffers {
  std::vector<std::shared_ptr<char>> operands;
  std::vector<std::shared_ptr<char>> ours; ///< by result
  std::shared_ptr<char> peer;

  bool allocate(std::span<const TensorType> types, std::span<const TensorType> results) {
    for (const TensorType &type : types) {
      operands.push_back(allocateBytes(bytesOf(type)));
      if (!operands.back()) return false;
      if (type.dtype == DType::I32) // places: of pages, of labels
        std::iota(reinterpret_cast<int32_t *>(operands.back().get()),
                  reinterpret_cast<int32_t *>(operands.back().get()) + type.numElements(), 0);
      else
        fill(type.dtype, operands.back().get(), type.numElements(), static_cast<uint32_t>(operands.size()));
    }
    for (const TensorType &type : results) {
      ours.push_back(allocateBytes(bytesOf(type)));
      if (!ours.back()) return false;
    }
    return true;
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

double flopsOf(const Program &program) {
  auto flat = flatten(program, {});
  double flops = 0;
  if (flat && !flat->cascades.empty())
    for (const StepReport &step : explain(*flat).steps) flops += step.flops;
  else if (flat)
    for (const auto &contraction : flat->contractions) flops += contraction.path.optimisedFlops;
  return flops;
}

/// Bytes of operands and results, each once; of a diagonal only what lies on it.
double bytesTouched(const Program &program) {
  std::vector<std::set<std::vector<AccessSubscript>>> accesses(program.tensors.size());
  for (const Expr &e : program.exprs)
    if (e.kind == Expr::Kind::Access) accesses[e.tensor].insert(e.subscripts);
  for (TensorId output : program.outputs) {
    const auto &axes = program.tensors[output].axes;
    accesses[output].insert({axes.begin(), axes.end()});
  }
  double bytes = 0;
  for (TensorId tensor = 0; tensor < program.tensors.size(); ++tensor)
    for (const auto &subscripts : accesses[tensor]) {
      const std::set<AccessSubscript> distinct(subscripts.begin(), subscripts.end());
      double elements = 1;
      for (const AccessSubscript &index : distinct)
        if (index) elements *= static_cast<double>(program.indices[*index].extent.value_or(1));
      bytes += elements * static_cast<double>(byteSize(program.tensors[tensor].dtype));
    }
  return bytes;
}

volatile unsigned readSink;

/// The cases of one family while they are measured.
class Family {
public:
  Family(std::span<const Case> cases, std::span<const Blas> libraries, int threads)
      : cases(cases), first(cases.front()), libraries(libraries), threads(threads) {}

  /// Compiles and runs each once. An error ends the family.
  Expected<void> prepare(Engine &engine);
  /// Adds what `first` is compared with; afterwards `calls` can be timed.
  void addPeers(double bytes);
  /// What is wrong with the result of case `f`; empty where it agrees with the peer or there is none.
  std::string check(size_t f) const;
  /// Writes what `interleave(calls)` measured into the record of case `f`.
  void fillIn(Record &record, size_t f, std::span<const Stats> stats) const;

  std::vector<std::function<void()>> calls;
  TensorType result;

private:
  void add(std::string name, std::function<void()> call) {
    names.push_back(std::move(name));
    calls.push_back(std::move(call));
  }
  void addMemoryPeer(double bytes);
  void addReadPeer();
  void addPairPeers();
  /// `runs`: in each call.
  void addKernel(const std::string &name, const std::string &text, std::span<const TensorType> types, bool fuse,
                 int runs = 1);
  void addRealWorkPeer();
  void addBlasPeers();

  std::span<const Case> cases;
  const Case &first;
  std::span<const Blas> libraries;
  int threads;
  Buffers buffers;
  std::optional<PermuteGemmProgram> program;
  std::vector<std::string> names; ///< by call; empty for ours, "=" before the name of a GEMM alone
};

Expected<void> Family::prepare(Engine &engine) {
  CompileOptions options;
  options.threads = threads;
  for (const Case &c : cases) {
    auto kernel = engine.compile(c.text, c.operands, options);
    if (!kernel) return kernel.error();
    result = kernel->results().front();
    if (buffers.ours.empty() && !buffers.allocate(c.operands, kernel->results()))
      return makeError(ErrorCode::Run, "no memory for operands");
    std::vector<TensorView> in, out;
    for (size_t r = 0; r < buffers.ours.size(); ++r) out.emplace_back(buffers.ours[r].get(), kernel->results()[r]);
    const std::vector<void *> pointers = buffers.pointers(c.reversed);
    for (size_t o = 0; o < pointers.size(); ++o) in.emplace_back(pointers[o], c.operands[o]);
    if (auto ok = kernel->run(in, out); !ok) return ok.error();
    add("", [in, out, kernel = *kernel] { (void)kernel.run(in, out); });
  }
  return {};
}

void Family::addPeers(double bytes) {
  switch (first.comparison) {
  case Comparison::Pair: return addPairPeers();
  case Comparison::ReadAndChain: addReadPeer(); [[fallthrough]];
  case Comparison::Chain: return addKernel("ein unfused", first.text, first.operands, false);
  case Comparison::Larger: return addKernel("larger", first.largerText, first.larger, true);
  case Comparison::RealWork: return addRealWorkPeer();
  case Comparison::Copy:
  case Comparison::Read: return addMemoryPeer(bytes);
  case Comparison::PermuteGemm: break;
  }
  program = PermuteGemmProgram::plan(first.text, first.operands);
  if (!program) return;
  for (const Blas &blas : libraries) blas.setThreads(threads);
  addBlasPeers();
}

/// Sums the largest operands, one after the other.
void Family::addReadPeer() {
  std::vector<std::pair<const char *, size_t>> parts;
  for (size_t o = 0; o < first.operands.size(); ++o)
    parts.emplace_back(buffers.operands[o].get(), size_t(bytesOf(first.operands[o])) / 64 * 64);
  add("read", [parts, team = threads] {
    for (auto [from, size] : parts)
      if (size > 0) readSink = readBytes(from, size, team);
  });
}

/// A kernel of ours on operands of its own.
void Family::addKernel(const std::string &name, const std::string &text, std::span<const TensorType> types, bool fuse,
                       int runs) {
  CompileOptions options;
  options.threads = threads;
  options.fuse = fuse;
  auto kernel = Engine::global().compile(text, types, options);
  if (!kernel) return;
  Buffers own;
  if (!own.allocate(types, kernel->results())) return;
  std::vector<TensorView> in, out;
  for (size_t o = 0; o < types.size(); ++o) in.emplace_back(own.operands[o].get(), types[o]);
  for (size_t r = 0; r < own.ours.size(); ++r) out.emplace_back(own.ours[r].get(), kernel->results()[r]);
  add(name, [in, out, own, runs, kernel = *kernel] {
    for (int run = 0; run < runs; ++run) (void)kernel.run(in, out);
  });
}

void Family::addMemoryPeer(double bytes) {
  if (first.comparison == Comparison::Read) return addReadPeer();
  // Half of the bytes are read, half written.
  const auto size = static_cast<size_t>(bytes / 2);
  const std::shared_ptr<char> from = allocateBytes(bytes / 2), to = allocateBytes(bytes / 2);
  if (from && to) add("memcpy", [from, to, size, team = threads] { copyBytes(to.get(), from.get(), size, team); });
}

/// For each head S = Q K^T and O = S V, with all of S in memory, also where half of it would be masked; and the same
/// text in one kernel per step. Both work on the operands of ours.
void Family::addPairPeers() {
  const TensorType &q = first.operands[0], &k = first.operands[1], &v = first.operands[2];
  const size_t head = q.shape[1] <= q.shape[2] ? 1 : 2, row = 3 - head;
  const std::shared_ptr<char> scores = allocateBytes(q.shape[row] * k.shape[row] * 4), out = allocateBytes(bytesOf(q));
  if (!scores || !out) return;
  auto matrix = [=](const TensorType &t) { return Matrix{t.shape[row], t.shape[3], t.strides[row], 1}; };
  for (const Blas &blas : libraries) {
    blas.setThreads(threads);
    if (!blas.supports(DType::F32)) continue;
    add(blas.name + " pair", [=, this, &blas] {
      const Matrix s{q.shape[row], k.shape[row], k.shape[row], 1};
      auto at = [&](const void *data, const TensorType &t, int64_t h) {
        return static_cast<const float *>(data) + h * t.strides[head];
      };
      for (int64_t h = 0; h < q.shape[head]; ++h) {
        blas.multiply(DType::F32, matrix(q), at(buffers.operands[0].get(), q, h), matrix(k).transposed(),
                      at(buffers.operands[1].get(), k, h), s, scores.get());
        blas.multiply(DType::F32, s, scores.get(), matrix(v), at(buffers.operands[2].get(), v, h), matrix(q),
                      reinterpret_cast<float *>(out.get()) + h * q.strides[head]);
      }
    });
  }
  addKernel("ein unfused", first.text, first.operands, false);
}

void Family::addRealWorkPeer() {
  const DType dtype = first.operands[0].dtype, real = dtype == DType::C128 ? DType::F64 : DType::F32;
  std::vector<TensorType> types;
  for (const TensorType &type : first.operands) types.emplace_back(real, type.shape);
  if (isComplex(dtype))
    addKernel("4 x " + std::string(name(real)), first.text, types, true, 4);
  else
    addKernel(std::string(name(real)), first.text, types, true);
}

void Family::addBlasPeers() {
  buffers.peer = allocateBytes(bytesOf(result));
  if (!buffers.peer) return;
  const PermuteGemm &step = program->onlyStep();
  // Of a contraction with repeated or broadcast indices the operands are too large or too small for a plain GEMM.
  const bool alone =
      program->stepCount() == 1 && step.permutes() && first.operands.size() == 2 &&
      step.covers(first.operands[0].numElements(), first.operands[1].numElements(), result.numElements());
  const std::vector<void *> operands = buffers.pointers(false);
  for (const Blas &blas : libraries) {
    if (!blas.supports(result.dtype)) continue;
    add(blas.name, [this, &blas, operands, out = buffers.peer.get()] { program->run(blas, operands, out, threads); });
    if (!alone) continue;
    add("=" + blas.name, [this, &blas, operands, gemm = step.gemmAlone(), out = allocateBytes(bytesOf(result))] {
      gemm.run(blas, operands[0], operands[1], out.get(), threads);
    });
  }
}

std::string Family::check(size_t f) const {
  if (!buffers.peer || calls.size() == cases.size()) return {};
  calls[cases.size()]();
  std::fill_n(buffers.ours.front().get(), bytesOf(result), 0x7f);
  calls[f]();
  const int64_t elements = result.numElements();
  const bool isF32 = result.dtype == DType::F32;
  const double off = isF32 ? difference<float>(buffers.ours.front().get(), buffers.peer.get(), elements)
                           : difference<double>(buffers.ours.front().get(), buffers.peer.get(), elements);
  if (off <= (isF32 ? 1e-4 : 1e-10)) return {};
  return "WRONG: differs from the peer by " + std::to_string(off) + " of the largest element";
}

void Family::fillIn(Record &record, size_t f, std::span<const Stats> stats) const {
  record.ours = stats[f];
  for (size_t t = cases.size(); t < stats.size(); ++t) {
    if (names[t][0] != '=')
      record.peers.emplace_back(names[t], stats[t]);
    else if (!record.gemmAlone || stats[t].median < record.gemmAlone->median)
      record.gemmAlone = stats[t];
  }
  std::sort(record.peers.begin(), record.peers.end(),
            [](const auto &x, const auto &y) { return x.second.median < y.second.median; });
  if (!program || program->stepCount() != 1) return;
  record.gemmSize = program->onlyStep().size();
  if (!program->onlyStep().permutes() && !record.peers.empty()) record.gemmAlone = record.peers.front().second;
}

/// The record of a case before it is measured.
Record blankRecord(const Case &c) {
  Record record;
  record.suite = c.suite, record.name = c.name, record.text = c.text, record.family = c.family;
  for (const TensorType &type : c.operands) record.operands.push_back(type.str());
  if (auto bound = parseAndBind(c.text, c.operands))
    record.flops = flopsOf(*bound), record.bytes = bytesTouched(*bound);
  return record;
}

} // namespace

double Runner::roofline(const Record &record, DType dtype, Comparison comparison) const {
  const bool computes =
      comparison != Comparison::Copy && comparison != Comparison::Read && comparison != Comparison::ReadAndChain;
  const double compute = computes ? record.flops / ceilings.flops(dtype) : 0;
  const double bandwidth = comparison == Comparison::Read || comparison == Comparison::ReadAndChain
                               ? ceilings.readBytes
                               : ceilings.copyBytes;
  const double memory = record.bytes > 2 * ceilings.cacheBytes ? record.bytes / bandwidth : 0;
  return std::max(compute, memory) / record.ours.median;
}

std::vector<Record> Runner::run(std::span<const Case> cases) {
  std::vector<Record> records;
  for (const Case &c : cases) records.push_back(blankRecord(c));
  Family family(cases, libraries, options.threads);
  if (auto ok = family.prepare(engine); !ok) {
    for (Record &record : records) record.error = ok.error().message;
    return records;
  }
  family.addPeers(records.front().bytes);
  for (size_t f = 0; f < cases.size(); ++f) records[f].error = family.check(f);
  const std::vector<Stats> stats = interleave(family.calls, options.seconds, options.threads);
  for (size_t f = 0; f < cases.size(); ++f) {
    family.fillIn(records[f], f, stats);
    records[f].roofline = roofline(records[f], family.result.dtype, cases[f].comparison);
  }
  return records;
}

} // namespace bench
