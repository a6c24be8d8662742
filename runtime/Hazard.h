// Hazard pointers: a thread states what it is reading, so that nobody frees it. No lock, no shared count.
#pragma once

#include <atomic>
#include <cstddef>

namespace ein {

/// Keeps one object from being freed while this lives. At most one per thread at a time.
///
/// Who frees an object takes it out of its place first (a sequentially consistent store), then asks `isProtected`,
/// and keeps it for later where the answer is yes.
class Hazard {
public:
  Hazard() : record(ofThisThread()) {}
  ~Hazard() { record.object.store(nullptr, std::memory_order_release); }
  Hazard(const Hazard &) = delete;
  Hazard &operator=(const Hazard &) = delete;

  /// What `place` points to, safe until the next call; null if that is null or changes just now.
  template <class T> T *protect(const std::atomic<T *> &place) {
    T *object = place.load(std::memory_order_relaxed);
    record.object.store(object);
    // Whoever empties the place later sees the store above.
    return place.load() == object ? object : nullptr;
  }

  /// A small number, in general another one in each running thread.
  size_t threadNumber() const { return record.number; }

  /// Whether any thread may read this object, which has no place any more.
  static bool isProtected(const void *object);
  /// For a forked child: no thread but this one exists.
  static void forgetOtherThreads();

private:
  /// One for each thread that ever ran at the same time as the others; never freed, used again by later threads.
  struct Record {
    std::atomic<const void *> object = nullptr;
    std::atomic<bool> taken = true;
    size_t number = 0;
    Record *next = nullptr;
  };

  static Record &ofThisThread();
  static Record &acquire();
  static std::atomic<Record *> records;
  static thread_local Record *mine;

  Record &record;
};

} // namespace ein
