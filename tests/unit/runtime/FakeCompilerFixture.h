// Points the runtime at the fake compiler and counts its compilations.
#pragma once

#include <cstdlib>

namespace ein::test {

/// Compilations that fake/FakeCompiler.cpp was asked for so far.
int compilations();

/// Makes libein load the fake compiler from now on, and keep nothing on disk; a process loads a compiler once.
inline void useFakeCompiler() {
  setenv("EIN_COMPILER", EIN_FAKE_COMPILER, 1);
  setenv("EIN_CACHE", "0", 1);
}

} // namespace ein::test
