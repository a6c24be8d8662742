// numpy's .npy files: every dtype (bf16 as void of 2 bytes), little-endian, C and Fortran order.
#pragma once

#include "tools/einc/HostTensor.h"

#include <string>
#include <string_view>

namespace einc {

/// What the header of a .npy file says. Fortran order comes out as strides.
struct NpyHeader {
  ein::TensorType type;
  uint64_t dataOffset = 0; ///< bytes from the start of the file
};

/// Longest header accepted, in bytes from the start of the file. numpy's own reader stops at 10000.
inline constexpr size_t kMaxNpyHeader = 65536;

/// Parses the header of versions 1.0, 2.0 and 3.0. `start` is the file's beginning, `fileSize` its whole length: a
/// header that does not describe exactly the bytes that follow it is refused, so nothing is allocated on its word.
/// `name` is for messages.
ein::Expected<NpyHeader> parseNpyHeader(std::string_view start, uint64_t fileSize, const std::string &name);

/// Reads only the type.
ein::Expected<ein::TensorType> readNpyType(const std::string &path);
/// Reads the whole array; Fortran order is kept, as strides.
ein::Expected<HostTensor> readNpy(const std::string &path);
/// Writes version 1.0, C order, whole or not at all. Requires a row-major view.
ein::Expected<void> writeNpy(const std::string &path, const ein::TensorView &view);

} // namespace einc
