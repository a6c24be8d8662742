// The handlers that fork() calls, and the order of the locks.
#include "runtime/Fork.h"
#include "runtime/Hazard.h"

#include <atomic>
#include <mutex>
#include <pthread.h>

namespace ein {
namespace {

/// A fork holds the door, so that the room empties however busy it is. (A pthread_rwlock would not do: it knows its
/// owner by a number that the child does not have.)
constinit std::mutex door;
constinit std::atomic<int> inside = 0;
thread_local int depth = 0;

constinit std::mutex registryMutex;
constinit ForkLock *first = nullptr;

} // namespace

ForkGate::ForkGate() {
  if (depth++ > 0) return;
  const std::lock_guard lock(door);
  inside.fetch_add(1, std::memory_order_relaxed);
}

ForkGate::~ForkGate() {
  if (--depth > 0) return;
  if (inside.fetch_sub(1, std::memory_order_release) == 1) inside.notify_all();
}

void ForkLock::join() {
  const std::lock_guard lock(registryMutex);
  next = first;
  if (first) first->previous = this;
  first = this;
}

void ForkLock::leave() {
  const std::lock_guard lock(registryMutex);
  (previous ? previous->next : first) = next;
  if (next) next->previous = previous;
}

struct ForkRegistry {
  static void prepare() {
    door.lock();
    while (const int count = inside.load(std::memory_order_acquire)) inside.wait(count);
    registryMutex.lock();
    for (ForkLock *l = first; l; l = l->next) l->lockForFork();
  }
  static void resume(bool inChild) {
    for (ForkLock *l = first; l; l = l->next) l->unlockAfterFork(inChild);
    registryMutex.unlock();
    door.unlock();
  }
  static void inParent() { resume(false); }
  static void inChild() {
    Hazard::forgetOtherThreads();
    resume(true);
  }
};

/// At load, before any thread can hold a lock.
[[maybe_unused]] static const int registered =
    pthread_atfork(ForkRegistry::prepare, ForkRegistry::inParent, ForkRegistry::inChild);

} // namespace ein
