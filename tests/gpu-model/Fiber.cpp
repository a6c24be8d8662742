// Fibers on makecontext for the first entry and _setjmp for every later switch, which costs no system call.
#include "tests/gpu-model/Fiber.h"

#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

namespace ein::gpumodel {
namespace {

constexpr size_t kStackBytes = 512 << 10;
constexpr size_t kGuardBytes = 4096;

/// Stacks live as long as the process: launches need the same number again and again.
std::vector<char *> &freeStacks() {
  static thread_local std::vector<char *> stacks;
  return stacks;
}

char *takeStack() {
  if (std::vector<char *> &stacks = freeStacks(); !stacks.empty()) {
    char *stack = stacks.back();
    stacks.pop_back();
    return stack;
  }
  void *memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, kGuardBytes, PROT_NONE) != 0) {
    std::perror("stack of a fiber");
    std::exit(2);
  }
  return static_cast<char *>(memory);
}

thread_local Fiber *running = nullptr;

} // namespace

Fiber::Fiber(std::function<void()> body) : body(std::move(body)), stack(takeStack()) {}

Fiber::~Fiber() { freeStacks().push_back(stack); }

void Fiber::enter() {
  running->body();
  running->ended = true;
  suspend();
}

void Fiber::suspend() {
  Fiber *self = running;
  if (!_setjmp(self->inside)) _longjmp(self->outside, 1);
}

void Fiber::resume() {
  running = this;
  if (!_setjmp(outside)) {
    if (started) _longjmp(inside, 1);
    started = true;
    ucontext_t first;
    getcontext(&first);
    first.uc_stack.ss_sp = stack + kGuardBytes;
    first.uc_stack.ss_size = kStackBytes - kGuardBytes;
    first.uc_link = nullptr;
    makecontext(&first, &Fiber::enter, 0);
    setcontext(&first);
  }
  running = nullptr;
}

bool Fiber::owns(const void *pointer) const { return pointer >= stack && pointer < stack + kStackBytes; }

} // namespace ein::gpumodel
