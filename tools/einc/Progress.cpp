// A progress bar on stderr.
#include "tools/einc/Progress.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace einc {

Progress::Progress() : terminal(isatty(STDERR_FILENO)) {}

Progress::~Progress() {
  if (terminal && length > 0) std::fputc('\n', stderr);
}

void Progress::show(double fraction, const std::string &note) {
  constexpr size_t width = 30;
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3.0f%%  ", 100 * fraction);
  if (!terminal) {
    const int now = static_cast<int>(10 * fraction);
    if (now > tenths) std::fprintf(stderr, "%s%s\n", percent, note.c_str());
    tenths = std::max(now, tenths);
    return;
  }
  const size_t done = std::min(width, static_cast<size_t>(fraction * width));
  std::string line = "[" + std::string(done, '#') + std::string(width - done, '.') + "] " + percent + note;
  const size_t shown = line.size();
  if (shown < length) line.append(length - shown, ' ');
  length = shown;
  std::fprintf(stderr, "\r%s", line.c_str());
  std::fflush(stderr);
}

} // namespace einc
