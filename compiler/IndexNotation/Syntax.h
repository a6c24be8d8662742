// The syntax tree of a Program text: what was written, before names have a meaning.
#pragma once

#include "compiler/IndexNotation/Lexer.h"
#include "compiler/IndexNotation/Program.h"

#include <optional>
#include <string_view>
#include <vector>

namespace ein {

using NodeId = uint32_t;

/// A node of an expression as written. Children come before parents in `Syntax::nodes`.
struct SyntaxNode {
  enum class Kind : uint8_t {
    Literal,   ///< `literal`
    Reference, ///< `word`, a tensor or an index
    Access,    ///< word[names...]; a name may be "0", or empty for the next of `args`
    Apply,     ///< fn(args...); of a cast `word` is the dtype
    Reduction, ///< word[names... -> list | guard](args[0], named... = args[1]...)
    Einsum,    ///< einsum("word", names..., over = semiring); an empty name stands for the next of `args`
  };
  Kind kind = Kind::Literal;
  Span span;
  Word word;
  Fn fn = Fn::Add;
  double literal = 0;
  std::vector<Word> names, named;
  std::optional<Word> list, semiring;
  std::vector<NodeId> args;
  std::optional<NodeId> guard;
};

/// The statements of a Program text, by sort, each in the order of the text.
struct Syntax {
  struct IndexDecl {
    Word name;
    std::vector<Word> factors; ///< integers and index names; empty: the extent comes from its uses
  };
  struct Input {
    Word name, dtype;
    std::vector<Word> axes;
    std::vector<uint32_t> groups; ///< how many axes each dimension has
    std::optional<Word> sorted, below;
  };
  struct Let {
    Word name;
    std::optional<std::vector<Word>> axes;
    std::optional<Word> dtype;
    NodeId begin = 0, value = 0; ///< the nodes of the right-hand side are begin .. value
  };
  struct Output {
    Word name;
    std::optional<std::vector<Word>> axes;
    std::optional<Word> dtype;
  };

  struct Requirement {
    Word kind;
    std::vector<Word> names;
  };

  std::vector<SyntaxNode> nodes;
  std::vector<IndexDecl> indices;
  std::vector<Input> inputs;
  std::vector<Let> lets;
  std::vector<Output> outputs;
  std::vector<Requirement> requirements;
  std::vector<Word> stores;
};

/// Parentheses, calls and conditionals may nest this deep; operators may chain this long.
inline constexpr int kMaxNesting = 256;
inline constexpr uint32_t kMaxExpressionDepth = 5000;

/// Parses a Program text. The tree points into `text`.
Expected<Syntax> parseSyntax(std::string_view text);

} // namespace ein
