// A CUDA driver without a GPU, for tests: it records calls, fails where it is told to, and keeps "device" memory on the
// host.
#pragma once

extern "C" {

/// Forgets all calls and failures, and what the device is.
void fakeReset(int computeCapability);
/// The `nth` next call of a function, from 1 on, returns `result`.
void fakeFail(const char *function, int nth, int result);
/// Calls are neither recorded nor failed, and allocate nothing.
void fakeQuiet(bool quiet);
/// All calls so far, one per line: a launch with its kernel, grid, block, shared memory and first argument.
const char *fakeCalls();
/// Contexts, modules, streams, events, links and allocations that are there.
int fakeAlive();
}
