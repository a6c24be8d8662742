// wgmma: products of a warpgroup that run on their own until a wait. An accumulator's register holds a token, a NaN
// that names operation and element, until the value is read; reading it too early is a fault.
#include "tests/gpu-model/Wgmma.h"

#include "tests/gpu-model/Operations.h"
#include "tests/gpu-model/Runtime.h"

#include <bit>

namespace ein::gpumodel {
namespace {

constexpr uint32_t kThreads = 128, kRows = 64;
constexpr uint32_t kTokenMask = 0xffc00000, kToken = 0xff800000; // a negative, signalling NaN; 22 bits are free
constexpr uint32_t kTokenNumbers = (1 << 15) - 1;
constexpr uint32_t kPoison = 0x7fc0dead;

uint32_t tokenOf(size_t operation, uint32_t element) {
  return kToken | uint32_t(operation % kTokenNumbers + 1) << 7 | element;
}

/// The operation that a token names, among the last ones; -1 if `bits` are none.
int64_t operationOf(const Warpgroup &group, uint32_t bits) {
  int64_t number = int64_t(bits >> 7 & 0x7fff) - 1, count = int64_t(group.operations.size());
  if ((bits & kTokenMask) != kToken || number < 0 || number >= count) return -1;
  return number + (count - 1 - number) / kTokenNumbers * kTokenNumbers;
}

Warpgroup *warpgroupOf(Machine &machine, uint32_t site) {
  Thread &thread = machine.self();
  if (thread.number / kThreads < thread.block->warpgroups.size())
    return thread.block->warpgroups[thread.number / kThreads].get();
  machine.report(Fault::Divergence, site, "the thread belongs to no whole warpgroup");
  return nullptr;
}

uint32_t readAccumulator(Machine &machine, Warpgroup &group, uint32_t bits, uint32_t site) {
  int64_t number = operationOf(group, bits);
  if (number < 0) return bits;
  Thread &thread = machine.self();
  const WgmmaOperation &operation = *group.operations[number];
  if (operation.takenBy >= 0 && thread.wgmmaIssued > uint32_t(operation.takenBy)) {
    machine.report(Fault::EarlyRead, site, "reads an accumulator that a later wgmma goes on with");
    return kPoison;
  }
  if (operation.group > thread.wgmmaRetired) {
    machine.report(Fault::EarlyRead, site,
                   "reads an accumulator of wgmma group " + std::to_string(operation.group) + ", but has waited for " +
                       std::to_string(thread.wgmmaRetired) + " groups only");
    return kPoison;
  }
  return operation.values[thread.number % kThreads * operation.form.accumulators() + (bits & 127)];
}

/// A 64 x k or k x n operand as floats, element (mn, k) at k * extent + mn.
void fetch(const Block &block, uint64_t descriptor, uint32_t extent, MatrixType type, bool mnMajor,
           std::vector<float> &out) {
  uint32_t bytes = bytesOf(type), perPiece = 16 / bytes;
  out.assign(extent * (32 / bytes), 0);
  forEachPiece(descriptor, extent, type, mnMajor, [&](OperandPiece piece) {
    const uint8_t *from = block.shared + (piece.address - kSharedWindow);
    float *to = &out[piece.k * extent + piece.mn];
    for (uint32_t i = 0; i < perPiece; ++i, from += bytes, to += mnMajor ? 1 : extent) {
      uint32_t bits = 0;
      for (uint32_t byte = 0; byte < bytes; ++byte) bits |= uint32_t(from[byte]) << 8 * byte;
      *to = float(decode(type, bits));
    }
  });
}

/// The row of A that element pair `pair` of a thread's fragment belongs to.
uint32_t fragmentRow(uint32_t thread, uint32_t pair) { return thread / 32 * 16 + thread % 32 / 4 + pair % 2 * 8; }

/// A in registers: each holds neighbours in k, 4 / bytes of them.
void unpackRegisters(const WgmmaOperation &operation, std::vector<float> &out) {
  uint32_t bytes = bytesOf(operation.form.a), per = 4 / bytes;
  out.assign(kRows * operation.form.k(), 0);
  for (uint32_t thread = 0; thread < kThreads; ++thread)
    for (uint32_t i = 0; i < 4; ++i)
      for (uint32_t j = 0; j < per; ++j) {
        uint32_t k = thread % 4 * per + j + i / 2 * 4 * per;
        uint64_t bits = operation.registers[thread * 4 + i] >> 8 * bytes * j;
        out[k * kRows + fragmentRow(thread, i)] = float(decode(operation.form.a, bits));
      }
}

/// Sums of integers stay exact: products of 8 bits over 32 steps of k are below 2^24.
uint32_t addTo(const WgmmaForm &form, uint32_t bits, float sum) {
  if (form.integer()) return (form.accumulate ? bits : 0) + uint32_t(int32_t(sum));
  return std::bit_cast<uint32_t>((form.accumulate ? std::bit_cast<float>(bits) : 0) + sum);
}

void perform(const Block &block, Warpgroup &group) {
  WgmmaOperation &operation = *group.operations[group.performed++];
  const WgmmaForm &form = operation.form;
  if (operation.parent >= 0) operation.values = std::move(group.operations[operation.parent]->values);
  std::vector<float> a, b, sums(kRows * form.n);
  if (form.registersA)
    unpackRegisters(operation, a);
  else
    fetch(block, operation.descriptorA, kRows, form.a, form.mnMajorA, a);
  fetch(block, operation.descriptorB, form.n, form.b, form.mnMajorB, b);
  for (uint32_t row = 0; row < kRows; ++row)
    for (uint32_t k = 0; k < form.k(); ++k) {
      float factor = (form.negateA != form.negateB ? -1 : 1) * a[k * kRows + row];
      for (uint32_t col = 0; col < form.n; ++col) sums[row * form.n + col] += factor * b[k * form.n + col];
    }
  uint32_t *value = operation.values.data();
  for (uint32_t thread = 0; thread < kThreads; ++thread)
    for (uint32_t i = 0; i < form.accumulators(); ++i, ++value) {
      uint32_t col = i / 4 * 8 + thread % 4 * 2 + i % 2;
      *value = addTo(form, *value, sums[fragmentRow(thread, i / 2) * form.n + col]);
    }
}

/// Marks what an operation will read. One lane of each warp does, with what that warp knows.
void beginReads(Machine &machine, const Warpgroup &group, const WgmmaOperation &operation) {
  Thread &thread = machine.self();
  auto begin = [&](OperandPiece piece) {
    uint32_t offset = piece.address - kSharedWindow;
    if (piece.address < kSharedWindow || offset + 16 > machine.launch().sharedBytes)
      return machine.report(Fault::OutOfBounds, operation.site, "a descriptor leaves the block's shared memory");
    if (auto trouble = thread.block->shadow.beginRead(offset, thread.actor(), {group.agent, operation.group}))
      machine.report(operation.site, "shared + " + std::to_string(offset), *trouble);
  };
  const WgmmaForm &form = operation.form;
  if (!form.registersA) forEachPiece(operation.descriptorA, kRows, form.a, form.mnMajorA, begin);
  forEachPiece(operation.descriptorB, form.n, form.b, form.mnMajorB, begin);
}

/// Takes over accumulators: those of an operation that are all untouched, else their values.
void takeAccumulators(Machine &machine, Warpgroup &group, WgmmaOperation &operation, uint32_t number,
                      const uint32_t *accumulators) {
  Thread &thread = machine.self();
  uint32_t count = operation.form.accumulators();
  int64_t parent = operationOf(group, accumulators[0]);
  for (uint32_t i = 0; i < count && parent >= 0; ++i)
    if (accumulators[i] != tokenOf(parent, i)) parent = -1;
  if (parent >= 0) {
    WgmmaOperation &before = *group.operations[parent];
    if (before.form.accumulators() != count || (before.takenBy >= 0 && before.takenBy != number))
      machine.report(Fault::EarlyRead, operation.site, "accumulates on what another wgmma goes on with");
    else
      before.takenBy = number;
  } else if (!thread.wgmmaFenced) {
    machine.report(Fault::Protocol, operation.site,
                   "accumulators were written by other instructions, and no wgmma.fence stands in between");
  }
  if (operation.issued && parent != operation.parent)
    machine.report(Fault::Divergence, operation.site, "threads of a warpgroup accumulate on different operations");
  operation.parent = parent;
  if (parent >= 0) return;
  for (uint32_t i = 0; i < count; ++i)
    operation.values[thread.number % kThreads * count + i] =
        readAccumulator(machine, group, accumulators[i], operation.site);
}

/// The operation that this thread issues next; the first thread to come makes it.
WgmmaOperation &nextOperation(Machine &machine, Warpgroup &group, const WgmmaOperation &wanted) {
  Thread &thread = machine.self();
  if (thread.wgmmaIssued == group.operations.size()) {
    group.operations.push_back(std::make_unique<WgmmaOperation>(wanted));
    group.operations.back()->values.resize(kThreads * wanted.form.accumulators());
    if (wanted.form.registersA) group.operations.back()->registers.resize(kThreads * 4);
  }
  WgmmaOperation &operation = *group.operations[thread.wgmmaIssued];
  if (!(operation.form == wanted.form) || operation.descriptorA != wanted.descriptorA ||
      operation.descriptorB != wanted.descriptorB || operation.site != wanted.site || operation.group != wanted.group)
    machine.report(Fault::Divergence, wanted.site, "threads of a warpgroup issue different operations");
  return operation;
}

} // namespace

void endThreadOfWgmma(Machine &machine, Thread &thread) {
  size_t group = thread.number / kThreads;
  if (group >= thread.block->warpgroups.size() || thread.wgmmaIssued == 0) return;
  const WgmmaOperation &last = *thread.block->warpgroups[group]->operations[thread.wgmmaIssued - 1];
  if (last.group > thread.wgmmaRetired)
    machine.report(Fault::Protocol, last.site, "the thread ends without a wait for this operation");
}

} // namespace ein::gpumodel

using namespace ein::gpumodel;

extern "C" {

void ein_model_wgmma(uint32_t site, uint32_t *accumulators, uint64_t descriptorA, uint64_t descriptorB, uint32_t n,
                     uint32_t typeA, uint32_t typeB, uint32_t flags, uint32_t a0, uint32_t a1, uint32_t a2,
                     uint32_t a3) {
  Machine &machine = Machine::current();
  Warpgroup *group = warpgroupOf(machine, site);
  if (!group) return;
  Thread &thread = machine.self();
  WgmmaOperation wanted;
  auto flag = [&](WgmmaFlag f) { return (flags & f) != 0; };
  wanted.form = {n,
                 MatrixType(typeA),
                 MatrixType(typeB),
                 flag(kAccumulate),
                 flag(kMnMajorA),
                 flag(kMnMajorB),
                 flag(kNegateA),
                 flag(kNegateB),
                 flag(kRegistersA)};
  wanted.descriptorA = descriptorA;
  wanted.descriptorB = descriptorB;
  wanted.site = site;
  wanted.group = thread.wgmmaGroup;
  WgmmaOperation &operation = nextOperation(machine, *group, wanted);
  if (wanted.form.accumulate) takeAccumulators(machine, *group, operation, thread.wgmmaIssued, accumulators);
  if ((!wanted.form.accumulate || wanted.form.registersA) && !thread.wgmmaFenced)
    machine.report(Fault::Protocol, site, "no wgmma.fence between the last use of its registers and this");
  uint32_t member = thread.number % kThreads, count = wanted.form.accumulators();
  if (wanted.form.registersA) {
    uint32_t registers[4] = {a0, a1, a2, a3};
    std::copy_n(registers, 4, operation.registers.begin() + member * 4);
  }
  if (thread.lane() == 0) beginReads(machine, *group, operation);
  for (uint32_t i = 0; i < count; ++i) accumulators[i] = tokenOf(thread.wgmmaIssued, i);
  ++thread.wgmmaIssued;
  if (++operation.issued < kThreads) return;
  if (machine.eager())
    while (group->performed < thread.wgmmaIssued) perform(*thread.block, *group);
  machine.wake(group->waiters);
}

uint32_t ein_model_accumulator(uint32_t site, uint32_t bits) {
  if ((bits & kTokenMask) != kToken) return bits;
  Machine &machine = Machine::current();
  Warpgroup *group = warpgroupOf(machine, site);
  return group ? readAccumulator(machine, *group, bits, site) : bits;
}

void ein_model_wgmma_fence(uint32_t site) { Machine::current().self().wgmmaFenced = true; }

void ein_model_wgmma_commit(uint32_t site) { ++Machine::current().self().wgmmaGroup; }

void ein_model_wgmma_wait(uint32_t site, uint32_t pending) {
  Machine &machine = Machine::current();
  Warpgroup *group = warpgroupOf(machine, site);
  if (!group) return;
  Thread &thread = machine.self();
  uint32_t committed = thread.wgmmaGroup - 1, upTo = committed > pending ? committed - pending : 0;
  for (; thread.wgmmaWaited < thread.wgmmaIssued; ++thread.wgmmaWaited) {
    uint32_t i = thread.wgmmaWaited;
    if (group->operations[i]->group > upTo) break;
    while (group->operations[i]->issued < kThreads)
      machine.wait(group->waiters, "the other warps of the warpgroup to issue a wgmma", site);
    while (group->performed <= i) perform(*thread.block, *group);
  }
  thread.clock.raise({group->agent, upTo});
  thread.wgmmaRetired = std::max(thread.wgmmaRetired, upTo);
  thread.wgmmaFenced = false;
}

} // extern "C"
