// Times a call: median and minimum of many runs.
#include "tools/einc/Timing.h"

#include <algorithm>
#include <chrono>
#include <vector>

using namespace ein;

namespace einc {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Requires at least one sample.
static Timing timingOf(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return Timing{samples[samples.size() / 2], samples.front(), static_cast<int>(samples.size())};
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
  return timingOf(std::move(samples));
}

namespace {

/// One of those that take turns.
class Subject {
public:
  explicit Subject(const std::function<Expected<void>()> &call) : call(call) {}

  Expected<void> start() {
    if (auto ok = call(); !ok) return ok;
    if (auto ok = sample(); !ok) return ok;
    once = std::max(samples.front(), 1e-9);
    calls = std::max(1, static_cast<int>(20e-6 / once));
    samples.clear();
    return {};
  }
  Expected<void> turn() {
    constexpr double longCall = 20e-3, turnSeconds = 2e-3;
    if (once < longCall)
      if (auto ok = call(); !ok) return ok;
    const double end = now() + turnSeconds;
    do {
      if (auto ok = sample(); !ok) return ok;
    } while (now() < end);
    return {};
  }
  Timing timing() { return timingOf(std::move(samples)); }

private:
  Expected<void> sample() {
    const double start = now();
    for (int c = 0; c < calls; ++c)
      if (auto ok = call(); !ok) return ok;
    samples.push_back((now() - start) / calls);
    return {};
  }

  const std::function<Expected<void>()> &call;
  double once = 0;
  int calls = 1;
  std::vector<double> samples;
};

} // namespace

Expected<std::vector<Timing>> timeInTurns(std::span<const std::function<Expected<void>()>> calls, double seconds) {
  constexpr int fewest = 3;
  std::vector<Subject> subjects(calls.begin(), calls.end());
  for (Subject &subject : subjects)
    if (auto ok = subject.start(); !ok) return ok.error();
  const double end = now() + seconds;
  for (int turn = 0; turn < fewest || now() < end; ++turn)
    // Nobody always follows the same other.
    for (size_t s = 0; s < subjects.size(); ++s)
      if (auto ok = subjects[(s + turn) % subjects.size()].turn(); !ok) return ok.error();
  std::vector<Timing> timings;
  for (Subject &subject : subjects) timings.push_back(subject.timing());
  return timings;
}

} // namespace einc
