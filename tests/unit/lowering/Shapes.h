// Nest shapes of einsum strings over row-major operands, and CPUs to plan for.
#pragma once

#include "compiler/Lowering/NestShape.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ein::testing {

/// The loops of an einsum string as the lowering makes them: the output's labels, then the summed ones.
/// Every tensor is row-major; the result is simplified.
inline NestShape einsumShape(std::string_view text, const std::map<char, int64_t> &extents, int64_t elementBytes = 4) {
  std::vector<std::string> terms(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',')
      terms.emplace_back();
    else if (text[i] == '-')
      terms.emplace_back(), ++i;
    else
      terms.back() += text[i];
  }
  std::string loops = terms.back();
  for (const std::string &term : terms)
    for (char label : term)
      if (loops.find(label) == std::string::npos) loops += label;
  NestShape shape;
  shape.operands = unsigned(terms.size());
  shape.elementBytes = elementBytes;
  for (char label : loops) {
    LoopDim d;
    d.extent = extents.at(label);
    d.reduced = terms.back().find(label) == std::string::npos;
    d.sources = {unsigned(shape.dims.size())};
    for (const std::string &term : terms) {
      int64_t stride = 0, step = 1;
      for (size_t i = term.size(); i-- > 0; step *= extents.at(term[i]))
        if (term[i] == label) stride += step;
      d.strides.push_back(stride);
    }
    shape.dims.push_back(d);
  }
  return simplify(shape);
}

inline CpuModel cpuModel(int64_t vectorBytes, int64_t registers, int64_t threads) {
  CpuModel cpu;
  cpu.vectorBytes = vectorBytes;
  cpu.vectorRegisters = registers;
  cpu.fma = vectorBytes > 16;
  cpu.threads = threads;
  return cpu;
}
inline CpuModel avx512(int64_t threads = 1) { return cpuModel(64, 32, threads); }
inline CpuModel avx2(int64_t threads = 1) { return cpuModel(32, 16, threads); }
inline CpuModel sse(int64_t threads = 1) { return cpuModel(16, 16, threads); }
/// AVX-512 in two halves.
inline CpuModel avx512Split(int64_t threads = 1) {
  CpuModel cpu = avx512(threads);
  cpu.splitsWideVectors = true;
  return cpu;
}

inline std::vector<CpuModel> allCpus() {
  std::vector<CpuModel> cpus;
  for (int64_t threads : {1, 2, 7})
    for (const CpuModel &cpu : {avx512(threads), avx512Split(threads), avx2(threads), sse(threads)})
      cpus.push_back(cpu);
  return cpus;
}

} // namespace ein::testing
