// Times a call: median and minimum of many runs.
#include "tools/einc/Timing.h"

#include <algorithm>
#include <chrono>
#include <vector>

using namespace ein;

namespace einc {

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Expected<Timing> timeCall(const std::function<Expected<void>()> &call) {
  constexpr double budget = 0.5, shortestSample = 50e-6;
  constexpr size_t fewest = 5, most = 1000;
  if (auto ok = call(); !ok) return ok.error();
  double start = now();
  if (auto ok = call(); !ok) return ok.error();
  double once = std::max(now() - start, 1e-9);
  int calls = std::max(1, static_cast<int>(shortestSample / once));
  std::vector<double> samples;
  double begin = now();
  while (samples.size() < fewest || (samples.size() < most && now() - begin < budget)) {
    start = now();
    for (int c = 0; c < calls; ++c)
      if (auto ok = call(); !ok) return ok.error();
    samples.push_back((now() - start) / calls);
  }
  std::sort(samples.begin(), samples.end());
  return Timing{samples[samples.size() / 2], samples.front(), static_cast<int>(samples.size())};
}

} // namespace einc
