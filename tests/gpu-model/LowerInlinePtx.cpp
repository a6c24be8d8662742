// PTX in inline assembly: the instructions that emitters write this way because no operation stands for them.
#include "tests/gpu-model/ModelCalls.h"
#include "tests/gpu-model/WgmmaOperands.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace ein::gpumodel {
namespace {

/// "a, {b, c}, d" at the commas outside of braces, without blanks around.
SmallVector<StringRef> splitOperands(StringRef text) {
  SmallVector<StringRef> parts;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    char c = i < text.size() ? text[i] : ',';
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    if (c != ',' || (depth != 0 && i < text.size())) continue;
    parts.push_back(text.slice(begin, i).trim());
    begin = i + 1;
  }
  return parts;
}

/// One instruction of the text, and what predicates before it were set to.
class Assembly {
public:
  explicit Assembly(LLVM::InlineAsmOp op) : op(op), b(op) {
    StringRef text = op.getAsmString();
    text = text.trim();
    if (text.consume_front("{")) text.consume_back("}");
    SmallVector<StringRef> statements;
    text.split(statements, ';');
    for (StringRef statement : statements) {
      statement = statement.trim();
      if (statement.empty() || statement.starts_with(".reg")) continue;
      auto [name, rest] = statement.split(' ');
      if (name == "setp.ne.b32") {
        SmallVector<StringRef> operands = splitOperands(rest);
        if (operands.size() == 3 && operands[2] == "0") predicates[operands[0]] = operands[1];
        continue;
      }
      ++instructions;
      mnemonic = name;
      arguments = splitOperands(rest);
    }
  }

  LLVM::InlineAsmOp op;
  ModelCalls b;
  StringRef mnemonic;
  SmallVector<StringRef> arguments;
  llvm::StringMap<StringRef> predicates;
  unsigned instructions = 0;

  /// Registers that the instruction writes.
  size_t results() const {
    if (op->getNumResults() == 0) return 0;
    auto all = dyn_cast<LLVM::LLVMStructType>(op->getResult(0).getType());
    return all ? all.getBody().size() : 1;
  }
  /// The value of "$7", or of a number or predicate, as an operand; null where it is something else.
  Value value(StringRef text) {
    if (auto predicate = predicates.find(text); predicate != predicates.end()) text = predicate->second;
    int64_t number;
    if (text.consume_front("$")) {
      if (text.getAsInteger(10, number)) return {};
      if (size_t(number) < results()) return tied(size_t(number));
      size_t operand = size_t(number) - results();
      return operand < op.getOperands().size() ? op.getOperands()[operand] : Value();
    }
    return text.getAsInteger(10, number) ? Value() : b.i32(number);
  }
  /// The values of "{$1, $2}"; empty where there is something else.
  SmallVector<Value> values(StringRef text) {
    if (!text.consume_front("{") || !text.consume_back("}")) return {};
    SmallVector<Value> all;
    for (StringRef part : splitOperands(text)) {
      all.push_back(value(part));
      if (!all.back()) return {};
    }
    return all;
  }
  /// The operand that is tied to result `i`; null where none is.
  Value tied(size_t i) {
    SmallVector<StringRef> constraints;
    StringRef(op.getConstraints()).split(constraints, ',');
    for (size_t k = results(); k < constraints.size(); ++k)
      if (constraints[k] == std::to_string(i)) return op.getOperands()[k - results()];
    return {};
  }
  Value pack(ArrayRef<Value> values) {
    if (values.size() == 1 && values[0].getType() == op->getResult(0).getType()) return values[0];
    Value all = LLVM::UndefOp::create(b, op->getResult(0).getType());
    for (auto [i, v] : llvm::enumerate(values))
      all = LLVM::InsertValueOp::create(b, all, v, ArrayRef<int64_t>{int64_t(i)});
    return all;
  }
};

/// Nothing but registers that stay: what was written before is read from here on.
Lowered lowerTies(Assembly &assembly) {
  SmallVector<Value> values;
  for (size_t i = 0; i < assembly.results(); ++i) {
    values.push_back(assembly.tied(i));
    if (!values.back()) return Lowered::Unknown;
  }
  if (values.empty())
    assembly.op.erase();
  else
    assembly.b.replaceWith(assembly.pack(values));
  return Lowered::Done;
}

/// wgmma.mma_async.sync.aligned.m64nNkK.f32.TYPE.TYPE {d...}, A, B, accumulate, scale, scale[, transposed A,
/// transposed B], where A is a descriptor, or registers, which are never transposed.
Lowered lowerWgmma(Assembly &assembly) {
  SmallVector<StringRef> words;
  assembly.mnemonic.split(words, '.');
  ArrayRef<StringRef> arguments = assembly.arguments;
  if (words.size() != 8 || arguments.size() < 4 || (words[5] != "f32" && words[5] != "s32")) return Lowered::Unknown;
  WgmmaCall call;
  SmallVector<Value> accumulators = assembly.values(arguments[0]);
  bool inRegisters = arguments[1].starts_with("{");
  if (inRegisters)
    call.registersA = assembly.values(arguments[1]);
  else
    call.descriptorA = assembly.value(arguments[1]);
  call.descriptorB = assembly.value(arguments[2]);
  call.accumulate = assembly.value(arguments[3]);
  StringRef shape = words[4];
  bool shaped = shape.consume_front("m64n") && !shape.split('k').first.getAsInteger(10, call.n);
  if (accumulators.empty() || (inRegisters ? call.registersA.size() != 4 : !call.descriptorA) || !call.descriptorB ||
      !call.accumulate || !shaped)
    return Lowered::Unknown;
  call.typeA = words[6];
  call.typeB = words[7];
  auto negative = [&](size_t i) { return i < arguments.size() && arguments[i] == "-1"; };
  auto transposed = [&](size_t i) { return i < arguments.size() && arguments[i] == "1"; };
  call.flags = (negative(4) ? kNegateA : 0) | (negative(5) ? kNegateB : 0);
  if (!inRegisters) call.flags |= transposed(6) ? kMnMajorA : 0;
  call.flags |= transposed(inRegisters ? 6 : 7) ? kMnMajorB : 0;
  call.accumulators = assembly.pack(accumulators);
  Value results = emitWgmma(assembly.b, call);
  if (!results) return Lowered::Unknown;
  assembly.b.replaceWith(results);
  return Lowered::Done;
}

/// mma.sync.aligned.mMnNkK.row.col.D.A.B.C {d...}, {a...}, {b...}, {c...}
Lowered lowerMma(Assembly &assembly) {
  SmallVector<StringRef> words;
  assembly.mnemonic.split(words, '.');
  if (words.size() != 10 || words[4] != "row" || words[5] != "col" || assembly.arguments.size() != 4)
    return Lowered::Unknown;
  int64_t m, n, k;
  StringRef shape = words[3].drop_front(), rest;
  std::tie(shape, rest) = shape.split('n');
  bool bad = shape.getAsInteger(10, m);
  std::tie(shape, rest) = rest.split('k');
  bad |= shape.getAsInteger(10, n) || rest.getAsInteger(10, k);
  SmallVector<Value> inputs = assembly.values(assembly.arguments[1]);
  llvm::append_range(inputs, assembly.values(assembly.arguments[2]));
  SmallVector<Value> c = assembly.values(assembly.arguments[3]);
  if (bad || inputs.empty() || c.empty()) return Lowered::Unknown;
  SmallVector<Value> d = emitMma(assembly.b, m, n, k, words[7], words[8], inputs, c);
  if (d.size() != assembly.results()) return Lowered::Unknown;
  assembly.b.replaceWith(assembly.pack(d));
  return Lowered::Done;
}

/// lg2.approx.f32 and ex2.approx.f32, which the model computes as exactly as it can.
Lowered lowerUnary(Assembly &assembly) {
  Value x = assembly.arguments.size() == 2 ? assembly.value(assembly.arguments[1]) : Value();
  if (!x || !x.getType().isF32() || assembly.results() != 1) return Lowered::Unknown;
  bool isLog = assembly.mnemonic.starts_with("lg2.");
  ModelCalls &b = assembly.b;
  b.replaceWith(isLog ? LLVM::Log2Op::create(b, x).getResult() : LLVM::Exp2Op::create(b, x).getResult());
  return Lowered::Done;
}

} // namespace

bool isInlineWgmma(LLVM::InlineAsmOp op) { return op.getAsmString().contains("wgmma.mma_async"); }

Lowered lowerInlinePtx(LLVM::InlineAsmOp op) {
  Assembly assembly(op);
  if (assembly.instructions == 0) return lowerTies(assembly);
  if (assembly.instructions > 1) return Lowered::Unknown;
  if (assembly.mnemonic.starts_with("wgmma.mma_async.sync.aligned.")) return lowerWgmma(assembly);
  if (assembly.mnemonic.starts_with("mma.sync.aligned.")) return lowerMma(assembly);
  for (StringRef unary : {"lg2.approx.f32", "lg2.approx.ftz.f32", "ex2.approx.f32", "ex2.approx.ftz.f32"})
    if (assembly.mnemonic == unary) return lowerUnary(assembly);
  return Lowered::Unknown;
}

} // namespace ein::gpumodel
