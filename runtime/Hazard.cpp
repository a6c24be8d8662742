// The list of hazard records: one per thread, found without a lock.
#include "runtime/Hazard.h"

#include <utility>

namespace ein {

constinit std::atomic<Hazard::Record *> Hazard::records = nullptr;
// Trivially destructible: calls may come after the thread-local destructors of the main thread.
constinit thread_local Hazard::Record *Hazard::mine = nullptr;

Hazard::Record &Hazard::ofThisThread() {
  if (!mine) [[unlikely]]
    mine = &acquire();
  return *mine;
}

Hazard::Record &Hazard::acquire() {
  static thread_local struct Owner {
    ~Owner() { std::exchange(mine, nullptr)->taken.store(false, std::memory_order_release); }
  } owner;
  for (Record *r = records.load(); r; r = r->next)
    if (!r->taken.load(std::memory_order_relaxed) && !r->taken.exchange(true, std::memory_order_acquire)) return *r;
  auto *made = new Record;
  made->next = records.load();
  do made->number = made->next ? made->next->number + 1 : 0;
  while (!records.compare_exchange_weak(made->next, made));
  return *made;
}

bool Hazard::isProtected(const void *object) {
  for (const Record *r = records.load(); r; r = r->next)
    if (r->object.load() == object) return true;
  return false;
}

void Hazard::forgetOtherThreads() {
  for (Record *r = records.load(); r; r = r->next)
    if (r != mine) r->object.store(nullptr), r->taken.store(false);
}

} // namespace ein
