// tests/data/conformance_invalid.json: each of the 89 is refused with its code and a caret, or the rules of
// docs/notation.md make it legal, or C++ does not compile it.
#include "ein/Engine.h"
#include "ein/Sublists.h"
#include "tests/conformance/Support.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

using namespace ein;
using namespace ein::test;
using nlohmann::json;

namespace {

/// Legal here, and why.
const std::map<std::string, const char *> kLegal = {
    {"E096", "an ellipsis that the output leaves out is summed"},
    {"E097", "an ellipsis that the output leaves out is summed"},
    {"E098", "an ellipsis that the output leaves out is summed"},
    {"E118", "integer labels have no upper limit"},
    {"E142", "a step may join three operands"},
    {"E148", "names may have an implicit output"},
};

// What Python finds out at run time: none of these compiles.
template <class Text>
concept IsText = requires(Text text, Engine &engine) { engine.compile(text, std::span<const TensorType>()); };
template <class Operand>
concept IsOperand = requires(Operand operand) { einsum("i", {operand}); };
template <class Operand>
concept NeedsNoText = requires(Operand operand) { einsum(operand); };
template <class Result>
concept IsResult = requires(Result result, Engine &engine) { engine.run("i", std::span<const TensorView>(), result); };
template <class Options>
concept HasUnknownOption = requires(Options options) { options.bad_arg; };
static_assert(IsText<const char *> && IsOperand<TensorView> && IsResult<std::span<const TensorView>>);
static_assert(!IsText<int> && !IsText<std::vector<int>>);
static_assert(!IsOperand<std::nullptr_t> && !IsOperand<TensorType> && !NeedsNoText<TensorView>);
static_assert(!IsResult<const char *>);
static_assert(!HasUnknownOption<CompileOptions>);
const std::map<std::string, const char *> kDoesNotCompile = {
    {"E017", "a number for the text"},
    {"E018", "None for operands"},
    {"E019", "a list for the text"},
    {"E024", "a tensor without a text"},
    {"E119", "a string for the result"},
    {"E124", "an option that there is not"},
    {"E128", "an option that there is not"},
    {"E129", "a result where a kernel is compiled"},
    {"E130", "an option that there is not"},
    {"E136", "an option where a kernel is run"},
    {"E141", "tensors where shapes are promised: compile takes either"},
};

const std::map<std::string, ErrorCode> kCodes = {
    {"operand-count", ErrorCode::OperandCount},
    {"rank", ErrorCode::Rank},
    {"bad-character", ErrorCode::Syntax},
    {"ellipsis-syntax", ErrorCode::Syntax},
    {"arrow", ErrorCode::Syntax},
    {"output-unknown-label", ErrorCode::UnknownName},
    {"output-repeated-label", ErrorCode::DuplicateName},
    {"output-comma", ErrorCode::Syntax},
    {"size-mismatch", ErrorCode::Extent},
    {"label-range", ErrorCode::Syntax},
    {"path", ErrorCode::OperandCount},
    {"memory-limit", ErrorCode::Limit},
};

/// Where a case is about something else than its category says here.
const std::map<std::string, ErrorCode> kCodeOfCase = {
    {"E023", ErrorCode::OperandCount}, {"E131", ErrorCode::OperandCount}, {"E133", ErrorCode::Rank},
    {"E135", ErrorCode::Rank},         {"E146", ErrorCode::Syntax},       {"E147", ErrorCode::Syntax},
    {"E149", ErrorCode::Rank},
};

std::vector<TensorType> typesOf(const json &shapes) {
  std::vector<TensorType> types;
  for (const json &shape : shapes) types.emplace_back(DType::F64, shape.get<std::vector<int64_t>>());
  return types;
}

CompileOptions optionsOf(const json &entry) {
  CompileOptions options;
  if (entry.contains("grammar")) options.labels = LabelStyle::Names;
  if (entry.contains("path")) options.order = entry["path"];
  if (entry["category"] == "memory-limit") // elements
    options.memoryLimit = entry["kwargs"]["memory_limit"].get<int64_t>() * byteSize(DType::F64);
  return options;
}

/// Compiles, and for a compiled expression runs it on other operands.
Expected<void> attempt(const json &entry) {
  std::string text = entry["expr"].is_string() ? entry["expr"].get<std::string>() : "";
  if (entry.contains("sublists")) {
    std::optional<Sublist> output;
    if (entry.contains("out_sublist")) output = entry["out_sublist"].get<Sublist>();
    auto fromSublists = sublistText(entry["sublists"].get<std::vector<Sublist>>(), output);
    if (!fromSublists) return fromSublists.error();
    text = *fromSublists;
  }
  const std::vector<TensorType> types = typesOf(entry["shapes"]);
  const bool compiledBefore = entry.contains("compiled_shapes");
  Engine engine;
  auto kernel = engine.compile(
      text, std::span<const TensorType>(compiledBefore ? typesOf(entry["compiled_shapes"]) : types), optionsOf(entry));
  if (!kernel) return kernel.error();
  if (!compiledBefore) return {};
  std::vector<Buffer> buffers;
  std::vector<TensorView> operands;
  for (const TensorType &type : types) operands.push_back(buffers.emplace_back(type).view());
  TensorType result = kernel->results()[0];
  if (entry.contains("kwargs")) result = TensorType(DType::F64, entry["kwargs"]["out"]["shape"]);
  const TensorView view = buffers.emplace_back(result).view();
  return kernel->run(operands, {&view, 1});
}

json readEntries() {
  std::ifstream file(EIN_TEST_DATA "/conformance_invalid.json");
  return json::parse(file, nullptr, false);
}

TEST(Invalid, EachOfThem) {
  size_t refused = 0;
  for (const json &entry : readEntries()) {
    const std::string id = entry["id"], category = entry["category"];
    SCOPED_TRACE(id + " " + entry["expr"].dump());
    if (kDoesNotCompile.count(id)) continue;
    if (id == "E123") {
      EXPECT_FALSE(parseDType("bad_data_type"));
      ++refused;
      continue;
    }
    const Expected<void> outcome = attempt(entry);
    if (kLegal.count(id)) {
      EXPECT_TRUE(outcome) << outcome.error().render();
      continue;
    }
    ASSERT_FALSE(outcome);
    const Error &error = outcome.error();
    const auto special = kCodeOfCase.find(id);
    const ErrorCode code = special != kCodeOfCase.end() ? special->second : kCodes.at(category);
    EXPECT_EQ(std::string(errorCodeName(error.code)), errorCodeName(code)) << error.render();
    const bool isCall = category == "expression-call"; // no text is wrong there
    const bool hasText = !entry["expr"].is_string() || entry["expr"] != "";
    EXPECT_EQ(error.render().find('^') != std::string::npos, !isCall && hasText) << error.render();
    ++refused;
  }
  EXPECT_EQ(refused, 89 - kLegal.size() - kDoesNotCompile.size());
}

TEST(Invalid, HoldsTheCases) { EXPECT_EQ(readEntries().size(), 89u); }

} // namespace
