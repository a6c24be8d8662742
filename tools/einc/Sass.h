// Machine code of an NVIDIA GPU as text, by NVIDIA's tools where they are installed.
#pragma once

#include "ein/Error.h"

#include <string>

namespace einc {

/// Assembles PTX with ptxas and disassembles it with nvdisasm. Where one of them is neither in PATH nor in
/// /usr/local/cuda/bin an error of code Unsupported says so.
ein::Expected<std::string> disassemble(const std::string &ptx, const std::string &gpu);

} // namespace einc
