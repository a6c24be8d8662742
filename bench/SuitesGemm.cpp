// Suites of plain, small and batched matrix products and of attention scores.
#include "bench/Case.h"

using namespace ein;

namespace bench {

static std::string times(std::initializer_list<int64_t> extents) {
  std::string text;
  for (int64_t extent : extents) text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text;
}

static Case product(std::string suite, int64_t m, int64_t n, int64_t k, DType dtype) {
  std::string label = times({m, n, k}) + " " + std::string(name(dtype));
  return {std::move(suite), std::move(label), "ik,kj->ij", {TensorType(dtype, {m, k}), TensorType(dtype, {k, n})}};
}

std::vector<Case> gemmSuite() {
  std::vector<Case> cases;
  for (DType dtype : {DType::F32, DType::F64}) {
    for (int64_t n : {64, 128, 256, 512, 1024, 2048}) cases.push_back(product("gemm", n, n, n, dtype));
    constexpr int64_t wide = 2048;
    for (int64_t thin : {1, 4, 16, 24}) {
      cases.push_back(product("gemm", thin, wide, wide, dtype));
      cases.push_back(product("gemm", wide, thin, wide, dtype));
      cases.push_back(product("gemm", wide, wide, thin, dtype));
    }
  }
  return cases;
}

std::vector<Case> dtypesSuite() {
  std::vector<Case> cases;
  for (DType dtype :
       {DType::F16, DType::BF16, DType::C64, DType::C128, DType::I8, DType::U8, DType::I16, DType::I32, DType::I64})
    for (int64_t n : {128, 512, 1024}) {
      cases.push_back(product("dtypes", n, n, n, dtype));
      cases.back().comparison = Comparison::RealWork;
    }
  return cases;
}

std::vector<Case> smallSuite() {
  std::vector<Case> cases;
  for (DType dtype : {DType::F32, DType::F64})
    for (int64_t n : {4, 5, 7, 8, 12, 16, 20, 24, 32, 48, 64}) cases.push_back(product("small", n, n, n, dtype));
  return cases;
}

/// The type of an operand written as index letters, for batch b and i, j, k of one extent.
static TensorType typeOf(std::string_view letters, int64_t batch, int64_t extent) {
  std::vector<int64_t> shape;
  for (char letter : letters) shape.push_back(letter == 'b' ? batch : extent);
  return TensorType(DType::F32, shape);
}

std::vector<Case> batchedSuite() {
  struct Spelling {
    const char *left, *right, *result;
  };
  constexpr Spelling spellings[] = {
      {"bij", "bjk", "bik"}, {"bij", "bkj", "bik"}, {"bji", "bjk", "bik"}, {"ibj", "jbk", "ibk"}, {"ijb", "jkb", "ikb"},
  };
  struct Size {
    int64_t batch, extent;
  };
  std::vector<Case> cases;
  for (Size size : {Size{4096, 8}, Size{1024, 16}, Size{512, 32}, Size{128, 64}})
    for (const Spelling &s : spellings) {
      std::string text = std::string(s.left) + "," + s.right + "->" + s.result;
      cases.push_back({"batched",
                       text + " " + std::to_string(size.batch) + "x" + std::to_string(size.extent) + "^3",
                       text,
                       {typeOf(s.left, size.batch, size.extent), typeOf(s.right, size.batch, size.extent)}});
    }
  for (Case &c : tccgBatchCases()) cases.push_back(std::move(c));
  return cases;
}

std::vector<Case> attentionScoresSuite() {
  struct Size {
    int64_t b, h, q, k, d;
  };
  std::vector<Case> cases;
  for (Size s : {Size{4, 8, 512, 512, 64}, Size{2, 12, 1024, 1024, 64}, Size{16, 8, 128, 128, 64},
                 Size{2, 16, 256, 256, 128}, Size{8, 16, 1, 1024, 64}}) {
    const std::string size = " b" + std::to_string(s.b) + " h" + std::to_string(s.h) + " q" + std::to_string(s.q) +
                             " k" + std::to_string(s.k) + " d" + std::to_string(s.d);
    for (std::string text : {"bhqd,bhkd->bhqk", "bqhd,bkhd->bhqk"}) {
      const bool headsOutside = text[1] == 'h';
      TensorType query(DType::F32, headsOutside ? std::vector{s.b, s.h, s.q, s.d} : std::vector{s.b, s.q, s.h, s.d});
      TensorType key(DType::F32, headsOutside ? std::vector{s.b, s.h, s.k, s.d} : std::vector{s.b, s.k, s.h, s.d});
      cases.push_back({"attention-scores", text + size, text, {query, key}});
    }
  }
  return cases;
}

} // namespace bench
