// The tensor memory accelerator: boxes of tensors between global and shared memory, at some later moment.
#include "tests/gpu-model/Operations.h"
#include "tests/gpu-model/Runtime.h"
#include "tests/gpu-model/TensorMap.h"
#include "tests/gpu-model/WgmmaOperands.h"

#include <cstring>

using namespace ein;
using namespace ein::gpumodel;

namespace {

using Coordinates = std::array<int32_t, 5>;

/// Calls `visit(offset in the box, element in global memory or null)` for each element.
template <class Visit> void forEachElement(const TensorMap &map, const Coordinates &corner, Visit visit) {
  std::array<uint32_t, 5> at = {};
  for (uint32_t offset = 0; offset < map.boxBytes(); offset += map.elementBytes) {
    uint8_t *element = map.data;
    for (uint32_t d = 0; d < map.rank && element; ++d) {
      int64_t position = int64_t(corner[d]) + at[d];
      element = position >= 0 && position < map.extents[d] ? element + position * map.strides[d] : nullptr;
    }
    visit(offset, element);
    for (uint32_t d = 0; d < 5 && ++at[d] == map.box[d]; ++d) at[d] = 0;
  }
}

/// Where a byte of a box that begins at `base` lies in shared memory.
uint32_t placeOf(const TensorMap &map, uint32_t base, uint32_t offset) {
  return swizzled(kSharedWindow + base + offset, map.swizzle) - kSharedWindow;
}

const TensorMap *mapAt(Machine &machine, const void *pointer, uint32_t rank, uint32_t site) {
  auto *map = static_cast<const TensorMap *>(pointer);
  if (map->mark != TensorMap::kMark) {
    machine.report(Fault::Protocol, site, "the descriptor is no tensor map");
    return nullptr;
  }
  if (map->rank != rank) {
    machine.report(Fault::Protocol, site,
                   std::to_string(rank) + " coordinates for a tensor map of rank " + std::to_string(map->rank));
    return nullptr;
  }
  return map;
}

/// A box of shared memory that a transfer may use; no block after reporting that it may not.
SharedPlace boxPlace(Machine &machine, const TensorMap &map, const void *pointer, uint32_t site) {
  SharedPlace place = machine.sharedPlace(pointer, map.boxBytes(), site);
  if (place.block && place.offset % 128) {
    machine.report(Fault::Misaligned, site,
                   "shared + " + std::to_string(place.offset) + ": TMA needs 128 bytes' alignment");
    return {};
  }
  return place;
}

std::string placeName(uint32_t offset) { return "shared + " + std::to_string(offset); }

/// Pieces of a box, whatever its swizzle: swizzles permute within it, or it is not aligned to them.
template <class Visit> void forEachPieceOfBox(const TensorMap &map, uint32_t base, Visit visit) {
  for (uint32_t offset = 0; offset < map.boxBytes(); offset += SharedShadow::kPiece)
    visit(placeOf(map, base, offset) / SharedShadow::kPiece * SharedShadow::kPiece);
}

void land(Machine &machine, const TensorMap &map, Coordinates corner, uint32_t base,
          const std::vector<Block *> &targets) {
  forEachElement(map, corner, [&](uint32_t offset, const uint8_t *element) {
    uint32_t to = placeOf(map, base, offset);
    for (Block *target : targets)
      if (element)
        std::memcpy(target->shared + to, element, map.elementBytes);
      else
        std::memset(target->shared + to, 0, map.elementBytes);
  });
  for (Block *target : targets) forEachPieceOfBox(map, base, [&](uint32_t piece) { target->shadow.endWrite(piece); });
}

template <class T> void addTo(uint8_t *to, const uint8_t *from) {
  T sum, term;
  std::memcpy(&sum, to, sizeof(T));
  std::memcpy(&term, from, sizeof(T));
  sum += term;
  std::memcpy(to, &sum, sizeof(T));
}

void addElement(DType type, uint8_t *to, const uint8_t *from) {
  switch (type) {
  case DType::F64: return addTo<double>(to, from);
  case DType::F32: return addTo<float>(to, from);
  case DType::I64: return addTo<int64_t>(to, from);
  default: return addTo<int32_t>(to, from);
  }
}

/// Writes a box of shared memory that was read before to global memory.
void writeOut(Machine &machine, const TensorMap &map, Coordinates corner, const std::vector<uint8_t> &box, bool add,
              const Actor &actor, uint32_t site) {
  forEachElement(map, corner, [&](uint32_t offset, uint8_t *element) {
    if (!element) return;
    auto trouble = machine.global().access(element, map.elementBytes, add ? Access::Atomic : Access::Write, actor);
    if (trouble) machine.report(site, machine.global().place(element), *trouble);
    if (trouble && trouble->kind == Fault::OutOfBounds) return;
    if (add)
      addElement(map.type, element, box.data() + offset);
    else
      std::memcpy(element, box.data() + offset, map.elementBytes);
  });
}

} // namespace

extern "C" {

void ein_model_tma_load(uint32_t site, void *destination, void *descriptor, void *barrierPointer, uint32_t rank,
                        int32_t c0, int32_t c1, int32_t c2, int32_t c3, int32_t c4, uint32_t multicast) {
  Machine &machine = Machine::current();
  Thread &thread = machine.self();
  const TensorMap *map = mapAt(machine, descriptor, rank, site);
  if (!map) return;
  SharedPlace place = boxPlace(machine, *map, destination, site);
  SharedPlace counted = machine.sharedPlace(barrierPointer, 8, site);
  MBarrier *barrier = barrierAt(machine, counted, site);
  if (!place.block || !barrier) return;
  if (!barrier->fenced)
    machine.report(Fault::Protocol, site, "the mbarrier was initialised without a fence that TMA sees it by");
  std::vector<std::pair<Block *, uint32_t>> targets; // with the phase of the barrier there
  auto &blocks = thread.block->cluster->blocks;
  for (uint32_t rank = 0; rank < 16; ++rank) {
    if (!(multicast >> rank & 1)) continue;
    if (rank < blocks.size())
      targets.push_back({blocks[rank].get(), 0});
    else
      machine.report(Fault::Protocol, site, "the multicast mask names a block that the cluster does not have");
  }
  if (!multicast) targets.push_back({place.block, 0});
  for (auto &[target, phase] : targets) {
    // In each block the barrier of the same place counts.
    MBarrier *own = barrierAt(machine, {target, counted.offset}, site);
    if (!own) return;
    if (!target->live) machine.report(Fault::Protocol, site, "writes to the shared memory of a block that has ended");
    phase = own->phase;
    if (target != thread.block) {
      target->uses.raise({own->agent, phase + 1});
      target->usedAt = site;
    }
    forEachPieceOfBox(*map, place.offset, [&, to = target](uint32_t piece) {
      if (auto trouble = to->shadow.beginWrite(piece, thread.actor(), {own->agent, own->phase + 1}))
        machine.report(site, placeName(piece), *trouble);
    });
  }
  Coordinates corner = {c0, c1, c2, c3, c4};
  for (auto [target, phase] : targets)
    machine.defer(target, true, site, [=, &machine, to = target, at = phase, offset = counted.offset] {
      land(machine, *map, corner, place.offset, {to});
      completeTransfer(machine, *to, offset, at, map->boxBytes(), site);
    });
}

void ein_model_tma_store(uint32_t site, void *descriptor, void *source, uint32_t rank, int32_t c0, int32_t c1,
                         int32_t c2, int32_t c3, int32_t c4, uint32_t add) {
  Machine &machine = Machine::current();
  const TensorMap *map = mapAt(machine, descriptor, rank, site);
  if (!map) return;
  SharedPlace place = boxPlace(machine, *map, source, site);
  if (!place.block) return;
  Thread &thread = machine.self();
  uint32_t group = joinGroup(machine, thread.bulk, "bulk copies");
  thread.bulk.site = site;
  forEachPieceOfBox(*map, place.offset, [&](uint32_t piece) {
    if (auto trouble = place.block->shadow.beginRead(piece, thread.actor(), {thread.bulk.readAgent, group}))
      machine.report(site, placeName(piece), *trouble);
  });
  Coordinates corner = {c0, c1, c2, c3, c4};
  CopyGroups::Copy copy{group, 0, 0};
  // What the store knows to have happened is what its thread knew.
  auto clock = std::make_shared<VectorClock>(thread.clock);
  uint32_t agent = thread.bulk.doneAgent, cluster = thread.block->cluster->number;
  auto box = std::make_shared<std::vector<uint8_t>>(map->boxBytes());
  copy.read = machine.defer(place.block, false, site, [=, block = place.block] {
    for (uint32_t offset = 0; offset < map->boxBytes(); offset += map->elementBytes)
      std::memcpy(box->data() + offset, block->shared + placeOf(*map, place.offset, offset), map->elementBytes);
  });
  copy.write = machine.defer(place.block, false, site, [=, &machine] {
    machine.force(copy.read);
    writeOut(machine, *map, corner, *box, add, {*clock, {agent, group}, cluster}, site);
  });
  thread.bulk.copies.push_back(copy);
}

} // extern "C"
