// Elementary functions of compiled kernels, held to a few units in the last place of long double's libm.
#include "ein/Engine.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <type_traits>

using namespace ein;

namespace {

/// `maxUlp` is the promise of docs/numerics.md; a correctly rounded function has half a unit.
struct Function {
  const char *name;
  long double (*exact)(long double);
  double low, high; ///< where its results are neither constant nor overflowing
  double maxUlp;
};
/// From 2^20 on sin and cos are not computed.
long double sine(long double x) {
  return std::abs(x) <= 0x1p20L ? std::sin(x) : std::numeric_limits<double>::quiet_NaN();
}
long double cosine(long double x) {
  return std::abs(x) <= 0x1p20L ? std::cos(x) : std::numeric_limits<double>::quiet_NaN();
}
constexpr Function kFunctions[] = {{"exp", std::exp, -746, 711, 4}, {"log", std::log, 0, 4, 4},
                                   {"tanh", std::tanh, -22, 22, 4}, {"exp2", std::exp2, -1076, 1025, 2},
                                   {"erf", std::erf, -7, 7, 2},     {"sin", sine, -100, 100, 2},
                                   {"cos", cosine, -100, 100, 2},   {"sqrt", std::sqrt, 0, 4, 0.51}};

template <class T> using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
template <class T> using Limits = std::numeric_limits<T>;

/// Zeros, infinities, NaN, subnormals, the edges of overflow and underflow, and what lies beside each.
template <class T> std::vector<T> specials() {
  std::vector<T> points = {0,
                           Limits<T>::denorm_min(),
                           Limits<T>::min(),
                           Limits<T>::max(),
                           Limits<T>::infinity(),
                           Limits<T>::quiet_NaN(),
                           1,
                           2,
                           20,
                           88.0f,
                           T(std::log(2.0) / 2),
                           T(std::sqrt(0.5)),
                           std::log(Limits<T>::max()),
                           std::log(Limits<T>::min()),
                           std::log(Limits<T>::denorm_min())};
  const size_t plain = points.size();
  for (size_t i = 0; i < plain; ++i)
    for (T toward : {-Limits<T>::infinity(), Limits<T>::infinity()}) {
      T x = points[i];
      for (int step = 0; step < 4; ++step) points.push_back(x = std::nextafter(x, toward));
    }
  const size_t positive = points.size();
  for (size_t i = 0; i < positive; ++i) points.push_back(-points[i]);
  return points;
}

/// Special points, every binade through all bit patterns, and dense samples where the function works.
template <class T> std::vector<T> samples(const Function &f, size_t count) {
  std::vector<T> points = specials<T>();
  std::mt19937_64 random(42);
  for (size_t i = 0; i < count; ++i) points.push_back(std::bit_cast<T>(Bits<T>(random())));
  std::uniform_real_distribution<double> dense(f.low, f.high), small(-1, 1);
  for (size_t i = 0; i < count; ++i) points.push_back(T(dense(random)));
  for (size_t i = 0; i < count; ++i) points.push_back(T(1 + small(random) * 0.5));
  for (size_t i = 0; i < count; ++i) points.push_back(T(small(random)));
  return points;
}

/// Distance in units of the last place of the exact result; infinite where one is special and the other not.
template <class T> double ulps(T got, long double exact) {
  const T rounded = T(exact);
  if (std::isnan(rounded)) return std::isnan(got) ? 0 : INFINITY;
  if (std::isinf(rounded) || std::isinf(got)) {
    // At the very edge of overflow either neighbour is within a unit.
    const bool edge = std::abs(exact) > (long double)(Limits<T>::max()) * (1 - Limits<T>::epsilon());
    return got == rounded || (edge && std::abs(got) >= std::nextafter(Limits<T>::max(), T(0))) ? 0 : INFINITY;
  }
  if (exact == 0) return got == 0 && std::signbit(got) == std::signbit(exact) ? 0 : INFINITY;
  int exponent;
  std::frexp(exact, &exponent);
  const long double unit = std::ldexp(1.0L, std::max(exponent, Limits<T>::min_exponent) - Limits<T>::digits);
  return double(std::abs((long double)(got)-exact) / unit);
}

template <class T> std::vector<T> evaluate(const Function &f, const std::vector<T> &x, const std::string &target) {
  const std::string dtype(name(DTypeOf<T>::value));
  const std::string text = "in A: " + dtype + "[i]\nB = " + f.name + "(A)\nout B";
  CompileOptions options;
  options.target = *Target::parse(target);
  options.threads = 1;
  std::vector<T> y(x.size());
  TensorView in(const_cast<T *>(x.data()), {int64_t(x.size())}), out(y.data(), {int64_t(y.size())});
  auto ok = Engine::global().run(text, std::span(&in, 1), std::span(&out, 1), options);
  if (!ok) ADD_FAILURE() << ok.error().render();
  return y;
}

/// The worst distance over all samples, and where it is.
template <class T> void measure(const Function &f, const std::string &target, size_t count) {
  const std::vector<T> x = samples<T>(f, count), y = evaluate(f, x, target);
  double worst = 0;
  size_t place = 0;
  for (size_t i = 0; i < x.size(); ++i)
    if (const double d = ulps(y[i], f.exact(x[i])); d > worst) worst = d, place = i;
  testing::Test::RecordProperty(f.name, std::to_string(worst));
  EXPECT_LE(worst, f.maxUlp) << f.name << "(" << x[place] << ") is " << y[place] << ", exactly "
                             << double(f.exact(x[place])) << ", for " << target;
}

bool runs(const char *target) {
  const std::string name = target;
  if (name == "host:x86-64-v4") return __builtin_cpu_supports("x86-64-v4");
  if (name == "host:x86-64-v3") return __builtin_cpu_supports("x86-64-v3");
  return true;
}

class Math : public testing::TestWithParam<const char *> {};

/// Numbers: --gtest_output=json writes the worst distance of each function.
TEST_P(Math, F32) {
  if (!runs(GetParam())) GTEST_SKIP() << "this CPU does not have " << GetParam();
  for (const Function &f : kFunctions) measure<float>(f, GetParam(), 1 << 18);
}

TEST_P(Math, F64) {
  if (!runs(GetParam())) GTEST_SKIP() << "this CPU does not have " << GetParam();
  for (const Function &f : kFunctions) measure<double>(f, GetParam(), 1 << 18);
}

INSTANTIATE_TEST_SUITE_P(Targets, Math, testing::Values("host", "host:x86-64-v4", "host:x86-64-v3", "host:x86-64-v2"),
                         [](const auto &info) {
                           std::string name = info.param;
                           for (char &c : name)
                             if (c == ':' || c == '-') c = '_';
                           return name;
                         });

} // namespace
