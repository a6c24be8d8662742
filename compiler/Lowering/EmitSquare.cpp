// Nests across two loops: squares transposed in registers.
#include "compiler/Lowering/EmitNest.h"

using namespace mlir;

namespace ein {

/// lanes x lanes squares: inputs adjacent along `across` are transposed in registers.
void NestEmitter::square(const Offsets &at) {
  const int64_t n = p.lanes;
  auto clamp = [&](Value i, int d) { return notBeyond(b.mul(i, n), d, n); };
  auto [laneLow, laneHigh] = bounds(p.lane);
  auto [acrossLow, acrossHigh] = bounds(p.across);
  b.loop(acrossLow, acrossHigh, p.run, [&](Value firstRun) {
    Value lastRun = b.min(b.add(firstRun, p.run), acrossHigh);
    b.loop(laneLow, laneHigh, 1, [&](Value i) {
      Value lane = clamp(i, p.lane);
      Offsets row = moved(at, p.lane, lane);
      b.loop(firstRun, lastRun, 1, [&](Value j) {
        Value first = clamp(j, p.across);
        Offsets from = moved(row, p.across, first);
        SmallVector<SmallVector<Value>> inputs; // by operand, then by position across
        for (unsigned o = 0; o < out; ++o) {
          SmallVector<Value> vectors;
          const int64_t along = dims[p.lane].strides[o];
          const bool transposes = along != 0 && along != 1;
          for (int64_t t = 0; t < n; ++t)
            vectors.push_back(transposes ? b.loadVector(n, memory[o], b.add(from[o], step(o, p.lane, b.c(t))))
                                         : loadRun(o, moved(from, p.across, t)[o], {n, p.lane, lane}));
          inputs.push_back(transposes ? b.transpose(vectors) : vectors);
        }
        SmallVector<Value> results;
        for (int64_t t = 0; t < n; ++t) {
          SmallVector<Value> vectors;
          for (auto &input : inputs) vectors.push_back(input[t]);
          position[p.across] = b.add(first, t);
          const Run run{n, p.lane, lane};
          auto index = [&](int64_t source) { return indexValues(source, run); };
          auto load = [&](memref::LoadOp load, llvm::function_ref<Value(Value)> valueOf) {
            return gather(load, valueOf, run);
          };
          results.push_back(BodyEmitter(b, op, n, vectors, index, load).emit(reduction.term));
        }
        auto put = [&](bool streaming) {
          for (int64_t t = 0; t < n; ++t)
            b.storeVector(results[t], memory[out], moved(from, p.across, t)[out], streaming);
        };
        if (!p.streaming) return put(false);
        b.ifThen(aligned, [&] { put(true); }, [&] { put(false); });
      });
    });
  });
}

} // namespace ein
