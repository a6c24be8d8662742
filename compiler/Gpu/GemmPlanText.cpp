// Gemm plans as text, and back.
#include "compiler/Gpu/GemmPlan.h"

#include <charconv>
#include <cstdio>

namespace ein {

static std::string text(const GemmDims &dims) {
  std::string s = "[";
  for (const GemmDim &d : dims) {
    if (s.size() > 1) s += ' ';
    s += std::to_string(d.extent) + ':' + std::to_string(d.strides[0]) + ',' + std::to_string(d.strides[1]) + ',' +
         std::to_string(d.strides[2]) + '/' + std::to_string(d.tile);
  }
  return s + ']';
}

static const char *text(GemmMajor major) { return major == GemmMajor::K ? "k" : "mn"; }

std::string GemmPlan::str() const {
  char factor[32];
  std::snprintf(factor, sizeof factor, "%.17g", alpha);
  auto number = [](const char *word, int64_t value) { return std::string(" ") + word + '=' + std::to_string(value); };
  return "gemm input=" + std::string(name(input)) + " result=" + std::string(name(result)) +
         number("swapped", swapped) + " batch=" + text(batch) + " m=" + text(m) + " n=" + text(n) + " k=" + text(k) +
         " a=" + text(majorA) + " b=" + text(majorB) +
         " epilogue=" + (epilogue == GemmEpilogue::Tensor ? "tensor" : "direct") + number("consumers", consumers) +
         number("stages", stages) + number("cluster", cluster) + number("split", split) + number("pair", pair) +
         number("raster", raster) + " alpha=" + factor;
}

uint64_t GemmPlan::hash() const {
  uint64_t h = 0xcbf29ce484222325; // FNV-1a
  for (char c : str()) h = (h ^ uint8_t(c)) * 0x100000001b3;
  return h;
}

namespace {

/// Walks over the text; the first word that does not fit stays as `wrong`.
struct GemmPlanReader {
  std::string_view rest;
  std::string wrong;

  bool fail(std::string what) {
    if (wrong.empty()) wrong = std::move(what);
    return false;
  }
  bool take(std::string_view word) {
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  }
  template <class T> bool number(T &value) {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc()) return fail("no number at '" + std::string(rest.substr(0, 16)) + "'");
    rest.remove_prefix(size_t(end - rest.data()));
    return true;
  }
  bool key(std::string_view word) {
    return (take(" ") && take(word) && take("=")) || fail("no '" + std::string(word) + "='");
  }
  bool field(std::string_view word, int64_t &value) { return key(word) && number(value); }
  bool field(std::string_view word, DType &value) {
    if (!key(word)) return false;
    const std::string_view type = rest.substr(0, rest.find(' '));
    const auto parsed = parseDType(type);
    if (!parsed) return fail("no dtype '" + std::string(type) + "'");
    value = *parsed;
    return take(type);
  }
  bool field(std::string_view word, GemmMajor &value) {
    if (!key(word)) return false;
    value = take("mn") ? GemmMajor::MN : GemmMajor::K;
    return value == GemmMajor::MN || take("k") || fail("neither k nor mn");
  }
  bool field(std::string_view word, GemmEpilogue &value) {
    if (!key(word)) return false;
    value = take("tensor") ? GemmEpilogue::Tensor : GemmEpilogue::Direct;
    return value == GemmEpilogue::Tensor || take("direct") || fail("neither tensor nor direct");
  }
  bool field(std::string_view word, GemmDims &dims) {
    if (!key(word) || !(take("[") || fail("no '['"))) return false;
    while (!take("]")) {
      GemmDim &d = dims.emplace_back();
      take(" ");
      if (!number(d.extent) || !(take(":") || fail("no ':'"))) return false;
      for (int64_t &stride : d.strides)
        if (!number(stride) || !(take(&stride == &d.strides.back() ? "/" : ",") || fail("no stride"))) return false;
      if (!number(d.tile)) return false;
    }
    return true;
  }
};

} // namespace

Expected<GemmPlan> parseGemmPlan(std::string_view text) {
  GemmPlan p;
  GemmPlanReader r{text, {}};
  int64_t swapped = 0;
  if (!r.take("gemm")) r.fail("no 'gemm'");
  if (r.wrong.empty() && r.field("input", p.input) && r.field("result", p.result) && r.field("swapped", swapped) &&
      r.field("batch", p.batch) && r.field("m", p.m) && r.field("n", p.n) && r.field("k", p.k) &&
      r.field("a", p.majorA) && r.field("b", p.majorB) && r.field("epilogue", p.epilogue) &&
      r.field("consumers", p.consumers) && r.field("stages", p.stages) && r.field("cluster", p.cluster) &&
      r.field("split", p.split) && r.field("pair", p.pair) && r.field("raster", p.raster) && r.key("alpha") &&
      r.number(p.alpha) && !r.rest.empty())
    r.fail("more after the plan: '" + std::string(r.rest.substr(0, 16)) + "'");
  p.swapped = swapped != 0;
  if (r.wrong.empty()) r.wrong = p.obstacle();
  if (!r.wrong.empty()) return makeError(ErrorCode::Syntax, "not a gemm plan: " + r.wrong, "what GemmPlan::str writes");
  return p;
}

} // namespace ein
