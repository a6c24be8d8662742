// The CPU this process runs on, as far as compiled code depends on it, without LLVM.
#pragma once

#include <string>

namespace ein {

/// One line: vendor, family/model/stepping, cache sizes, and the raw feature words of CPUID and XCR0 from which LLVM
/// derives its CPU name and feature string. Found out once per process. Thread-safe.
const std::string &hostCpuText();

} // namespace ein
