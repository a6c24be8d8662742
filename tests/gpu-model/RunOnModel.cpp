// Launches: memory, arguments, grids.
#include "tests/gpu-model/RunOnModel.h"

#include "tests/gpu-model/Machine.h"
#include "tests/gpu-model/ModelCode.h"
#include "tests/gpu-model/TensorMap.h"

#include <cstring>
#include <deque>

namespace ein::gpumodel {
namespace {

constexpr int64_t kSharedLimit = 232448; // that a block may ask for on Hopper
constexpr size_t kAlignment = 256, kGuard = 4096;

/// Device memory: aligned as the driver's, with nothing valid around it, poisoned.
class DeviceMemory {
public:
  explicit DeviceMemory(const std::vector<uint8_t> &contents) : storage(contents.size() + 2 * kGuard, 0xff) {
    auto first = reinterpret_cast<uintptr_t>(storage.data()) + kGuard - kAlignment;
    data = reinterpret_cast<uint8_t *>((first + kAlignment - 1) & ~uintptr_t(kAlignment - 1));
    if (!contents.empty()) std::memcpy(data, contents.data(), contents.size());
  }
  uint8_t *data;

private:
  std::vector<uint8_t> storage;
};

/// All memory of the launches of a plan.
class Memories {
public:
  Memories(ModelBuffers &buffers, int64_t workspaceBytes) : buffers(buffers) {
    for (size_t i = 0; i < buffers.operands.size(); ++i) add("operand " + std::to_string(i), buffers.operands[i], true);
    for (size_t i = 0; i < buffers.results.size(); ++i) add("result " + std::to_string(i), buffers.results[i], false);
    add("workspace", {std::vector<uint8_t>(size_t(workspaceBytes), 0xff)}, false);
  }

  /// Null where the plan names memory that is not there.
  uint8_t *at(const GpuSlot &slot) const {
    size_t base = slot.kind == GpuSlot::Kind::Operand  ? 0
                  : slot.kind == GpuSlot::Kind::Result ? buffers.operands.size()
                                                       : buffers.operands.size() + buffers.results.size();
    size_t index = base + slot.number;
    return index < all.size() ? all[index].data + origins[index] + slot.offset : nullptr;
  }
  void storeResults() {
    for (size_t i = 0; i < buffers.results.size(); ++i) {
      std::vector<uint8_t> &result = buffers.results[i].bytes;
      if (!result.empty()) std::memcpy(result.data(), all[buffers.operands.size() + i].data, result.size());
    }
  }

  GlobalMemory global;

private:
  void add(std::string name, const ModelTensor &tensor, bool isOperand) {
    all.emplace_back(tensor.bytes);
    origins.push_back(tensor.origin);
    bool holds = isOperand || (buffers.resultsHold && name != "workspace");
    global.add({std::move(name), all.back().data, tensor.bytes.size(), !isOperand, holds});
  }

  ModelBuffers &buffers;
  std::vector<DeviceMemory> all;
  std::vector<int64_t> origins;
};

TensorMap encode(const TensorMapPlan &plan, uint8_t *data) {
  TensorMap map;
  map.data = data;
  map.type = plan.type;
  map.elementBytes = uint32_t(byteSize(plan.type));
  map.rank = plan.rank();
  for (unsigned i = 0; i < plan.rank(); ++i) {
    map.extents[i] = plan.dims[i].extent;
    map.strides[i] = plan.dims[i].stride * byteSize(plan.type);
    map.box[i] = uint32_t(plan.dims[i].box);
  }
  map.swizzle = uint32_t(plan.swizzle);
  return map;
}

/// The arguments of one launch, where a kernel's entry finds them.
class Arguments {
public:
  Expected<void> add(const GpuArgument &argument, const Memories &memories) {
    Value &value = values.emplace_back();
    using Kind = GpuArgument::Kind;
    if (argument.kind == Kind::TensorMap || argument.kind == Kind::Pointer) {
      value.pointer = memories.at(argument.slot);
      if (!value.pointer) return makeError(ErrorCode::Run, "no memory for " + argument.slot.str());
    }
    switch (argument.kind) {
    case Kind::TensorMap:
      if (std::string why = argument.map.obstacle(); !why.empty())
        return makeError(ErrorCode::Run, "tensor map " + argument.map.str() + ": " + why);
      if (reinterpret_cast<uintptr_t>(value.pointer) % 16)
        return makeError(ErrorCode::Run, "the address of a tensor map is no multiple of 16");
      value.map = encode(argument.map, value.pointer);
      value.pointer = reinterpret_cast<uint8_t *>(&value.map);
      break;
    case Kind::Pointer: break;
    case Kind::I32: value.i32 = int32_t(argument.integer); break;
    case Kind::I64: value.i64 = argument.integer; break;
    case Kind::F32: value.f32 = float(argument.real); break;
    }
    return {};
  }
  std::vector<void *> pointers() {
    std::vector<void *> all;
    for (Value &value : values) all.push_back(&value.pointer);
    return all;
  }

private:
  struct Value {
    union {
      uint8_t *pointer = nullptr;
      int32_t i32;
      int64_t i64;
      float f32;
    };
    TensorMap map;
  };
  std::deque<Value> values; // maps stay where they are
};

std::array<uint32_t, 3> extents(const std::array<int64_t, 3> &v) {
  return {uint32_t(v[0]), uint32_t(v[1]), uint32_t(v[2])};
}

} // namespace

struct ModelProgram::State {
  ModelModule module;
  std::unique_ptr<ModelCode> code;
};

ModelProgram::ModelProgram(std::unique_ptr<State> state) : state(std::move(state)) {}
ModelProgram::~ModelProgram() = default;

Expected<std::unique_ptr<ModelProgram>> ModelProgram::compile(mlir::gpu::GPUModuleOp kernels) {
  auto module = lowerToModel(kernels);
  if (!module) return module.error();
  auto code = ModelCode::compile(*module->module);
  if (!code) return code.error();
  auto state = std::make_unique<State>(State{std::move(*module), std::move(*code)});
  return std::unique_ptr<ModelProgram>(new ModelProgram(std::move(state)));
}

/// The shape of a launch; an error where no GPU would take it.
static Expected<MachineLaunch> machineLaunch(const GpuLaunch &launch, uint32_t staticBytes, int64_t multiprocessors) {
  MachineLaunch machine;
  machine.grid = extents(launch.grid);
  machine.block = extents(launch.block);
  machine.cluster = extents(launch.cluster);
  auto refuse = [&](std::string why) { return makeError(ErrorCode::Run, launch.name + ": " + why); };
  if (launch.persistent && launch.cluster[0] > 0)
    machine.grid[0] = uint32_t(std::min(launch.grid[0], multiprocessors / launch.cluster[0] * launch.cluster[0]));
  for (unsigned i = 0; i < 3; ++i)
    if (machine.cluster[i] == 0 || machine.grid[i] == 0 || machine.grid[i] % machine.cluster[i])
      return refuse("the grid is empty or no multiple of the cluster");
  int64_t threads = launch.block[0] * launch.block[1] * launch.block[2];
  if (threads < 1 || threads > 1024) return refuse("blocks of " + std::to_string(threads) + " threads");
  if (launch.grid[1] > 65535 || launch.grid[2] > 65535) return refuse("the grid is too large along y or z");
  int64_t shared = launch.sharedBytes + staticBytes;
  if (shared > kSharedLimit) return refuse(std::to_string(shared) + " bytes of shared memory");
  machine.sharedBytes = uint32_t(shared + 15) / 16 * 16;
  return machine;
}

Expected<Report> ModelProgram::run(const std::vector<GpuLaunch> &launches, int64_t workspaceBytes,
                                   ModelBuffers &buffers, uint32_t seed, int64_t multiprocessors) {
  Memories memories(buffers, workspaceBytes);
  Report report;
  for (const GpuLaunch &launch : launches) {
    auto *entry = state->code->entry(launch.name);
    if (!entry) return makeError(ErrorCode::Run, "the module has no kernel " + launch.name);
    auto machine = machineLaunch(launch, state->module.sharedBytes, multiprocessors);
    if (!machine) return machine.error();
    Arguments arguments;
    for (const GpuArgument &argument : launch.arguments)
      if (auto added = arguments.add(argument, memories); !added) return added.error();
    std::vector<void *> pointers = arguments.pointers();
    machine->entry = [&] { entry(pointers.data()); };
    report.merge(Machine(*machine, memories.global, state->module.sites, seed).run());
    memories.global.endLaunch();
  }
  memories.storeResults();
  return report;
}

} // namespace ein::gpumodel
