// Parsing of kernel lists: lines of words.
#include "tools/einc/KernelList.h"

#include <set>

using namespace ein;

namespace einc {

namespace {

/// A word and where it stands.
struct Word {
  std::string text;
  Span span;
};

class ListParser {
public:
  explicit ListParser(std::string_view text) : text(text) {}

  Expected<std::vector<ListedKernel>> parse() {
    std::vector<ListedKernel> kernels;
    while (at < text.size()) {
      auto words = line();
      if (!words) return words.error();
      if (words->empty()) continue;
      auto kernel = kernelOf(*words);
      if (!kernel) return kernel.error();
      kernels.push_back(std::move(*kernel));
    }
    if (kernels.empty()) return makeError(ErrorCode::Syntax, "the list names no kernel", help());
    return kernels;
  }

private:
  static const char *help() { return "a line is NAME 'EXPRESSION' TYPE..., as in mm 'ik,kj->ij' f32[4,4] f32[4,4]"; }

  Error failure(ErrorCode code, const std::string &message, Span span) const {
    Error error = makeError(code, message, help());
    error.text = text;
    error.labels = {{span, ""}};
    return error;
  }

  /// The words up to the end of the line, which is passed.
  Expected<std::vector<Word>> line() {
    std::vector<Word> words;
    for (; at < text.size() && text[at] != '\n';) {
      const char c = text[at];
      if (c == ' ' || c == '\t' || c == '\r') {
        ++at;
      } else if (c == '#') {
        at = std::min(text.find('\n', at), text.size());
      } else {
        auto next = word();
        if (!next) return next.error();
        words.push_back(std::move(*next));
      }
    }
    ++at;
    return words;
  }

  Expected<Word> word() {
    const size_t begin = at;
    const char quote = text[at] == '\'' || text[at] == '"' ? text[at] : '\0';
    const size_t end = quote ? text.find_first_of(std::string{quote, '\n'}, at + 1) : text.find_first_of(" \t\r\n", at);
    if (quote && (end == text.npos || text[end] == '\n'))
      return failure(ErrorCode::Syntax, "the quotation is not closed on its line", spanOf(begin, begin + 1));
    const size_t stop = std::min(end, text.size());
    at = quote ? stop + 1 : stop;
    const size_t first = quote ? begin + 1 : begin;
    return Word{std::string(text.substr(first, stop - first)), spanOf(first, stop)};
  }

  static Span spanOf(size_t begin, size_t end) { return {static_cast<uint32_t>(begin), static_cast<uint32_t>(end)}; }

  Expected<ListedKernel> kernelOf(const std::vector<Word> &words) {
    ListedKernel kernel{words[0].text, {}, {}};
    if (words.size() < 2 || kernel.name.empty())
      return failure(ErrorCode::Syntax, "a kernel needs a name and an expression", words[0].span);
    if (!names.insert(kernel.name).second)
      return failure(ErrorCode::DuplicateName, "two kernels are called '" + kernel.name + "'", words[0].span);
    kernel.text = words[1].text;
    for (size_t i = 2; i < words.size(); ++i) {
      auto type = TensorType::parse(words[i].text);
      if (!type) {
        Error error = failure(type.error().code, type.error().message, words[i].span);
        if (!type.error().help.empty()) error.help = type.error().help;
        return error;
      }
      kernel.operands.push_back(std::move(*type));
    }
    return kernel;
  }

  std::string_view text;
  size_t at = 0;
  std::set<std::string> names;
};

} // namespace

Expected<std::vector<ListedKernel>> parseKernelList(std::string_view text) { return ListParser(text).parse(); }

} // namespace einc
