// Launches and tensor maps: what the hardware takes, and the printed forms.
#include "ein/Launch.h"

#include <cstdio>

namespace ein {

int64_t TensorMapPlan::boxElements() const {
  int64_t n = 1;
  for (const TensorMapDim &d : dims) n *= d.box;
  return n;
}

std::string TensorMapPlan::obstacle(int64_t alignment) const {
  const int64_t bytes = byteSize(type);
  if (dims.empty() || rank() > kMaxRank)
    return std::to_string(rank()) + " dimensions, where TMA takes 1 to " + std::to_string(kMaxRank);
  if (alignment % 16 != 0) return "the address is no multiple of 16 bytes";
  if (dims[0].stride != 1) return "no dimension is contiguous";
  const int64_t row = dims[0].box * bytes;
  if (row % 16 != 0) return "rows of a box of " + std::to_string(row) + " bytes, no multiple of 16";
  if (swizzle != TmaSwizzle::None && row > int64_t(swizzle))
    return "rows of a box of " + std::to_string(row) + " bytes, wider than the swizzle";
  for (const TensorMapDim &d : dims) {
    if (d.box < 1 || d.box > kMaxBox) return "a box of " + std::to_string(d.box) + " elements along a dimension";
    if (d.extent < 1 || d.extent > (int64_t(1) << 32)) return "a dimension of " + std::to_string(d.extent);
  }
  for (size_t i = 1; i < dims.size(); ++i) {
    if (dims[i].stride <= 0 || dims[i].stride * bytes % 16 != 0)
      return "a stride of " + std::to_string(dims[i].stride * bytes) + " bytes, no positive multiple of 16";
    if (dims[i].stride * bytes >= (int64_t(1) << 40)) return "a stride of 2^40 bytes or more";
  }
  return {};
}

std::string TensorMapPlan::str() const {
  std::string s(name(type));
  s += swizzle == TmaSwizzle::None ? " plain [" : " b" + std::to_string(int(swizzle)) + " [";
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i) s += ' ';
    s += std::to_string(dims[i].extent) + ':' + std::to_string(dims[i].stride) + '/' + std::to_string(dims[i].box);
  }
  return s + ']';
}

std::string GpuSlot::str() const {
  std::string s = kind == Kind::Operand ? "operand" : kind == Kind::Result ? "result" : "workspace";
  if (kind != Kind::Workspace) s += std::to_string(number);
  if (offset) s += '+' + std::to_string(offset);
  return s;
}

std::string GpuArgument::str() const {
  switch (kind) {
  case Kind::TensorMap: return "tensor-map " + slot.str() + ' ' + map.str();
  case Kind::Pointer: return "pointer " + slot.str();
  case Kind::I32: return "i32 " + std::to_string(integer);
  case Kind::I64: return "i64 " + std::to_string(integer);
  case Kind::F32: break;
  }
  char text[32];
  std::snprintf(text, sizeof text, "f32 %.9g", real);
  return text;
}

static std::string triple(const std::array<int64_t, 3> &v) {
  return std::to_string(v[0]) + 'x' + std::to_string(v[1]) + 'x' + std::to_string(v[2]);
}

std::string GpuLaunch::str() const {
  std::string s = "launch @" + name + " grid " + triple(grid) + (persistent ? " persistent" : "") + " block " +
                  triple(block) + " cluster " + triple(cluster) + " shared " + std::to_string(sharedBytes) + '\n';
  for (const GpuArgument &a : arguments) s += "  " + a.str() + '\n';
  return s;
}

} // namespace ein
