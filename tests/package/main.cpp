// The first example of the README, as a program of its own.
#include <ein/ein.h>
#include <cstdio>

int main() {
  float a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, 0, 2, 1, 0, 3};
  auto c = ein::einsum("ik,kj->ij", {{a, {2, 3}}, {b, {3, 2}}});
  if (!c) {
    std::fputs(c.error().render().c_str(), stderr);
    return 1;
  }
  const float *v = c->data<float>();
  std::printf("%g %g\n%g %g\n", v[0], v[1], v[2], v[3]);
}
