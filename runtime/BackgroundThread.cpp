// The thread that runs jobs, and what a fork leaves of it.
#include "runtime/BackgroundThread.h"

#include <csignal>

namespace ein {

BackgroundThread::~BackgroundThread() {
  {
    const std::lock_guard lock(mutex);
    jobs.clear();
  }
  if (thread) pthread_join(*thread, nullptr);
  leave();
}

bool BackgroundThread::add(std::function<void()> job) {
  const std::lock_guard lock(mutex);
  jobs.push_back(std::move(job));
  if (isRunning || start()) return true;
  jobs.pop_back();
  return false;
}

/// Under the lock.
bool BackgroundThread::start() {
  // The one before is done, but for its return.
  if (thread) pthread_join(*thread, nullptr);
  thread.reset();
  // Handlers of signals are the program's, and run on its own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t made;
  isRunning = pthread_create(&made, nullptr, runJobs, this) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (isRunning) thread = made;
  return isRunning;
}

void *BackgroundThread::runJobs(void *self) {
  auto &own = *static_cast<BackgroundThread *>(self);
  for (;;) {
    std::function<void()> job;
    {
      const std::lock_guard lock(own.mutex);
      own.isRunning = !own.jobs.empty();
      if (!own.isRunning) return nullptr;
      job = std::move(own.jobs.front());
      own.jobs.pop_front();
    }
    job();
  }
}

void BackgroundThread::unlockAfterFork(bool inChild) {
  if (inChild) {
    jobs.clear();
    thread.reset();
    isRunning = false;
  }
  mutex.unlock();
}

} // namespace ein
