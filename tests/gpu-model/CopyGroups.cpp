// Groups of asynchronous copies: cp.async, and commits and waits of both kinds.
#include "tests/gpu-model/Operations.h"
#include "tests/gpu-model/Runtime.h"

#include <cstring>

namespace ein::gpumodel {
namespace {

void commit(CopyGroups &groups) { ++groups.current; }

/// Waits until at most `pending` committed groups are under way. With `read` only their reads are.
void retire(Machine &machine, Thread &thread, CopyGroups &groups, uint32_t pending, bool read) {
  uint32_t committed = groups.current - 1;
  uint32_t upTo = committed > pending ? committed - pending : 0;
  for (CopyGroups::Copy &copy : groups.copies) {
    if (copy.group > upTo) continue;
    machine.force(copy.read);
    if (!read) machine.force(copy.write);
  }
  std::erase_if(groups.copies, [&](const CopyGroups::Copy &copy) { return !read && copy.group <= upTo; });
  groups.retired = std::max(groups.retired, upTo);
  if (!groups.readAgent) return;
  thread.clock.raise({groups.readAgent, upTo});
  if (!read) thread.clock.raise({groups.doneAgent, upTo});
}

} // namespace

uint32_t joinGroup(Machine &machine, CopyGroups &groups, const char *kind) {
  Cluster &cluster = *machine.self().block->cluster;
  if (!groups.readAgent) {
    std::string name = std::string(kind) + " of thread " + std::to_string(machine.self().number);
    groups.readAgent = cluster.addAgent(name);
    groups.doneAgent = cluster.addAgent(name);
  }
  groups.last = groups.current;
  return groups.current;
}

void endThreadOfCopies(Machine &machine, Thread &thread) {
  if (thread.bulk.last > thread.bulk.retired)
    machine.report(Fault::Protocol, thread.bulk.site,
                   "the thread ends while a bulk copy may still read its shared memory");
  if (thread.async.last > thread.async.retired)
    machine.report(Fault::Protocol, thread.async.site, "the thread ends without a wait for its cp.async");
}

} // namespace ein::gpumodel

using namespace ein::gpumodel;

extern "C" {

void ein_model_bulk_commit(uint32_t site) { commit(Machine::current().self().bulk); }

void ein_model_bulk_wait(uint32_t site, uint32_t pending, uint32_t read) {
  Machine &machine = Machine::current();
  retire(machine, machine.self(), machine.self().bulk, pending, read);
}

/// Copies `bytes` and fills up to `size` with zeros.
void ein_model_cp_async(uint32_t site, void *destination, void *source, uint32_t size, uint32_t bytes) {
  Machine &machine = Machine::current();
  Thread &thread = machine.self();
  SharedPlace place = machine.sharedPlace(destination, size, site);
  if (!place.block) return;
  if (place.offset % size || reinterpret_cast<uintptr_t>(source) % size)
    return machine.report(Fault::Misaligned, site, "both addresses need " + std::to_string(size) + " bytes' alignment");
  if (bytes > size) return machine.report(Fault::OutOfBounds, site, "copies more bytes than it writes");
  if (bytes) {
    auto trouble = machine.global().access(source, bytes, Access::Read, thread.actor());
    if (trouble) machine.report(site, machine.global().place(source), *trouble);
    if (trouble && trouble->kind == Fault::OutOfBounds) return;
  }
  uint32_t group = joinGroup(machine, thread.async, "cp.async");
  thread.async.site = site;
  // A copy is a write of the thread's, but of an agent that only its wait makes known.
  Actor actor = {thread.clock, {thread.async.doneAgent, group}, thread.block->cluster->number};
  if (auto trouble = place.block->shadow.access(place.offset, size, Access::Write, actor))
    machine.report(site, "shared + " + std::to_string(place.offset), *trouble);
  std::vector<uint8_t> data(size); // read at once: who may overwrite it is a matter of global memory
  std::memcpy(data.data(), source, bytes);
  auto write = [=, block = place.block] { std::memcpy(block->shared + place.offset, data.data(), size); };
  if (machine.eager()) return write();
  thread.async.copies.push_back({group, 0, machine.defer(place.block, true, site, write)});
}

void ein_model_cp_async_commit(uint32_t site) { commit(Machine::current().self().async); }

void ein_model_cp_async_wait(uint32_t site, uint32_t pending) {
  Machine &machine = Machine::current();
  retire(machine, machine.self(), machine.self().async, pending, false);
}

} // extern "C"
