// Keeps what is static in libein-compiler alive at exit, when another thread may still be compiling.

/// Stands in for the C library's: no destructor of a static object in here runs. The library is never unloaded.
extern "C" __attribute__((visibility("hidden"))) int __cxa_atexit(void (*)(void *), void *, void *) { return 0; }
