// fork(): a child finds every lock of ein free, and what it guards whole.
#pragma once

namespace ein {

/// Held during work that a fork must not cut in two: compiling, loading, unloading. fork() waits for it. Nests.
class ForkGate {
public:
  ForkGate();
  ~ForkGate();
  ForkGate(const ForkGate &) = delete;
  ForkGate &operator=(const ForkGate &) = delete;
};

/// Something with a lock of its own, which it does not hold while it enters a ForkGate.
class ForkLock {
public:
  virtual void lockForFork() = 0;
  /// In the child no thread exists but the one that forked.
  virtual void unlockAfterFork(bool inChild) = 0;

  /// From `join` to `leave` each fork calls both.
  void join();
  void leave();

protected:
  ~ForkLock() = default;

private:
  friend struct ForkRegistry;
  ForkLock *previous = nullptr, *next = nullptr;
};

} // namespace ein
