// Binary form of launches.
#include "runtime/Types/Wire.h"

#include <algorithm>

namespace ein::wire {
namespace {

void write(Writer &w, const std::array<int64_t, 3> &sizes) {
  for (int64_t size : sizes) w.number(size);
}

/// Three numbers from 1 to the limits.
std::array<int64_t, 3> readSizes(Reader &r, const std::array<int64_t, 3> &most) {
  std::array<int64_t, 3> sizes;
  for (size_t i = 0; i < sizes.size(); ++i) {
    sizes[i] = r.number<int64_t>();
    if (sizes[i] < 1 || sizes[i] > most[i]) r.fail();
  }
  return sizes;
}

void write(Writer &w, const TensorMapPlan &map) {
  w.number(static_cast<uint8_t>(map.type));
  w.number(static_cast<uint8_t>(map.swizzle));
  w.list(map.dims, [&](const TensorMapDim &d) {
    w.number(d.extent);
    w.number(d.stride);
    w.number(d.box);
  });
}

TensorMapPlan readTensorMap(Reader &r) {
  TensorMapPlan map;
  map.type = r.enumerator(static_cast<DType>(kDTypes.size() - 1));
  const auto swizzle = r.number<uint8_t>();
  if (swizzle != 0 && swizzle != 32 && swizzle != 64 && swizzle != 128) r.fail();
  map.swizzle = static_cast<TmaSwizzle>(swizzle);
  map.dims = r.list<TensorMapDim>([&] {
    TensorMapDim d;
    d.extent = r.number<int64_t>();
    d.stride = r.number<int64_t>();
    d.box = r.number<int64_t>();
    return d;
  });
  if (!map.obstacle().empty()) r.fail();
  return map;
}

void write(Writer &w, const GpuArgument &argument) {
  w.number(static_cast<uint8_t>(argument.kind));
  w.number(static_cast<uint8_t>(argument.slot.kind));
  w.number<uint32_t>(argument.slot.number);
  w.number(argument.slot.offset);
  if (argument.kind == GpuArgument::Kind::TensorMap) write(w, argument.map);
  w.number(argument.integer);
  w.number(argument.real);
}

GpuArgument readArgument(Reader &r) {
  GpuArgument argument;
  argument.kind = r.enumerator(GpuArgument::Kind::F32);
  argument.slot.kind = r.enumerator(GpuSlot::Kind::Workspace);
  argument.slot.number = r.number<uint32_t>();
  argument.slot.offset = r.number<int64_t>();
  if (argument.kind == GpuArgument::Kind::TensorMap) argument.map = readTensorMap(r);
  argument.integer = r.number<int64_t>();
  argument.real = r.number<double>();
  return argument;
}

} // namespace

void write(Writer &w, const GpuLaunch &launch) {
  w.string(launch.name);
  write(w, launch.grid);
  write(w, launch.block);
  write(w, launch.cluster);
  w.number(launch.sharedBytes);
  w.number(static_cast<uint8_t>(launch.persistent));
  w.list(launch.arguments, [&](const GpuArgument &argument) { write(w, argument); });
}

GpuLaunch readGpuLaunch(Reader &r) {
  GpuLaunch launch;
  launch.name = r.string();
  launch.grid = readSizes(r, {INT32_MAX, UINT16_MAX, UINT16_MAX});
  launch.block = readSizes(r, {1024, 1024, 64});
  launch.cluster = readSizes(r, {16, 16, 16});
  launch.sharedBytes = r.number<int64_t>();
  launch.persistent = r.flag();
  launch.arguments = r.list<GpuArgument>([&] { return readArgument(r); });
  for (size_t i = 0; i < 3; ++i)
    if (launch.cluster[i] < 1 || launch.grid[i] % launch.cluster[i] != 0) r.fail();
  const int64_t threads = launch.block[0] * launch.block[1] * launch.block[2];
  if (threads > 1024 || launch.sharedBytes < 0 || launch.sharedBytes > (int64_t(1) << 20)) r.fail();
  return launch;
}

} // namespace ein::wire
