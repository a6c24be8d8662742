// Work that callers do not wait for, one piece after another on a thread of its own.
#pragma once

#include "runtime/Fork.h"

#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <pthread.h>

namespace ein {

/// Runs jobs in their order. Its thread exists only while there are any, and takes no signals. Thread-safe. In a forked
/// child no jobs are left.
class BackgroundThread final : ForkLock {
public:
  BackgroundThread() { join(); }
  /// Waits for the job that is running; the others never run.
  ~BackgroundThread();
  BackgroundThread(const BackgroundThread &) = delete;
  BackgroundThread &operator=(const BackgroundThread &) = delete;

  /// False, and the job is not taken, where no thread can be made. The caller holds no lock that a job takes.
  bool add(std::function<void()> job);

private:
  static void *runJobs(void *self);
  bool start();
  void lockForFork() override { mutex.lock(); }
  void unlockAfterFork(bool inChild) override;

  std::mutex mutex;
  std::deque<std::function<void()>> jobs;
  std::optional<pthread_t> thread; ///< to be joined
  bool isRunning = false;          ///< the thread has not seen that no jobs are left
};

} // namespace ein
