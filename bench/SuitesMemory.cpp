// The suite of memory-bound work, and the table of suites.
#include "bench/Case.h"

using namespace ein;

namespace bench {

std::vector<Case> memorySuite() {
  constexpr auto f32 = DType::F32;
  const TensorType matrix(f32, {4096, 4096}), vector(f32, {4096}), cube(f32, {256, 256, 256}),
      rank4(f32, {64, 64, 64, 64}), odd(f32, {64, 32, 64, 128}), line(f32, {1 << 24}),
      rank6(f32, {16, 16, 16, 16, 16, 16});
  auto copy = Comparison::Copy, read = Comparison::Read, blas = Comparison::PermuteGemm;
  struct Row {
    std::string name, text;
    std::vector<TensorType> operands;
    Comparison comparison;
  };
  const Row rows[] = {
      {"transpose ij->ji", "ij->ji", {matrix}, copy},
      {"transpose ij->ji f64", "ij->ji", {TensorType(DType::F64, {4096, 4096})}, copy},
      {"transpose bij->bji", "bij->bji", {cube}, copy},
      {"permute abcd->dbca 64.32.64.128", "abcd->dbca", {odd}, copy},
      {"permute abcd->dcba 64^4", "abcd->dcba", {rank4}, copy},
      {"permute abcd->acbd 64^4", "abcd->acbd", {rank4}, copy},
      {"permute abcd->badc 64^4", "abcd->badc", {rank4}, copy},
      {"permute abcd->cdab 64^4", "abcd->cdab", {rank4}, copy},
      {"permute abcdef->fedcba 16^6", "abcdef->fedcba", {rank6}, copy},
      {"row sums ij->i", "ij->i", {matrix}, read},
      {"column sums ij->j", "ij->j", {matrix}, read},
      {"sum ij->", "ij->", {matrix}, read},
      {"middle sums ijk->ik", "ijk->ik", {cube}, read},
      {"outer sums ijk->j", "ijk->j", {cube}, read},
      {"matvec ij,j->i", "ij,j->i", {matrix, vector}, blas},
      {"matvec ij,i->j", "ij,i->j", {matrix, vector}, blas},
      {"dot i,i->", "i,i->", {line, line}, blas},
      {"dot ij,ij->", "ij,ij->", {matrix, matrix}, blas},
      {"outer i,j->ij", "i,j->ij", {vector, vector}, copy},
      {"hadamard ij,ij->ij", "ij,ij->ij", {matrix, matrix}, copy},
      {"scale columns ij,j->ij", "ij,j->ij", {matrix, vector}, copy},
      {"scale rows ij,i->ij", "ij,i->ij", {matrix, vector}, copy},
      {"broadcast add A + b[j]", "in A: f32[i,j], b: f32[j]\nC[i,j] = A + b\nout C", {matrix, vector}, copy},
      {"broadcast add A + b[i]", "in A: f32[i,j], b: f32[i]\nC[i,j] = A + b\nout C", {matrix, vector}, copy},
  };
  std::vector<Case> cases;
  for (const Row &row : rows) cases.push_back({"memory", row.name, row.text, row.operands, row.comparison});
  return cases;
}

std::vector<Case> casesOf(std::string_view suite) {
  if (suite == "gemm") return gemmSuite();
  if (suite == "small") return smallSuite();
  if (suite == "batched") return batchedSuite();
  if (suite == "tccg") return tccgSuite();
  if (suite == "slow") return slowSuite();
  if (suite == "memory") return memorySuite();
  if (suite == "attention-scores") return attentionScoresSuite();
  if (suite == "attention") return attentionSuite();
  if (suite == "dtypes") return dtypesSuite();
  if (suite == "programs") return programsSuite();
  return {};
}

} // namespace bench
