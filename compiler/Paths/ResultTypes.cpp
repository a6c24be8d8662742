// The types of a Program's results in memory.
#include "compiler/Paths/ResultTypes.h"

namespace ein {

Expected<std::vector<TensorType>> resultTypes(const Program &program, const CompileOptions &options) {
  std::vector<TensorType> types;
  if (!options.resultStrides.empty() && options.resultStrides.size() != program.outputs.size())
    return makeError(ErrorCode::Layout, "result strides for " + std::to_string(options.resultStrides.size()) +
                                            " results, but the expression has " +
                                            std::to_string(program.outputs.size()));
  for (size_t i = 0; i < program.outputs.size(); ++i) {
    TensorType type = program.typeOf(program.outputs[i]);
    if (!options.resultStrides.empty() && !options.resultStrides[i].empty()) type.strides = options.resultStrides[i];
    if (auto ok = type.verify(); !ok) return ok.error();
    for (int64_t d = 0; d < type.rank(); ++d)
      if (type.strides[d] == 0 && type.shape[d] > 1)
        return makeError(ErrorCode::Layout,
                         "result " + std::to_string(i) + " has stride 0 in dimension " + std::to_string(d) +
                             ": its elements would overlap",
                         "give every dimension of a result its own elements");
    if (type.mayOverlapItself())
      return makeError(ErrorCode::Layout, "elements of result " + std::to_string(i) + " overlap: " + type.str(),
                       "give every element of a result memory of its own");
    types.push_back(type);
  }
  return types;
}

} // namespace ein
