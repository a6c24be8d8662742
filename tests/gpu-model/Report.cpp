// Findings, one for each operation and kind.
#include "tests/gpu-model/Report.h"

#include <algorithm>

namespace ein::gpumodel {

const char *faultName(Fault kind) {
  static constexpr const char *kNames[] = {"race",       "uninitialised", "out-of-bounds", "misaligned",
                                           "early-read", "protocol",      "divergence",    "deadlock"};
  return kNames[size_t(kind)];
}

bool Report::repeat(Fault kind, uint32_t site) {
  auto found = std::find_if(findings.begin(), findings.end(),
                            [&](const Finding &f) { return f.kind == kind && f.site == site; });
  if (found == findings.end()) return false;
  ++found->count;
  return true;
}

void Report::add(Fault kind, uint32_t site, std::string text) {
  if (!repeat(kind, site)) findings.push_back({kind, site, std::move(text)});
}

void Report::merge(const Report &other) {
  findings.insert(findings.end(), other.findings.begin(), other.findings.end());
}

bool Report::has(Fault kind) const {
  return std::any_of(findings.begin(), findings.end(), [&](const Finding &f) { return f.kind == kind; });
}

std::string Report::str() const {
  std::string text;
  for (const Finding &f : findings) {
    text += std::string(faultName(f.kind)) + ": " + f.text;
    if (f.count > 1) text += " (" + std::to_string(f.count) + " times)";
    text += '\n';
  }
  return text;
}

} // namespace ein::gpumodel
