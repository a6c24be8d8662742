// What a Program requires of its kernel, held against the flat Program that becomes the kernel.
#pragma once

#include "compiler/Paths/Flatten.h"

namespace ein {

/// E17 or E18 for the first requirement of `source` that `flat`, made of it, does not meet. A tensor is stored where
/// `flat` assigns it in the workspace or as an output: what runs as one pass has no assignment of its own there.
Expected<void> checkRequirements(const Program &source, const FlatProgram &flat);

/// W04 for each tensor that the text names and `flat` stores as an intermediate of a gibibyte or more.
std::vector<Error> storageWarnings(const Program &source, const FlatProgram &flat);

} // namespace ein
