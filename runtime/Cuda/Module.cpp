// Loading and launching of kernels.
#include "runtime/Cuda/Module.h"
#include "runtime/ViewChecks.h"

#include <algorithm>

namespace ein {

Expected<std::string> compilePtx(const CudaContext &context, const std::string &ptx) {
  const CudaContext::Scope scope(context);
  const cuda::Driver &driver = context.driver;
  std::array<char, 4096> log{};
  int names[] = {cuda::JIT_ERROR_LOG_BUFFER, cuda::JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size() - 1)};
  cuda::LinkHandle link = nullptr;
  if (auto r = driver.linkCreate(2, names, values, &link)) return context.failure("cuLinkCreate", r);
  auto failure = [&](const char *call, cuda::Result r) {
    Error error = makeError(ErrorCode::Compile, "the driver does not compile the kernels: " + driver.describe(call, r));
    if (log[0]) error.notes.push_back(log.data());
    driver.linkDestroy(link);
    return error;
  };
  std::string text = ptx; // with its terminating zero
  void *cubin = nullptr;
  size_t size = 0;
  if (auto r = driver.linkAddData(link, cuda::JIT_INPUT_PTX, text.data(), text.size() + 1, "ein", 0, nullptr, nullptr))
    return failure("cuLinkAddData", r);
  if (auto r = driver.linkComplete(link, &cubin, &size)) return failure("cuLinkComplete", r);
  std::string result(static_cast<const char *>(cubin), size); // the driver's copy goes with the link
  driver.linkDestroy(link);
  return result;
}

Error CudaModule::failure(const char *call, cuda::Result result, const std::string &kernel) const {
  Error error =
      makeError(ErrorCode::Run, "kernel " + kernel + " cannot be run: " + context->driver.describe(call, result));
  error.notes.push_back("it is of " + compiled.key);
  return error;
}

Expected<std::shared_ptr<const CudaModule>> CudaModule::load(std::shared_ptr<CudaContext> context,
                                                             CompiledModule module, const std::string &cubin) {
  std::shared_ptr<CudaModule> loaded(new CudaModule(std::move(context), std::move(module)));
  if (loaded->compiled.launches.empty()) return std::shared_ptr<const CudaModule>(std::move(loaded));
  const CudaContext::Scope scope(*loaded->context);
  if (auto r = loaded->context->driver.moduleLoadData(&loaded->handle, cubin.data()))
    return loaded->context->failure("cuModuleLoadData", r);
  if (auto found = loaded->findFunctions(); !found) return found.error();
  return std::shared_ptr<const CudaModule>(std::move(loaded));
}

CudaModule::~CudaModule() {
  if (!handle) return;
  const CudaContext::Scope scope(*context);
  context->driver.moduleUnload(handle);
}

Expected<void> CudaModule::findFunctions() {
  constexpr int64_t kAlwaysAllowed = 48 << 10;
  for (const GpuLaunch &launch : compiled.launches) {
    Entry entry{&launch, nullptr, unsigned(launch.grid[0]), {}};
    if (auto r = context->driver.moduleGetFunction(&entry.function, handle, launch.name.c_str()))
      return failure("cuModuleGetFunction", r, launch.name);
    if (launch.sharedBytes > kAlwaysAllowed)
      if (auto r = context->driver.functionSetAttribute(
              entry.function, cuda::FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, int(launch.sharedBytes)))
        return failure("cuFuncSetAttribute", r, launch.name);
    if (launch.persistent) {
      const auto all = std::min<int64_t>(launch.grid[0], context->info.multiprocessors);
      entry.gridX = unsigned(std::max(launch.cluster[0], all / launch.cluster[0] * launch.cluster[0]));
    }
    for (const GpuArgument &argument : launch.arguments)
      entry.maps.push_back(argument.kind == GpuArgument::Kind::TensorMap ? std::make_unique<MapCache>() : nullptr);
    entries.push_back(std::move(entry));
  }
  return {};
}

Expected<void> CudaModule::check(std::span<const TensorView> operands, std::span<const TensorView> results) const {
  constexpr uintptr_t kAlignment = 16;
  if (auto fine = checkViewTypes("operand", operands, compiled.operands); !fine) return fine;
  if (auto fine = checkViewTypes("result", results, compiled.results); !fine) return fine;
  for (auto [role, views] : {std::pair("operand", operands), {"result", results}}) {
    if (auto fine = checkViewData(role, views); !fine) return fine;
    for (size_t i = 0; i < views.size(); ++i)
      if (reinterpret_cast<uintptr_t>(views[i].data) % kAlignment != 0)
        return makeError(ErrorCode::Layout, nameOfView(role, i) + " is not aligned to 16 bytes",
                         "kernels of GPUs take device addresses that are multiples of 16");
  }
  return {};
}

namespace {

/// CUtensorMapDataType of a dtype; of those that TMA only moves, by their width.
int tensorMapType(DType type) {
  switch (type) {
  case DType::F16: return 6;
  case DType::F32: return 7;
  case DType::F64: return 8;
  case DType::BF16: return 9;
  default: break;
  }
  switch (byteSize(type)) {
  case 1: return 0;  // u8
  case 2: return 1;  // u16
  case 4: return 2;  // u32
  default: return 4; // u64
  }
}

int tensorMapSwizzle(TmaSwizzle swizzle) {
  switch (swizzle) {
  case TmaSwizzle::None: return 0;
  case TmaSwizzle::B32: return 1;
  case TmaSwizzle::B64: return 2;
  case TmaSwizzle::B128: return 3;
  }
  return 0;
}

cuda::Result encode(const cuda::Driver &driver, const TensorMapPlan &plan, cuda::Address address,
                    cuda::TensorMap &map) {
  constexpr int kPromoteTo256Bytes = 3;
  uint64_t extents[TensorMapPlan::kMaxRank], strides[TensorMapPlan::kMaxRank];
  uint32_t box[TensorMapPlan::kMaxRank], ones[TensorMapPlan::kMaxRank];
  for (size_t d = 0; d < plan.dims.size(); ++d) {
    extents[d] = uint64_t(plan.dims[d].extent);
    if (d > 0) strides[d - 1] = uint64_t(plan.dims[d].stride * byteSize(plan.type));
    box[d] = uint32_t(plan.dims[d].box);
    ones[d] = 1;
  }
  return driver.tensorMapEncodeTiled(&map, tensorMapType(plan.type), plan.rank(), reinterpret_cast<void *>(address),
                                     extents, strides, box, ones, /*interleave=*/0, tensorMapSwizzle(plan.swizzle),
                                     kPromoteTo256Bytes, /*fill=*/0);
}

} // namespace

Expected<void> CudaModule::fill(ArgumentValue &value, const GpuArgument &argument, cuda::Address address,
                                MapCache *cache) const {
  switch (argument.kind) {
  case GpuArgument::Kind::Pointer: value.address = address; return {};
  case GpuArgument::Kind::I32: value.i32 = int32_t(argument.integer); return {};
  case GpuArgument::Kind::I64: value.i64 = argument.integer; return {};
  case GpuArgument::Kind::F32: value.f32 = float(argument.real); return {};
  case GpuArgument::Kind::TensorMap: break;
  }
  const std::lock_guard lock(cache->mutex);
  for (const auto &[known, map] : cache->maps)
    if (known == address) return value.map = map, Expected<void>();
  if (!context->driver.tensorMapEncodeTiled)
    return makeError(ErrorCode::DeviceMissing, "the CUDA driver is too old for tensor maps",
                     "kernels of cuda:sm_90a need a driver of CUDA 12.0 or newer");
  auto &place = cache->maps[cache->next];
  place.first = 0;
  if (auto r = encode(context->driver, argument.map, address, place.second))
    return makeError(ErrorCode::Run, context->driver.describe("cuTensorMapEncodeTiled", r) + " of " + argument.str());
  place.first = address;
  cache->next = (cache->next + 1) % MapCache::kMaps;
  value.map = place.second;
  return {};
}

Expected<void> CudaModule::launchAll(std::span<const TensorView> operands, std::span<const TensorView> results,
                                     cuda::Address workspace, cuda::StreamHandle stream) const {
  // Kept by the thread, so that a launch allocates nothing.
  static thread_local std::vector<ArgumentValue> values;
  static thread_local std::vector<void *> pointers;
  for (const Entry &entry : entries) {
    const GpuLaunch &launch = *entry.launch;
    values.resize(launch.arguments.size());
    pointers.resize(launch.arguments.size());
    for (size_t i = 0; i < values.size(); ++i) {
      const GpuArgument &argument = launch.arguments[i];
      const GpuSlot &slot = argument.slot;
      const cuda::Address base =
          slot.kind == GpuSlot::Kind::Workspace
              ? workspace
              : reinterpret_cast<cuda::Address>(
                    (slot.kind == GpuSlot::Kind::Operand ? operands : results)[slot.number].data);
      if (auto filled = fill(values[i], argument, base + cuda::Address(slot.offset), entry.maps[i].get()); !filled) {
        filled.error().notes.push_back("it is an argument of kernel " + launch.name + " of " + compiled.key);
        return filled;
      }
      pointers[i] = &values[i];
    }
    if (auto r = context->driver.launchKernel(entry.function, entry.gridX, unsigned(launch.grid[1]),
                                              unsigned(launch.grid[2]), unsigned(launch.block[0]),
                                              unsigned(launch.block[1]), unsigned(launch.block[2]),
                                              unsigned(launch.sharedBytes), stream, pointers.data(), nullptr))
      return failure("cuLaunchKernel", r, launch.name);
  }
  return {};
}

Expected<void> CudaModule::launch(std::span<const TensorView> operands, std::span<const TensorView> results,
                                  cuda::StreamHandle stream) const {
  if (entries.empty()) return {};
  const CudaContext::Scope scope(*context);
  if (compiled.workspaceBytes == 0) return launchAll(operands, results, 0, stream);
  cuda::Address workspace = 0;
  if (auto r = context->driver.memAllocAsync(&workspace, size_t(compiled.workspaceBytes), stream))
    return failure("cuMemAllocAsync", r, entries.front().launch->name);
  auto launched = launchAll(operands, results, workspace, stream);
  if (auto r = context->driver.memFreeAsync(workspace, stream); r && launched)
    return failure("cuMemFreeAsync", r, entries.back().launch->name);
  return launched;
}

} // namespace ein
