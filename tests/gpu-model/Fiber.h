// Threads of control that are switched by hand, each with a stack of its own.
#pragma once

#include <csetjmp>
#include <functional>

namespace ein::gpumodel {

/// Runs `body` in pieces: `resume` runs it until it suspends itself or ends. A fiber that never ends may be destroyed;
/// what lies on its stack is then not destructed.
class Fiber {
public:
  explicit Fiber(std::function<void()> body);
  Fiber(const Fiber &) = delete;
  ~Fiber();

  void resume();
  /// Back to who resumed the running fiber.
  static void suspend();
  bool finished() const { return ended; }
  /// Whether `pointer` lies on this fiber's stack.
  bool owns(const void *pointer) const;

private:
  static void enter();

  std::function<void()> body;
  char *stack;
  jmp_buf inside, outside;
  bool started = false, ended = false;
};

} // namespace ein::gpumodel
