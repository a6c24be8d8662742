// Binary form of CompiledModule.
#include "ein/Target.h"
#include "runtime/Types/Wire.h"

namespace ein {
namespace wire {

void write(Writer &w, const CompiledModule &module) {
  const auto type = [&](const TensorType &t) { write(w, t); };
  w.string(module.entry);
  w.string(module.key);
  w.list(module.operands, type);
  w.list(module.results, type);
  w.number(module.workspaceBytes);
  w.number(module.threads);
  w.list(module.features, [&](const std::string &feature) { w.string(feature); });
  w.string(module.gpu);
  w.list(module.launches, [&](const GpuLaunch &launch) { write(w, launch); });
  write(w, module.explanation);
  w.string(module.code);
}

/// Whether every argument lies in something that the module has.
static bool launchesFit(const CompiledModule &module) {
  if (module.gpu.empty()) return module.launches.empty();
  if (!findGpu(module.gpu)) return false;
  for (const GpuLaunch &launch : module.launches)
    for (const GpuArgument &argument : launch.arguments) {
      if (argument.kind != GpuArgument::Kind::Pointer && argument.kind != GpuArgument::Kind::TensorMap) continue;
      const GpuSlot &slot = argument.slot;
      if (slot.kind == GpuSlot::Kind::Operand && slot.number >= module.operands.size()) return false;
      if (slot.kind == GpuSlot::Kind::Result && slot.number >= module.results.size()) return false;
      if (slot.kind == GpuSlot::Kind::Workspace && (slot.offset < 0 || slot.offset > module.workspaceBytes))
        return false;
    }
  return true;
}

CompiledModule readModule(Reader &r) {
  const auto type = [&] { return readTensorType(r); };
  CompiledModule module;
  module.entry = r.string();
  module.key = r.string();
  module.operands = r.list<TensorType>(type);
  module.results = r.list<TensorType>(type);
  module.workspaceBytes = r.number<int64_t>();
  module.threads = r.number<int32_t>();
  module.features = r.list<std::string>([&] { return r.string(); });
  module.gpu = r.string();
  module.launches = r.list<GpuLaunch>([&] { return readGpuLaunch(r); });
  module.explanation = readExplanation(r);
  module.code = r.string();
  if (module.workspaceBytes < 0 || module.threads < 1 || !launchesFit(module)) r.fail();
  return module;
}

} // namespace wire

std::string CompiledModule::serialize() const {
  wire::Writer w;
  wire::write(w, *this);
  return w.seal(wire::Kind::Module);
}

Expected<CompiledModule> CompiledModule::deserialize(std::string_view bytes) {
  auto fields = wire::open(wire::Kind::Module, bytes);
  if (!fields) return fields.error();
  wire::Reader r(*fields);
  CompiledModule module = wire::readModule(r);
  if (!r.finished()) return wire::malformed("module");
  return module;
}

} // namespace ein
