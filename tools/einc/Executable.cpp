// Kernels of CPU and GPU behind one interface.
#include "tools/einc/Executable.h"

#include <algorithm>

using namespace ein;

namespace einc {

/// Room for a tensor whose element at index zero is at a multiple of 16 bytes.
Expected<void> DeviceProgram::add(const Device &device, const TensorType &type, std::vector<Tensor> &tensors,
                                  std::vector<TensorView> &views) {
  constexpr int64_t kAlignment = 16;
  int64_t low, high;
  type.addressRange(low, high);
  const int64_t size = byteSize(type.dtype), before = (-low * size + kAlignment - 1) / kAlignment * kAlignment;
  auto buffer = device.allocate(static_cast<size_t>(before + high * size));
  if (!buffer) return buffer.error();
  const TensorView view(static_cast<char *>(buffer->data()) + before, type);
  tensors.push_back({std::move(*buffer), view, low * size, (high - low) * size});
  views.push_back(view);
  return {};
}

Expected<DeviceProgram> DeviceProgram::make(const Device &device, DeviceKernel kernel) {
  auto stream = device.makeStream();
  if (!stream) return stream.error();
  DeviceProgram program(std::move(kernel), std::move(*stream));
  for (const TensorType &type : program.kernel.operands())
    if (auto added = program.add(device, type, program.operands, program.operandViews); !added) return added.error();
  for (const TensorType &type : program.kernel.results())
    if (auto added = program.add(device, type, program.results, program.resultViews); !added) return added.error();
  return program;
}

Expected<void> DeviceProgram::copyIn(std::span<const Tensor> tensors, std::span<const TensorView> views) const {
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor &t = tensors[i];
    auto copied = t.buffer.copyIn(static_cast<const char *>(views[i].data) + t.low, stream,
                                  static_cast<char *>(t.view.data) + t.low, static_cast<size_t>(t.bytes));
    if (!copied) return copied;
  }
  return {};
}

Expected<void> DeviceProgram::run(std::span<const TensorView> in, std::span<const TensorView> out) const {
  if (auto copied = copyIn(operands, in); !copied) return copied;
  if (auto copied = copyIn(results, out); !copied) return copied;
  if (auto launched = kernel.launch(operandViews, resultViews, stream); !launched) return launched;
  if (auto done = stream.synchronize(); !done) return done;
  for (size_t i = 0; i < results.size(); ++i) {
    const Tensor &t = results[i];
    auto copied = t.buffer.copyOut(static_cast<char *>(out[i].data) + t.low, stream,
                                   static_cast<const char *>(t.view.data) + t.low, static_cast<size_t>(t.bytes));
    if (!copied) return copied;
  }
  return {};
}

Expected<Timing> DeviceProgram::time(std::span<const TensorView> in, std::span<const TensorView> out) const {
  if (auto copied = copyIn(operands, in); !copied) return copied.error();
  if (auto copied = copyIn(results, out); !copied) return copied.error();
  // A few runs tell how many fill half a second.
  auto first = kernel.time(operandViews, resultViews, stream, 3);
  if (!first) return first.error();
  const double each = std::max(1e-3, double(*std::ranges::min_element(*first)));
  auto times = kernel.time(operandViews, resultViews, stream, std::clamp(int(500 / each), 5, 1000));
  if (!times) return times.error();
  std::ranges::sort(*times);
  return Timing{(*times)[times->size() / 2] * 1e-3, times->front() * 1e-3, int(times->size())};
}

Expected<double> DeviceProgram::launchSeconds() const {
  constexpr int kLaunches = 100;
  std::vector<double> seconds;
  for (int i = 0; i < kLaunches; ++i) {
    const double start = now();
    if (auto launched = kernel.launch(operandViews, resultViews, stream); !launched) return launched.error();
    seconds.push_back(now() - start);
    if (auto done = stream.synchronize(); !done) return done.error();
  }
  std::ranges::sort(seconds);
  return seconds[kLaunches / 2];
}

/// The machine's first GPU. What is missing is said with the target that is asked for.
static Expected<Device> openFor(const std::string &target) {
  auto device = Device::open();
  if (!device) device.error().message = "target " + target + " is unavailable: " + device.error().message;
  return device;
}

Expected<Executable> Executable::compile(const Request &request, Engine &engine) {
  if (!request.options.target.isGpu()) {
    auto kernel = engine.compile(request.text, request.operands, request.options);
    if (!kernel) return kernel.error();
    return Executable(std::move(*kernel));
  }
  auto device = openFor(request.options.target.str());
  if (!device) return device.error();
  auto kernel = device->compile(request.text, request.operands, request.options);
  if (!kernel) return kernel.error();
  auto program = DeviceProgram::make(*device, std::move(*kernel));
  if (!program) return program.error();
  return Executable(std::move(*program));
}

Expected<Executable> Executable::load(const CompiledModule &module) {
  if (module.gpu.empty()) {
    auto kernel = Engine::global().load(module);
    if (!kernel) return kernel.error();
    return Executable(std::move(*kernel));
  }
  auto device = openFor("cuda:" + module.gpu);
  if (!device) return device.error();
  auto kernel = device->load(module);
  if (!kernel) return kernel.error();
  auto program = DeviceProgram::make(*device, std::move(*kernel));
  if (!program) return program.error();
  return Executable(std::move(*program));
}

const CompiledModule &Executable::module() const {
  return std::visit([](const auto &p) -> const CompiledModule & { return p.module(); }, program);
}

Expected<std::vector<TensorType>> Executable::resultsFor(std::span<const TensorType> operands) const {
  if (const auto *kernel = std::get_if<Kernel>(&program)) return kernel->resultsFor(operands);
  return results();
}

Expected<void> Executable::run(std::span<const TensorView> in, std::span<const TensorView> out) const {
  return std::visit([&](const auto &p) { return p.run(in, out); }, program);
}

Expected<Timing> Executable::time(std::span<const TensorView> in, std::span<const TensorView> out) const {
  if (const DeviceProgram *there = onDevice()) return there->time(in, out);
  return timeCall([&] { return run(in, out); });
}

} // namespace einc
