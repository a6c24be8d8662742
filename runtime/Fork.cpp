// The handlers that fork() calls, and the order of the locks.
#include "runtime/Fork.h"
#include "runtime/Hazard.h"

#include <mutex>
#include <pthread.h>
#include <shared_mutex>

namespace ein {
namespace {

/// Who works is in the room. A fork holds the door first, so that the room empties however busy it is.
constinit std::mutex door;
std::shared_mutex room;
thread_local int depth = 0;

constinit std::mutex registryMutex;
constinit ForkLock *first = nullptr;

} // namespace

ForkGate::ForkGate() {
  if (depth++ > 0) return;
  const std::lock_guard lock(door);
  room.lock_shared();
}

ForkGate::~ForkGate() {
  if (--depth == 0) room.unlock_shared();
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
    room.lock();
    registryMutex.lock();
    for (ForkLock *l = first; l; l = l->next) l->lockForFork();
  }
  static void resume(bool inChild) {
    for (ForkLock *l = first; l; l = l->next) l->unlockAfterFork(inChild);
    registryMutex.unlock();
    room.unlock();
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
