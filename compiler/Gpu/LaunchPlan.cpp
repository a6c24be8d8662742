// Launch plans as text.
#include "compiler/Gpu/LaunchPlan.h"

#include <cstdio>

namespace ein {

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

std::string LaunchPlan::str() const {
  std::string s = "workspace " + std::to_string(workspaceBytes) + '\n';
  for (const GpuLaunch &l : launches) s += l.str();
  return s;
}

} // namespace ein
