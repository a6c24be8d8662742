// Interleaved timing: all subjects take turns, so that a noisy moment hits each of them alike.
#include "bench/Timing.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace bench {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Stats statsOf(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const size_t n = samples.size();
  const double median = n % 2 ? samples[n / 2] : (samples[n / 2 - 1] + samples[n / 2]) / 2;
  return {median, samples.front(), static_cast<int>(n)};
}

namespace {

constexpr double kSample = 20e-6, kTurn = 2e-3, kLong = 20e-3;
constexpr int kFewestTurns = 3;
/// Longer than the workers of libomp and OpenBLAS spin; main.cpp sets how long that is.
constexpr auto kPause = std::chrono::milliseconds(3);

/// One of those that take turns.
class Subject {
public:
  explicit Subject(const std::function<void()> &call) : call(call) {
    call();
    once = timed(1);
    calls = std::max(1, static_cast<int>(kSample / std::max(once, 1e-9)));
  }

  void turn(int threads) {
    if (threads > 1) std::this_thread::sleep_for(kPause);
    if (once < kLong) timed(calls);
    const double end = now() + kTurn;
    do {
      samples.push_back(timed(calls));
    } while (now() < end);
  }

  Stats stats() const { return statsOf(samples); }

private:
  double timed(int count) const {
    const double start = now();
    for (int c = 0; c < count; ++c) call();
    return (now() - start) / count;
  }

  const std::function<void()> &call;
  double once = 0;
  int calls = 1;
  std::vector<double> samples;
};

} // namespace

std::vector<Stats> interleave(std::span<const std::function<void()>> calls, double seconds, int threads) {
  std::vector<Subject> subjects;
  for (const auto &call : calls) subjects.emplace_back(call);
  const double end = now() + seconds * static_cast<double>(subjects.size());
  for (int turn = 0; turn < kFewestTurns || now() < end; ++turn)
    // Nobody always follows the same other.
    for (size_t s = 0; s < subjects.size(); ++s) subjects[(s + turn) % subjects.size()].turn(threads);
  std::vector<Stats> stats;
  for (const Subject &subject : subjects) stats.push_back(subject.stats());
  return stats;
}

} // namespace bench
