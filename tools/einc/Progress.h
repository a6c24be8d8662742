// A progress bar on stderr.
#pragma once

#include <string>

namespace einc {

/// One line that is redrawn where stderr is a terminal; elsewhere a line of its own for every tenth of the way.
class Progress {
public:
  Progress();
  /// Ends the bar's line.
  ~Progress();
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  /// `fraction` of the way is done, from 0 to 1; `note` stands behind it.
  void show(double fraction, const std::string &note);

private:
  bool terminal;
  int tenths = 0;    ///< printed last
  size_t length = 0; ///< of the bar's line
};

} // namespace einc
