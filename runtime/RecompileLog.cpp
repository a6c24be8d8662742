// Comparison of two compilations of one text.
#include "runtime/RecompileLog.h"
#include "runtime/Environment.h"
#include "runtime/OperandLabels.h"
#include "runtime/ShapeClass.h"

#include <algorithm>
#include <cstdio>
#include <set>

namespace ein {
namespace {

std::string wasIs(int64_t was, int64_t is) { return " was " + std::to_string(was) + ", is " + std::to_string(is); }

/// Collects the reasons, each once.
class Reasons {
public:
  void add(const std::string &reason) {
    if (seen.insert(reason).second) text += (text.empty() ? "" : "; ") + reason;
  }
  std::string text;

private:
  std::set<std::string> seen;
};

/// The guards of one operand's extents and strides.
void compareOperand(size_t o, const std::vector<std::string_view> &labels, const RecompileLog::Compilation &before,
                    const RecompileLog::Compilation &now, Reasons &reasons) {
  const TensorType &was = before.operands[o], &is = now.operands[o];
  const TensorType &wasClass = before.request.operands[o], &isClass = now.request.operands[o];
  const std::string operand = "operand " + std::to_string(o);
  if (was.dtype != is.dtype)
    return reasons.add(operand + " was " + std::string(name(was.dtype)) + ", is " + std::string(name(is.dtype)));
  if (was.rank() != is.rank()) return reasons.add("rank of " + operand + wasIs(was.rank(), is.rank()));
  const auto &dynamic = now.request.options.dynamic;
  bool sameExtents = true;
  for (size_t d = 0; d < was.shape.size(); ++d) {
    if (wasClass.shape[d] == isClass.shape[d]) continue;
    sameExtents = false;
    const std::string label(labels[d]);
    if (label.empty())
      reasons.add("extent of dimension " + std::to_string(d) + " of " + operand + wasIs(was.shape[d], is.shape[d]));
    else if (std::find(dynamic.begin(), dynamic.end(), label) == dynamic.end())
      reasons.add("extent of " + label + wasIs(was.shape[d], is.shape[d]) + "; --dynamic " + label +
                  " would share one kernel");
    else
      reasons.add(label + ": " + std::to_string(is.shape[d]) + " is none of the extents " +
                  (was.shape[d] >= kLongExtent ? ">= " : "< ") + std::to_string(kLongExtent) + " it was compiled for");
  }
  if (!sameExtents || wasClass.strides == isClass.strides) return;
  for (size_t d = 0; d < was.strides.size(); ++d)
    if (was.strides[d] != is.strides[d] && wasClass.strides[d] != isClass.strides[d])
      reasons.add("stride of " + (labels[d].empty() ? "dimension " + std::to_string(d) : std::string(labels[d])) +
                  " in " + operand + wasIs(was.strides[d], is.strides[d]) +
                  (was.isContiguous() && !is.isContiguous() ? " (was row-major)" : ""));
}

} // namespace

bool RecompileLog::isWanted() {
  const char *words = environment(EnvironmentVariable::Log);
  if (!words) return false;
  for (std::string_view left = words; !left.empty();) {
    const size_t comma = std::min(left.find(','), left.size());
    if (left.substr(0, comma) == "recompiles") return true;
    left.remove_prefix(std::min(comma + 1, left.size()));
  }
  return false;
}

std::string RecompileLog::whyAgain(const Compilation &before, const Compilation &now) {
  Reasons reasons;
  if (!(before.request.options == now.request.options)) reasons.add("other options");
  if (before.operands.size() != now.operands.size()) {
    reasons.add("number of operands" +
                wasIs(static_cast<int64_t>(before.operands.size()), static_cast<int64_t>(now.operands.size())));
    return reasons.text;
  }
  std::vector<size_t> ranks;
  for (const TensorType &type : now.operands) ranks.push_back(type.shape.size());
  const OperandLabels labels = operandLabels(now.request.text, now.request.options.labels, ranks);
  for (size_t o = 0; o < ranks.size(); ++o) compareOperand(o, labels[o], before, now, reasons);
  return reasons.text.empty() ? "its kernel has left the cache" : reasons.text;
}

void RecompileLog::compiling(const CompileRequest &request, const std::vector<TensorType> &operands) {
  constexpr size_t most = 4096;
  Compilation now{request, operands};
  std::string why;
  {
    const std::lock_guard lock(mutex);
    if (last.size() >= most) last.clear();
    const auto [place, isFirst] = last.try_emplace(request.text, now);
    if (isFirst) return;
    why = whyAgain(place->second, now);
    place->second = std::move(now);
  }
  std::fprintf(stderr, "ein: '%s' is compiled again: %s\n", request.text.c_str(), why.c_str());
}

} // namespace ein
