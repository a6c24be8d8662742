// Keeps what is static in libein-compiler alive at exit, when another thread may still be compiling.

/// Stands in for the C library's within libein-compiler, which is never unloaded: no destructor of a static object runs.
extern "C" __attribute__((visibility("hidden"))) int __cxa_atexit(void (*)(void *), void *, void *) { return 0; }
