// The binary form of what passes between libein, libein-compiler and the module loader. The first byte is the kind,
// the rest the fields; the envelope is put around them, since no mutation would find its checksum. Fields that make
// a value must make the same value again.
#include "runtime/Types/Wire.h"
#include "tests/fuzz/Bounded.h"

using namespace ein;

namespace {

std::string sealed(wire::Kind kind, std::string_view fields) {
  wire::Writer writer;
  for (char c : fields) writer.number(c);
  return writer.seal(kind);
}

template <class Value> void roundTrip(std::string_view bytes) {
  auto value = Value::deserialize(bytes);
  if (!value) return fuzz::requireWellFormed(value.error());
  const std::string again = value->serialize();
  auto second = Value::deserialize(again);
  fuzz::require(second && second->serialize() == again, "what was read is written and read again");
}

} // namespace

static void check(const uint8_t *data, size_t size) {
  if (size == 0) return;
  const std::string_view fields(reinterpret_cast<const char *>(data) + 1, size - 1);
  switch (data[0] % 4) {
  case 0: roundTrip<CompileRequest>(sealed(wire::Kind::Request, fields)); break;
  case 1: roundTrip<CompileResult>(sealed(wire::Kind::Result, fields)); break;
  case 2: roundTrip<CompiledModule>(sealed(wire::Kind::Module, fields)); break;
  case 3: {
    Error error;
    if (deserializeError(sealed(wire::Kind::Error, fields), error)) (void)error.render();
  }
  }
  (void)CompiledModule::deserialize(fields); // an envelope from nowhere
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::bounded([&] { check(data, size); });
  return 0;
}
