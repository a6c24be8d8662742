// A use of ein::attention in tests: its options and operands.
#pragma once

#include "ein/Attention.h"

namespace ein::test {

struct AttentionCase {
  const char *name;
  AttentionOptions options;
  const char *operands;
};

/// The default options, changed.
inline AttentionOptions with(void (*set)(AttentionOptions &)) {
  AttentionOptions options;
  set(options);
  return options;
}

} // namespace ein::test
