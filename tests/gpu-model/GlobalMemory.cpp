// Bounds, initialisation and races of global memory.
#include "tests/gpu-model/GlobalMemory.h"

namespace ein::gpumodel {

void GlobalMemory::add(GlobalBuffer buffer) {
  auto entry = std::make_unique<Entry>();
  if (buffer.writable || !buffer.initialised) entry->shadow.reset(buffer.bytes, buffer.initialised);
  entry->buffer = std::move(buffer);
  entries.push_back(std::move(entry));
}

void GlobalMemory::endLaunch() {
  for (auto &entry : entries)
    if (entry->buffer.writable) entry->shadow.forget(0, entry->buffer.bytes);
}

GlobalMemory::Entry *GlobalMemory::lookUp(const void *pointer, size_t bytes) {
  auto holds = [&](Entry &e) {
    auto *begin = static_cast<const uint8_t *>(pointer);
    return begin >= e.buffer.data && begin + bytes <= e.buffer.data + e.buffer.bytes;
  };
  if (last && holds(*last)) return last;
  for (auto &entry : entries)
    if (holds(*entry)) return last = entry.get();
  return nullptr;
}

std::optional<Trouble> GlobalMemory::access(const void *pointer, size_t bytes, Access kind, const Actor &actor) {
  Entry *entry = lookUp(pointer, bytes);
  if (!entry) return Trouble{Fault::OutOfBounds, "lies in no buffer", {}};
  if (!entry->buffer.writable) {
    if (kind != Access::Read) return Trouble{Fault::OutOfBounds, "may only be read", {}};
    return std::nullopt;
  }
  return entry->shadow.access(static_cast<const uint8_t *>(pointer) - entry->buffer.data, bytes, kind, actor);
}

std::string GlobalMemory::place(const void *pointer) {
  auto *address = static_cast<const uint8_t *>(pointer);
  std::string nearest = "address outside of all buffers";
  for (auto &entry : entries) {
    const GlobalBuffer &b = entry->buffer;
    if (address >= b.data && address < b.data + b.bytes) return b.name + " + " + std::to_string(address - b.data);
    if (address >= b.data + b.bytes && address < b.data + b.bytes + 4096)
      nearest = std::to_string(address - b.data - b.bytes) + " bytes behind the end of " + b.name;
    if (address < b.data && address + 4096 > b.data)
      nearest = std::to_string(b.data - address) + " bytes before the start of " + b.name;
  }
  return nearest;
}

} // namespace ein::gpumodel
