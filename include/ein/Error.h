// Errors as values: what went wrong, where in the user's text, and what would be accepted.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ein {

/// What kind of mistake an `Error` reports. The printed names are stable (`errorCodeName`).
enum class ErrorCode : uint8_t {
  Syntax,        ///< the text does not follow the grammar
  UnknownName,   ///< a name or index that nothing declares
  DuplicateName, ///< a name or output index declared twice
  OperandCount,  ///< more or fewer operands than the expression names
  Rank,          ///< an operand's rank does not fit its subscripts
  Extent,        ///< two uses of one index disagree on its extent
  DTypeMismatch, ///< operands of different dtypes, or a dtype that is not accepted here
  Typing,        ///< an ill-typed Program: left-over index, guard that is not bool, ...
  Layout,        ///< strides or a result layout that cannot be used
  Limit,         ///< an extent, byte count, operand count or text length beyond a limit
  Unsupported,   ///< valid, but not built yet for this target
  Compile,       ///< the compiler failed; ours, not the user's
  Run,           ///< the kernel could not be run
  IO,            ///< a file could not be read or written
  DeviceMissing, ///< the target needs a device that is not here
};

/// Stable lower-case name of a code, for tests and machines: "syntax", "unknown-name", ...
const char *errorCodeName(ErrorCode code);

/// Half-open byte range [begin, end) into the user's text.
struct Span {
  uint32_t begin = 0;
  uint32_t end = 0;
};

/// A span with what to say under its caret.
struct Label {
  Span span;
  std::string text;
};

/// A mistake, its places in the text and its remedy. A value: copyable, printable, no globals.
struct Error {
  ErrorCode code = ErrorCode::Syntax;
  std::string message;       ///< one line, no full stop, names the values involved
  std::string text;          ///< the user's text the labels point into; empty if there is none
  std::vector<Label> labels; ///< in order of importance
  std::vector<std::string> notes;
  std::string help; ///< what would be accepted; empty where nothing is obvious
  std::string rule; ///< stable code of the rule of docs/notation.md that is broken: "E07"; of a warning "W01"; or empty

  /// The whole report, newline-terminated; with a rule the first words are `error[E02]` or `warning[W01]`.
  ///
  ///     error: index 'k' has extent 3 in operand 0 but 7 in operand 1
  ///       ijk,kl->ijl
  ///         ^ ^
  ///         | extent 7: dimension 0 of operand 1, shape [7,3]
  ///         extent 3: dimension 2 of operand 0, shape [2,4,3]
  ///     note: only extent 1 broadcasts
  ///
  /// Carets count columns in code points; of a text of several lines only the lines with labels are
  /// shown, each after its line number.
  std::string render() const;
};

/// Makes an error without a place.
inline Error makeError(ErrorCode code, std::string message, std::string help = {}) {
  Error e;
  e.code = code;
  e.message = std::move(message);
  e.help = std::move(help);
  return e;
}

/// Either a `T` or an `Error`. `T` may be void.
template <class T> class [[nodiscard]] Expected {
public:
  Expected(T value) : state(std::in_place_index<0>, std::move(value)) {}
  Expected(Error error) : state(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state.index() == 0; }
  T &operator*() { return value(); }
  const T &operator*() const { return value(); }
  T *operator->() { return &value(); }
  const T *operator->() const { return &value(); }

  /// Requires a value.
  T &value() {
    assert(*this && "Expected holds an error");
    return *std::get_if<0>(&state);
  }
  const T &value() const {
    assert(*this && "Expected holds an error");
    return *std::get_if<0>(&state);
  }
  /// Requires an error.
  Error &error() {
    assert(!*this && "Expected holds a value");
    return *std::get_if<1>(&state);
  }
  const Error &error() const {
    assert(!*this && "Expected holds a value");
    return *std::get_if<1>(&state);
  }

private:
  std::variant<T, Error> state;
};

template <> class [[nodiscard]] Expected<void> {
public:
  Expected() {} // not defaulted: that would clear the room of an Error at each `return {}`
  Expected(Error error) : state(std::move(error)) {}

  explicit operator bool() const { return state.index() == 0; }
  Error &error() {
    assert(!*this && "Expected holds a value");
    return *std::get_if<1>(&state);
  }
  const Error &error() const {
    assert(!*this && "Expected holds a value");
    return *std::get_if<1>(&state);
  }

private:
  std::variant<std::monostate, Error> state;
};

} // namespace ein
