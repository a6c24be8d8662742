// What runs a request: a kernel on the CPU, or one on a GPU with copies of its operands and results there.
#pragma once

#include "ein/Device.h"
#include "ein/Engine.h"
#include "tools/einc/Request.h"
#include "tools/einc/Timing.h"

#include <optional>
#include <variant>

namespace einc {

/// A kernel on this machine's first GPU.
class DeviceProgram {
public:
  static ein::Expected<DeviceProgram> make(const ein::Device &device, ein::DeviceKernel kernel);

  const ein::CompiledModule &module() const { return kernel.module(); }
  /// Copies operands and results in, runs, copies the results out.
  ein::Expected<void> run(std::span<const ein::TensorView> operands, std::span<const ein::TensorView> results) const;
  /// Copies in, then times the kernel alone, by events of the GPU, for about half a second.
  ein::Expected<Timing> time(std::span<const ein::TensorView> operands, std::span<const ein::TensorView> results) const;
  /// Seconds of host time of one launch, the median of many.
  ein::Expected<double> launchSeconds() const;

private:
  /// A tensor there: its bytes from `low` on are a copy of those here.
  struct Tensor {
    ein::Buffer buffer;
    ein::TensorView view;
    int64_t low, bytes; ///< relative to the element at index zero
  };
  DeviceProgram(ein::DeviceKernel kernel, ein::Stream stream) : kernel(std::move(kernel)), stream(std::move(stream)) {}
  ein::Expected<void> add(const ein::Device &device, const ein::TensorType &type, std::vector<Tensor> &tensors,
                          std::vector<ein::TensorView> &views);
  ein::Expected<void> copyIn(std::span<const Tensor> tensors, std::span<const ein::TensorView> views) const;

  ein::DeviceKernel kernel;
  ein::Stream stream;
  std::vector<Tensor> operands, results;
  std::vector<ein::TensorView> operandViews, resultViews;
};

/// A kernel of either kind.
class Executable {
public:
  /// Compiles for the request's target, or finds the kernel in the cache. A GPU that is not here is an error of code
  /// DeviceMissing.
  static ein::Expected<Executable> compile(const Request &request, ein::Engine &engine = ein::Engine::global());
  static ein::Expected<Executable> load(const ein::CompiledModule &module);

  const ein::CompiledModule &module() const;
  const std::vector<ein::TensorType> &operands() const { return module().operands; }
  const std::vector<ein::TensorType> &results() const { return module().results; }
  /// What it makes of operands like these; they count where indices are dynamic.
  ein::Expected<std::vector<ein::TensorType>> resultsFor(std::span<const ein::TensorType> operands) const;
  ein::Expected<void> run(std::span<const ein::TensorView> operands, std::span<const ein::TensorView> results) const;
  ein::Expected<Timing> time(std::span<const ein::TensorView> operands, std::span<const ein::TensorView> results) const;
  /// The kernel on the GPU; null on the CPU.
  const DeviceProgram *onDevice() const { return std::get_if<DeviceProgram>(&program); }

private:
  template <class Program> explicit Executable(Program program) : program(std::move(program)) {}
  std::variant<ein::Kernel, DeviceProgram> program;
};

} // namespace einc
