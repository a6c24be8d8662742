// What einc tells its user: errors on stderr, exit codes, tensors as text.
#include "tools/einc/Report.h"

#include "compiler/IndexNotation/Element.h"
#include "tools/einc/Files.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

using namespace ein;

namespace einc {

ExitCode exitCode(ErrorCode code, While doing) {
  switch (code) {
  case ErrorCode::Syntax:
  case ErrorCode::UnknownName:
  case ErrorCode::DuplicateName:
  case ErrorCode::OperandCount:
  case ErrorCode::Rank:
  case ErrorCode::Extent:
  case ErrorCode::DTypeMismatch:
  case ErrorCode::Typing:
  case ErrorCode::Layout:
  case ErrorCode::Limit: return kUserError;
  case ErrorCode::Unsupported:
  case ErrorCode::Compile: return kCompileFailure;
  case ErrorCode::Run: return kRunFailure;
  case ErrorCode::IO: return doing == While::Writing ? kRunFailure : kUserError;
  case ErrorCode::DeviceMissing: return kDeviceMissing;
  }
  return kCompileFailure;
}

/// Prints a report; what stands before its first colon in colour where stderr is a terminal.
static void print(const Error &error, const char *colour) {
  std::string report = error.render();
  if (isatty(STDERR_FILENO) && !std::getenv("NO_COLOR")) {
    report.insert(report.find(':') + 1, "\033[0m");
    report.insert(0, colour);
  }
  std::fputs(report.c_str(), stderr);
}

ExitCode fail(const Error &error, While doing) {
  print(error, "\033[1;31m");
  return exitCode(error.code, doing);
}

void warn(const std::vector<Error> &warnings) {
  for (const Error &warning : warnings) print(warning, "\033[1;33m");
}

/// The shortest text that reads back as the same value: "1.", "0.25", "1e+20", "-inf".
template <class T> static std::string valueText(T value) {
  char buffer[64];
  auto [end, status] = std::to_chars(buffer, buffer + sizeof buffer, value);
  std::string text(buffer, end);
  return text.find_first_not_of("-0123456789") == text.npos ? text + '.' : text;
}

static std::string elementText(const TensorView &view, int64_t element) {
  const DType dtype = view.type.dtype;
  if (isInteger(dtype) || dtype == DType::Bool) {
    const int64_t value = integerAt(dtype, view.data, element);
    return dtype == DType::U64 ? std::to_string(static_cast<uint64_t>(value)) : std::to_string(value);
  }
  auto part = [&](int64_t i) {
    const double value = elementAt(partType(dtype), view.data, i);
    return partType(dtype) == DType::F64 ? valueText(value) : valueText(static_cast<float>(value));
  };
  if (!isComplex(dtype)) return part(element);
  const std::string imaginary = part(2 * element + 1);
  return part(2 * element) + (imaginary[0] == '-' ? "" : "+") + imaginary + "j";
}

/// The first and last three of a long array.
static std::string printElided(const TensorView &view) {
  int64_t count = view.type.numElements();
  std::string out = "[";
  for (int64_t i : {0, 1, 2}) out += elementText(view, i) + ' ';
  out += "...";
  for (int64_t i : {3, 2, 1}) out += ' ' + elementText(view, count - i);
  return out + "] (flattened, " + std::to_string(count) + " elements; -o FILE.npy writes them all)\n";
}

/// Brackets open and close where the flat position is a multiple of the inner dimensions' element count.
static std::string printNested(const TensorView &view) {
  const std::vector<int64_t> &shape = view.type.shape;
  int64_t count = view.type.numElements();
  std::vector<std::string> cells;
  size_t width = 0;
  for (int64_t i = 0; i < count; ++i) {
    cells.push_back(elementText(view, i));
    width = std::max(width, cells.back().size());
  }
  std::string out;
  for (int64_t i = 0; i < count; ++i) {
    size_t opened = 0, closed = 0;
    int64_t inner = 1;
    for (size_t d = shape.size(); d-- > 0;) {
      inner *= shape[d];
      opened += i % inner == 0;
      closed += (i + 1) % inner == 0;
    }
    if (i > 0) out += opened > 0 ? std::string(shape.size() - opened, ' ') : " ";
    out.append(opened, '[').append(width - cells[static_cast<size_t>(i)].size(), ' ') += cells[static_cast<size_t>(i)];
    out.append(closed, ']');
    if (closed > 0 || shape.empty()) out += '\n';
  }
  return count == 0 ? "[]\n" : out;
}

std::string printTensor(const TensorView &view) {
  constexpr int64_t most = 1000;
  return view.type.str() + '\n' + (view.type.numElements() > most ? printElided(view) : printNested(view));
}

Expected<void> printResult(const std::string &text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    return systemError("cannot write", "standard output");
  return {};
}

} // namespace einc
