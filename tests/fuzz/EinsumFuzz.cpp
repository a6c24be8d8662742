// Einsum strings: the first byte holds options, the rest is the text. Operands are made to fit the text where that
// is possible, so that inputs get past the parser.
#include "compiler/Adjoints/Adjoint.h"
#include "compiler/Subscripts/Subscripts.h"
#include "tests/fuzz/Bounded.h"
#include "tests/fuzz/Programs.h"

using namespace ein;

namespace {

constexpr DType kDTypesTried[] = {DType::F32, DType::C64, DType::BF16, DType::F64};

/// An operand for each term: extents by name, dimensions of ellipses 2, every `stretch`-th dimension 1.
std::vector<TensorType> operandsOf(const Subscripts &subscripts, DType dtype, unsigned stretch) {
  std::vector<TensorType> operands;
  size_t dimension = 0;
  for (const Term &term : subscripts.inputs) {
    std::vector<int64_t> shape;
    for (const Subscript &s : term.subscripts) {
      const bool isOne = stretch > 0 && ++dimension % (stretch + 1) == 0;
      shape.push_back(isOne ? 1 : s.isEllipsis() ? 2 : fuzz::extentOf(s.name));
    }
    operands.emplace_back(dtype, std::move(shape));
  }
  return operands;
}

} // namespace

static void check(const uint8_t *data, size_t size) {
  if (size == 0) return;
  const unsigned bits = data[0];
  const std::string_view text(reinterpret_cast<const char *>(data) + 1, size - 1);
  CompileOptions options;
  options.labels = bits & 1 ? LabelStyle::Names : LabelStyle::Letters;
  options.scatter = bits & 2;
  auto parsed = parseSubscripts(text, options.labels);
  if (!parsed) return fuzz::requireWellFormed(parsed.error());
  auto canonical = parseSubscripts(parsed->str());
  fuzz::require(canonical && canonical->str() == parsed->str(), "the canonical text is a fixed point", parsed->str());

  const std::vector<TensorType> operands = operandsOf(*parsed, kDTypesTried[bits >> 6], bits >> 2 & 3);
  if (bits & 8) options.conjugate = {0};
  if (bits & 4) options.accumulateDType = accumulateType(promote(operands[0].dtype, DType::BF16));
  auto program = programFromEinsum(text, operands, options);
  if (!program) return fuzz::requireWellFormed(program.error());
  fuzz::checkProgram(*program, operands);
  if (isProgramText(text)) return;
  const size_t which = (bits >> 4) % operands.size();
  auto adjoint = adjointText(text, operands, std::vector<size_t>{which}, options);
  if (!adjoint) return fuzz::requireWellFormed(adjoint.error());
  std::vector<TensorType> others = operands;
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(which));
  others.push_back(program->typeOf(program->outputs[0]));
  auto backward = parseAndBind(*adjoint, others);
  if (!backward && backward.error().code == ErrorCode::Limit) return;
  fuzz::require(bool(backward), "an adjoint binds", backward ? "" : *adjoint + "\n" + backward.error().render());
  fuzz::require(backward->typeOf(backward->outputs[0]).shape == operands[which].shape,
                "a gradient has the operand's shape", *adjoint);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::bounded([&] { check(data, size); });
  return 0;
}
