// Printing of errors: the message, the user's text, carets under its places, notes and help.
#include "ein/Error.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace ein {

const char *errorCodeName(ErrorCode code) {
  switch (code) {
  case ErrorCode::Syntax: return "syntax";
  case ErrorCode::UnknownName: return "unknown-name";
  case ErrorCode::DuplicateName: return "duplicate-name";
  case ErrorCode::OperandCount: return "operand-count";
  case ErrorCode::Rank: return "rank";
  case ErrorCode::Extent: return "extent";
  case ErrorCode::DTypeMismatch: return "dtype-mismatch";
  case ErrorCode::Typing: return "typing";
  case ErrorCode::Layout: return "layout";
  case ErrorCode::Limit: return "limit";
  case ErrorCode::Unsupported: return "unsupported";
  case ErrorCode::Compile: return "compile";
  case ErrorCode::Run: return "run";
  case ErrorCode::IO: return "io";
  case ErrorCode::DeviceMissing: return "device-missing";
  }
  return "unknown";
}

namespace {

/// Lines with more columns than this are shown in part: `kWindow` columns from `kLead` before the label.
constexpr size_t kLongLine = 200, kWindow = 160, kLead = 40;

/// One line of the text as printable cells, one per code point.
struct Line {
  std::vector<std::string_view> cells;
  std::vector<size_t> offsets; ///< byte offset of each cell in the line

  /// The column of a byte; the number of cells for the end of the line.
  size_t columnOf(size_t byte) const {
    return static_cast<size_t>(std::lower_bound(offsets.begin(), offsets.end(), byte) - offsets.begin());
  }
};

/// A label in columns of its line.
struct Mark {
  size_t begin = 0, end = 0;
  std::string_view text;
};

bool leftOf(const Mark &a, const Mark &b) { return a.begin < b.begin; }

/// Bytes of the UTF-8 sequence at `s[i]`; 0 where there is none.
size_t sequenceLength(std::string_view s, size_t i) {
  const auto lead = static_cast<unsigned char>(s[i]);
  const size_t n = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (n == 0 || i + n > s.size()) return 0;
  for (size_t k = 1; k < n; ++k)
    if ((static_cast<unsigned char>(s[i + k]) & 0xC0) != 0x80) return 0;
  return n;
}

/// What a code point prints as: itself, unless it would move the cursor or confuse the terminal.
std::string_view printable(std::string_view codePoint) {
  const auto first = static_cast<unsigned char>(codePoint[0]);
  if (first == '\t' || first == '\r') return " ";
  const bool c1Control = first == 0xC2 && static_cast<unsigned char>(codePoint[1]) < 0xA0;
  return first < 0x20 || first == 0x7F || c1Control ? "\uFFFD" : codePoint;
}

Line splitCells(std::string_view line) {
  Line result;
  for (size_t i = 0; i < line.size();) {
    const size_t n = sequenceLength(line, i);
    result.cells.push_back(n ? printable(line.substr(i, n)) : "\uFFFD");
    result.offsets.push_back(i);
    i += n ? n : 1;
  }
  return result;
}

/// Prints columns [first, last) of a line, the carets and the labels. `marks` are sorted by column.
void renderWindow(std::string &out, const Line &line, size_t first, size_t last, const std::vector<Mark> &marks,
                  const std::string &head, const std::string &margin) {
  out += head;
  if (first > 0) out += "...";
  for (size_t i = first; i < last; ++i) out += line.cells[i];
  out += last < line.cells.size() ? "...\n" : "\n";
  if (marks.empty()) return;

  const auto place = [&](size_t column) { return column - first + (first > 0 ? 3 : 0); };
  std::string carets;
  for (const Mark &mark : marks) {
    const size_t end = std::max(mark.begin + 1, std::min(mark.end, last));
    carets.resize(std::max(carets.size(), place(end)), ' ');
    std::fill(carets.begin() + place(mark.begin), carets.begin() + place(end), '^');
  }
  out += margin + carets + "\n";

  // Rightmost label first, so that the bars of the others pass to its left.
  for (size_t i = marks.size(); i-- > 0;) {
    if (marks[i].text.empty()) continue;
    std::string row(place(marks[i].begin), ' ');
    for (size_t k = 0; k < i; ++k)
      if (marks[k].begin < marks[i].begin && !marks[k].text.empty()) row[place(marks[k].begin)] = '|';
    out += margin + row;
    out += marks[i].text;
    out += '\n';
  }
}

/// Prints a line whole, or of a long one a window for each group of labels that fits one.
void renderLine(std::string &out, const Line &line, const std::vector<Mark> &marks, const std::string &head,
                const std::string &margin) {
  const size_t size = line.cells.size();
  if (size <= kLongLine) return renderWindow(out, line, 0, size, marks, head, margin);
  if (marks.empty()) return renderWindow(out, line, 0, kWindow, marks, head, margin);
  for (size_t i = 0; i < marks.size();) {
    const size_t first = marks[i].begin > kLead ? marks[i].begin - kLead : 0;
    const size_t last = std::min(size, first + kWindow);
    std::vector<Mark> group;
    while (i < marks.size() && (marks[i].begin < last || last == size)) group.push_back(marks[i++]);
    renderWindow(out, line, first, last, group, head, margin);
  }
}

/// Prints the lines of the text that labels point into.
void renderText(std::string &out, const Error &error) {
  const std::string_view text = error.text;
  std::vector<size_t> lineStarts = {0};
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n') lineStarts.push_back(i + 1);
  // A final newline does not start a line, though a label may still sit behind it.
  const bool oneLine = lineStarts.size() == 1 || (lineStarts.size() == 2 && lineStarts[1] == text.size());

  std::map<size_t, std::vector<const Label *>> labelsOfLine;
  for (const Label &label : error.labels) {
    const size_t at = oneLine ? 0 : std::min<size_t>(label.span.begin, text.size());
    const auto next = std::upper_bound(lineStarts.begin(), lineStarts.end(), at);
    labelsOfLine[static_cast<size_t>(next - lineStarts.begin()) - 1].push_back(&label);
  }
  if (labelsOfLine.empty() && oneLine) labelsOfLine[0];

  const size_t digits = labelsOfLine.empty() ? 0 : std::to_string(labelsOfLine.rbegin()->first + 1).size();
  for (const auto &[number, labels] : labelsOfLine) {
    const size_t start = lineStarts[number];
    const size_t end = std::min(text.find('\n', start), text.size());
    const Line line = splitCells(text.substr(start, end - start));
    std::vector<Mark> marks;
    for (const Label *label : labels) {
      const auto column = [&](size_t byte) { return line.columnOf(std::clamp(byte, start, end) - start); };
      const Mark mark = {column(label->span.begin), column(label->span.end), label->text};
      marks.insert(std::upper_bound(marks.begin(), marks.end(), mark, leftOf), mark);
    }
    std::string head = "  ", margin = "  ";
    if (!oneLine) {
      const std::string word = std::to_string(number + 1);
      head += std::string(digits - word.size(), ' ') + word + " | ";
      margin += std::string(digits, ' ') + " | ";
    }
    renderLine(out, line, marks, head, margin);
  }
}

} // namespace

std::string Error::render() const {
  std::string out = rule.starts_with("W") ? "warning" : "error";
  out += (rule.empty() ? "" : "[" + rule + "]") + ": " + message + "\n";
  if (!text.empty()) renderText(out, *this);
  for (const std::string &note : notes) out += "note: " + note + "\n";
  if (!help.empty()) out += "help: " + help + "\n";
  return out;
}

} // namespace ein
