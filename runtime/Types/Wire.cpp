// Envelopes of the binary form, and the fields of tensor types.
#include "runtime/Types/Wire.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ein::wire {
namespace {

/// In front of the fields. No padding: written and read as it lies in memory.
struct Header {
  char magic[4];
  uint32_t kind;
  uint32_t formatVersion;
  uint32_t reserved;
  uint64_t size;
  uint64_t checksum; ///< XXH3 of the fields
};
static_assert(sizeof(Header) == 32);

constexpr char kMagic[4] = {'E', 'I', 'N', '\x1a'};

} // namespace

std::string Writer::seal(Kind kind) const {
  Header header{
      {}, static_cast<uint32_t>(kind), kFormatVersion, 0, bytes.size(), XXH3_64bits(bytes.data(), bytes.size())};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  std::string out(reinterpret_cast<const char *>(&header), sizeof header);
  return out += bytes;
}

Expected<std::string_view> open(Kind kind, std::string_view bytes) {
  const auto refuse = [](std::string why) { return makeError(ErrorCode::IO, "not a valid ein artefact: " + why); };
  Header header;
  if (bytes.size() < sizeof header) return refuse("too short");
  std::memcpy(&header, bytes.data(), sizeof header);
  bytes.remove_prefix(sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) return refuse("wrong magic");
  if (header.formatVersion != kFormatVersion)
    return refuse("format version " + std::to_string(header.formatVersion) + ", this library reads " +
                  std::to_string(kFormatVersion));
  if (header.kind != static_cast<uint32_t>(kind) || header.reserved != 0) return refuse("wrong kind");
  if (header.size != bytes.size())
    return refuse(std::to_string(bytes.size()) + " bytes of content, expected " + std::to_string(header.size));
  if (header.checksum != XXH3_64bits(bytes.data(), bytes.size())) return refuse("wrong checksum");
  return bytes;
}

Error malformed(const char *what) {
  return makeError(ErrorCode::IO, std::string("not a valid ein artefact: malformed ") + what);
}

void write(Writer &w, const TensorType &type) {
  w.number(static_cast<uint8_t>(type.dtype));
  w.numbers(type.shape);
  w.numbers(type.strides);
}

TensorType readTensorType(Reader &r) {
  TensorType type;
  type.dtype = r.enumerator(DType::Bool);
  type.shape = r.numbers();
  type.strides = r.numbers();
  if (!type.verify()) r.fail();
  return type;
}

} // namespace ein::wire
