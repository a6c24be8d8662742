// Matrices that a warp holds in fragments: ldmatrix, stmatrix and mma.sync.
#include "tests/gpu-model/Operations.h"
#include "tests/gpu-model/Runtime.h"
#include "tests/gpu-model/WgmmaOperands.h"

#include <bit>
#include <cstring>

using namespace ein::gpumodel;

namespace {

/// The rows of a matrix of 8 by 8 halves: lane 8 * matrix + row gave their addresses.
void *rowOf(const Meeting::Round &round, uint32_t matrix, uint32_t row) {
  return reinterpret_cast<void *>(round.given[matrix * 8 + row][0]);
}

/// The bytes of a row of 16, or null after reporting why there are none.
uint8_t *rowPiece(Machine &machine, void *row, uint32_t at, uint32_t bytes, Access kind, uint32_t site) {
  SharedPlace place = machine.sharedPlace(row, 16, site);
  if (!place.block) return nullptr;
  std::string name = "the row at shared + " + std::to_string(place.offset);
  if (place.offset % 16) {
    machine.report(Fault::Misaligned, site, name + " needs 16 bytes' alignment");
    return nullptr;
  }
  if (auto trouble = place.block->shadow.access(place.offset + at, bytes, kind, machine.self().actor()))
    machine.report(site, name, *trouble);
  return place.block->shared + place.offset + at;
}

/// What mma.sync multiplies, and how its fragments hold it: element `i` of register `r` of A is at row
/// lane / 4 + 8 * (r % (m / 8)), depth lane % 4 * per + i + 4 * per * (r / (m / 8)), with `per` elements a register; B
/// has column lane / 4 and its depths likewise; element i of C is at row lane / 4 + 8 * (i / 2), column
/// lane % 4 * 2 + i % 2.
struct MmaForm {
  uint32_t m, n, k;
  MatrixType a, b;
  uint32_t per() const { return a == MatrixType::F64 ? 1 : 4 / bytesOf(a); }
  uint32_t registersA() const { return m * k / 32 / per(); }
  uint32_t registersB() const { return n * k / 32 / per(); }
  uint32_t registersC() const { return m * n / 32; }
};

double elementOf(uint64_t bits, uint32_t i, MatrixType type) { return decode(type, bits >> 8 * bytesOf(type) * i); }

uint64_t accumulate(MatrixType type, uint64_t bits, double sum) {
  if (type == MatrixType::F64) return std::bit_cast<uint64_t>(std::bit_cast<double>(bits) + sum);
  if (type == MatrixType::S8 || type == MatrixType::U8) return uint32_t(uint32_t(bits) + int32_t(sum));
  return std::bit_cast<uint32_t>(std::bit_cast<float>(uint32_t(bits)) + float(sum));
}

void multiply(const MmaForm &form, Meeting::Round &round) {
  std::vector<double> a(form.m * form.k), b(form.k * form.n);
  uint32_t rows = form.m / 8, per = form.per();
  for (uint32_t lane = 0; lane < 32; ++lane)
    for (uint32_t i = 0; i < per; ++i) {
      for (uint32_t r = 0; r < form.registersA(); ++r)
        a[(lane / 4 + 8 * (r % rows)) * form.k + lane % 4 * per + i + 4 * per * (r / rows)] =
            elementOf(round.given[lane][r], i, form.a);
      for (uint32_t r = 0; r < form.registersB(); ++r)
        b[(lane % 4 * per + i + 4 * per * r) * form.n + lane / 4] =
            elementOf(round.given[lane][form.registersA() + r], i, form.b);
    }
  for (uint32_t lane = 0; lane < 32; ++lane)
    for (uint32_t i = 0; i < form.registersC(); ++i) {
      double sum = 0;
      for (uint32_t k = 0; k < form.k; ++k)
        sum += a[(lane / 4 + 8 * (i / 2)) * form.k + k] * b[k * form.n + lane % 4 * 2 + i % 2];
      round.taken[lane][i] = accumulate(form.a, round.given[lane][form.registersA() + form.registersB() + i], sum);
    }
}

} // namespace

extern "C" {

void ein_model_ldmatrix(uint32_t site, void *pointer, uint32_t count, uint32_t transposed, uint32_t *registers) {
  Machine &machine = Machine::current();
  uint32_t lane = machine.self().lane();
  Meeting::Round &round = meet(machine, ~0u, site, {reinterpret_cast<uint64_t>(pointer)}, {});
  for (uint32_t matrix = 0; matrix < count; ++matrix) {
    uint16_t halves[2] = {};
    for (uint32_t h = 0; h < 2; ++h) {
      uint32_t row = transposed ? lane % 4 * 2 + h : lane / 4, col = transposed ? lane / 4 : lane % 4 * 2 + h;
      if (auto *from = rowPiece(machine, rowOf(round, matrix, row), col * 2, 2, Access::Read, site))
        std::memcpy(&halves[h], from, 2);
    }
    registers[matrix] = halves[0] | uint32_t(halves[1]) << 16;
  }
}

void ein_model_stmatrix(uint32_t site, void *pointer, uint32_t count, uint32_t transposed, uint32_t *registers) {
  Machine &machine = Machine::current();
  uint32_t lane = machine.self().lane();
  Meeting::Round &round = meet(machine, ~0u, site, {reinterpret_cast<uint64_t>(pointer)}, {});
  for (uint32_t matrix = 0; matrix < count; ++matrix)
    for (uint32_t h = 0; h < 2; ++h) {
      uint32_t row = transposed ? lane % 4 * 2 + h : lane / 4, col = transposed ? lane / 4 : lane % 4 * 2 + h;
      uint16_t half = uint16_t(registers[matrix] >> 16 * h);
      if (auto *to = rowPiece(machine, rowOf(round, matrix, row), col * 2, 2, Access::Write, site))
        std::memcpy(to, &half, 2);
    }
}

/// `fragments`: the registers of A, B and C, 64 bits each; those of C become the result's.
void ein_model_mma(uint32_t site, uint32_t m, uint32_t n, uint32_t k, uint32_t typeA, uint32_t typeB, void *fragments) {
  Machine &machine = Machine::current();
  uint32_t lane = machine.self().lane();
  MmaForm form = {m, n, k, MatrixType(typeA), MatrixType(typeB)};
  uint32_t inputs = form.registersA() + form.registersB(), results = form.registersC();
  Registers given = {};
  std::memcpy(given.data(), fragments, (inputs + results) * sizeof(uint64_t));
  Meeting::Round &round = meet(machine, ~0u, site, given, {[&](Meeting::Round &r) { multiply(form, r); }});
  std::memcpy(static_cast<uint64_t *>(fragments) + inputs, round.taken[lane].data(), results * sizeof(uint64_t));
}

} // extern "C"
