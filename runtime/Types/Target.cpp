// Parsing of target names.
#include "ein/Target.h"

namespace ein {

Expected<Target> Target::parse(std::string_view text) {
  if (text == "host" || text == "native") return Target{};
  for (std::string_view cpu : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    for (bool portable : {false, true}) {
      Target target{std::string(cpu), portable};
      if (text == target.str()) return target;
    }
  }
  return makeError(ErrorCode::Syntax, "unknown target '" + std::string(text) + "'",
                   "targets are host (or native), host:x86-64-v2, host:x86-64-v3 and host:x86-64-v4 for this machine, "
                   "x86-64-v2, x86-64-v3 and x86-64-v4 for any of that level");
}

} // namespace ein
