// Machine code of a lowered module, in memory.
#pragma once

#include "tests/gpu-model/LowerToModel.h"

#include <memory>

namespace ein::gpumodel {

class ModelCode {
public:
  using Entry = void(void **arguments);

  static Expected<std::unique_ptr<ModelCode>> compile(mlir::ModuleOp module);
  ~ModelCode();

  /// The entry of a kernel; null if there is none of this name.
  Entry *entry(const std::string &kernel) const;

private:
  struct State;
  explicit ModelCode(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace ein::gpumodel
