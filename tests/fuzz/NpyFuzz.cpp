// Headers of .npy files.
#include "tests/fuzz/Bounded.h"
#include "tools/einc/Npy.h"

using namespace ein;

static void check(const uint8_t *data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char *>(data), size);
  auto header = einc::parseNpyHeader(bytes, size, "fuzzed.npy");
  if (!header) return fuzz::requireWellFormed(header.error());
  const TensorType &type = header->type;
  fuzz::require(bool(type.verify()), "the type of an array is fit for use", type.str());
  const auto bytesNeeded = static_cast<uint64_t>(type.numElements() * byteSize(type.dtype));
  fuzz::require(header->dataOffset <= size && size - header->dataOffset == bytesNeeded,
                "a header describes the bytes that follow it", type.str());
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::bounded([&] { check(data, size); });
  return 0;
}
