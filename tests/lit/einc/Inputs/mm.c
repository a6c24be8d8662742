// Calls the library of compile-library.test from C: values, refusals, threads.
#include "mm.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#if MM_WORKSPACE_BYTES == 0
#error "choose shapes whose kernel needs a workspace"
#endif

enum { I = 20, K = 30, J = 17 };
static float a[I * K], b[K * J];
static _Alignas(64) char workspace[MM_WORKSPACE_BYTES];

// Small integers: every order of summation gives the same.
static int wrong(const float *c) {
  int count = 0;
  for (int i = 0; i < I; ++i)
    for (int j = 0; j < J; ++j) {
      float sum = 0;
      for (int k = 0; k < K; ++k) sum += a[i * K + k] * b[k * J + j];
      count += c[i * J + j] != sum;
    }
  return count;
}

static void *manyCalls(void *unused) {
  float c[I * J];
  intptr_t bad = 0;
  for (int n = 0; n < 1000; ++n) {
    for (int x = 0; x < I * J; ++x) c[x] = -1;
    bad += mm(a, b, c) != 0 || wrong(c) != 0;
  }
  (void)unused;
  return (void *)bad;
}

int main(void) {
  float c[I * J] = {0}, d[I * J] = {0};
  for (int x = 0; x < I * K; ++x) a[x] = (float)(x % 7 - 3);
  for (int x = 0; x < K * J; ++x) b[x] = (float)(x % 5 - 2);
  const int status = mm(a, b, c), statusWs = mm_ws(a, b, d, workspace);
  printf("mm %d wrong %d\n", status, wrong(c));
  printf("mm_ws %d wrong %d\n", statusWs, wrong(d));
  printf("null %d %d %d\n", mm(NULL, b, c), mm(a, b, NULL), mm_ws(a, b, c, NULL));
  printf("misaligned %d %d\n", mm((const float *)((const char *)a + 1), b, c), mm_ws(a, b, c, workspace + 4));
  const void *operands[] = {a, b};
  void *results[] = {d};
  mm_kernel((void *const *)operands, results, workspace);
  printf("mm_kernel wrong %d\n", wrong(d));
  pthread_t threads[8];
  intptr_t bad = 0;
  for (int t = 0; t < 8; ++t) pthread_create(&threads[t], NULL, manyCalls, NULL);
  for (int t = 0; t < 8; ++t) {
    void *one;
    pthread_join(threads[t], &one);
    bad += (intptr_t)one;
  }
  printf("threads wrong %d\n", (int)bad);
  return 0;
}
