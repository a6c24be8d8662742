// The text of an Explanation, and its binary form.
#include "ein/Explanation.h"
#include "runtime/Types/Wire.h"

#include <cstdio>

namespace ein {

namespace {

std::string withUnit(double value, const char *unit) {
  const char *const prefixes[] = {"", " K", " M", " G", " T", " P"};
  size_t prefix = 0;
  for (; value >= 1000 && prefix + 1 < std::size(prefixes); ++prefix) value /= 1000;
  char text[48];
  std::snprintf(text, sizeof text, "%.3g%s%s", value, prefix || !*unit ? prefixes[prefix] : " ", unit);
  return text;
}

std::string list(const std::vector<TensorReport> &tensors) {
  std::string text;
  for (const TensorReport &t : tensors)
    text += (text.empty() ? "" : ", ") + t.name + ": " + t.type + " (" + withUnit(double(t.bytes), "B") + ")";
  return text;
}

void line(std::string &text, const char *label, const std::string &value) {
  if (value.empty()) return;
  char padded[24];
  std::snprintf(padded, sizeof padded, "  %-13s ", label);
  text += padded + value + "\n";
}

} // namespace

std::string Explanation::str() const {
  std::string text;
  for (size_t i = 0; i < steps.size(); ++i) {
    const StepReport &s = steps[i];
    text += "step " + std::to_string(i + 1) + "/" + std::to_string(steps.size()) + "  " + s.kind;
    text += (s.key.empty() ? "" : " over " + s.key + ", one pass") + "\n";
    line(text, "stored", list(s.stored));
    line(text, "never stored", list(s.neverStored));
    line(text, "rule", s.rule);
    line(text, "guard", s.guard);
    line(text, "plan", s.plan);
    std::string work = withUnit(s.flops, "FLOP");
    if (s.functions > 0) work += ", " + withUnit(s.functions, "") + " functions";
    if (s.share < 1) work += " at " + withUnit(100 * s.share, "%") + " of the points";
    line(text, "work", work + ", " + withUnit(double(s.bytes), "B"));
    const double scale = s.seconds < 1e-3 ? 1e6 : 1e3;
    line(text, "predicted", withUnit(s.seconds * scale, scale == 1e6 ? "us" : "ms") + ", bound by " + s.bound);
  }
  for (const BoundaryReport &b : boundaries) {
    text += "boundary " + b.result + "  " + b.code + "\n";
    line(text, "reason", b.reason);
    line(text, "hint", b.hint);
  }
  std::string counts;
  for (const auto &[index, count] : passes)
    counts += (counts.empty() ? "" : ", ") + index + " " + std::to_string(count);
  if (!counts.empty()) text += "passes " + counts + "\n";
  return text + "workspace " + withUnit(double(workspaceBytes), "B") + "\n";
}

namespace wire {

static void write(Writer &w, const std::vector<TensorReport> &tensors) {
  w.list(tensors, [&](const TensorReport &t) {
    w.string(t.name);
    w.string(t.type);
    w.number(t.bytes);
  });
}

static std::vector<TensorReport> readTensors(Reader &r) {
  return r.list<TensorReport>([&] {
    TensorReport t;
    t.name = r.string();
    t.type = r.string();
    t.bytes = r.number<int64_t>();
    return t;
  });
}

void write(Writer &w, const Explanation &e) {
  w.list(e.steps, [&](const StepReport &s) {
    w.string(s.kind);
    write(w, s.stored);
    write(w, s.neverStored);
    for (const std::string *text : {&s.key, &s.rule, &s.guard, &s.plan}) w.string(*text);
    for (double x : {s.share, s.flops, s.functions, s.seconds}) w.number(x);
    w.number(s.bytes);
    w.number(s.threads);
    w.string(s.bound);
  });
  w.list(e.boundaries, [&](const BoundaryReport &b) {
    for (const std::string *text : {&b.result, &b.code, &b.reason, &b.hint}) w.string(*text);
  });
  w.list(e.passes, [&](const auto &p) {
    w.string(p.first);
    w.number(p.second);
  });
  w.number(e.workspaceBytes);
}

Explanation readExplanation(Reader &r) {
  Explanation e;
  e.steps = r.list<StepReport>([&] {
    StepReport s;
    s.kind = r.string();
    s.stored = readTensors(r);
    s.neverStored = readTensors(r);
    for (std::string *text : {&s.key, &s.rule, &s.guard, &s.plan}) *text = r.string();
    for (double *x : {&s.share, &s.flops, &s.functions, &s.seconds}) *x = r.number<double>();
    s.bytes = r.number<int64_t>();
    s.threads = r.number<int32_t>();
    s.bound = r.string();
    return s;
  });
  e.boundaries = r.list<BoundaryReport>([&] {
    BoundaryReport b;
    for (std::string *text : {&b.result, &b.code, &b.reason, &b.hint}) *text = r.string();
    return b;
  });
  e.passes = r.list<std::pair<std::string, int32_t>>([&] {
    std::string index = r.string();
    return std::pair(std::move(index), r.number<int32_t>());
  });
  e.workspaceBytes = r.number<int64_t>();
  return e;
}

} // namespace wire

} // namespace ein
