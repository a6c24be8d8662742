// What every subcommand starts from: the expression, the operands' types and the options, checked.
#include "tools/einc/Request.h"

#include "runtime/Environment.h"
#include "tools/einc/Files.h"
#include "tools/einc/Npy.h"

#include <charconv>

using namespace ein;

namespace einc {

/// The expression behind the TEXT argument.
static Expected<std::string> resolveText(const std::string &argument) {
  constexpr size_t limit = 1 << 20;
  bool isFile = argument.starts_with('@');
  if (!isFile && argument != "-") return argument;
  auto text = readText(isFile ? argument.substr(1) : argument, limit);
  // The line feed that ends a file is not part of the expression.
  while (text && text->ends_with('\n')) text->pop_back();
  return text;
}

static Expected<PathStrategy> resolvePath(const std::string &name) {
  if (name == "auto") return PathStrategy::Auto;
  if (name == "optimal") return PathStrategy::Optimal;
  if (name == "greedy") return PathStrategy::Greedy;
  if (name == "fused") return PathStrategy::Fused;
  return makeError(ErrorCode::UnknownName, "there is no path strategy '" + name + "'",
                   "strategies: auto, optimal, greedy, fused");
}

/// "64,-1" as numbers; of a scalar "".
static Expected<std::vector<int64_t>> resolveStrides(const std::string &text) {
  std::vector<int64_t> strides;
  for (const char *at = text.data(), *end = at + text.size(); at < end; ++at) {
    const auto [after, status] = std::from_chars(at, end, strides.emplace_back());
    if (status != std::errc() || (after < end && *after != ',') || after + 1 == end)
      return makeError(ErrorCode::Syntax, "'" + text + "' is no list of strides", "strides are integers: 64,1");
    at = after;
  }
  return strides;
}

Expected<Request> resolve(const Arguments &arguments) {
  if (!arguments.types.empty() && !arguments.files.empty())
    return makeError(ErrorCode::OperandCount, "operands come either from .npy files or from --type, not from both");
  Request request;
  auto text = resolveText(arguments.text);
  if (!text) return text.error();
  request.text = std::move(*text);
  for (const std::string &word : arguments.types) {
    auto type = TensorType::parse(word);
    if (!type) {
      type.error().notes.push_back("this is the --type of operand " + std::to_string(request.operands.size()));
      return type.error();
    }
    request.operands.push_back(std::move(*type));
  }
  for (const std::string &file : arguments.files) {
    auto type = readNpyType(file);
    if (!type) return type.error();
    request.operands.push_back(std::move(*type));
  }
  auto target = Target::parse(arguments.target);
  if (!target) return target.error();
  auto path = resolvePath(arguments.path);
  if (!path) return path.error();
  request.options.target = *target;
  request.options.path = *path;
  request.options.threads = resolveThreads(arguments.threads);
  request.options.memoryLimit = arguments.memoryLimit;
  request.options.labels = arguments.names ? LabelStyle::Names : LabelStyle::Letters;
  request.options.scatter = arguments.scatter;
  CompileOptions &options = request.options;
  options.fuse = !arguments.noFuse;
  for (auto [word, dtype] :
       {std::pair(&arguments.outDType, &options.resultDType), std::pair(&arguments.computeDType, &options.computeDType),
        std::pair(&arguments.accumulateDType, &options.accumulateDType)}) {
    if (word->empty()) continue;
    *dtype = parseDType(*word);
    if (!*dtype)
      return makeError(ErrorCode::Syntax, "'" + *word + "' is not a dtype", "dtypes are " + std::string(kDTypeNames));
  }
  options.conjugate = arguments.conjugate;
  options.dynamic = arguments.dynamic;
  const auto semiring = parseSemiring(arguments.semiring);
  if (!semiring)
    return makeError(ErrorCode::UnknownName, "there is no semiring '" + arguments.semiring + "'",
                     "semirings: plus-times, min-plus, max-plus, max-times, or-and, logaddexp-plus");
  request.options.semiring = *semiring;
  request.options.alpha = arguments.alpha;
  request.options.beta = arguments.beta;
  for (const std::string &word : arguments.resultStrides) {
    auto strides = resolveStrides(word);
    if (!strides) return strides.error();
    request.options.resultStrides.push_back(std::move(*strides));
  }
  return request;
}

} // namespace einc
