// Tensor types: strides, bounds, checks and their text form. All arithmetic is checked.
#include "ein/TensorType.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <utility>

namespace ein {
namespace {

constexpr size_t kMaxRank = 64;
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

/// Row-major strides; those that do not fit saturate, for `verify` to refuse.
std::vector<int64_t> rowMajorStrides(const std::vector<int64_t> &shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    strides[d] = stride;
    if (__builtin_mul_overflow(stride, std::max<int64_t>(shape[d], 1), &stride)) stride = kMax;
  }
  return strides;
}

void appendList(std::string &out, const std::vector<int64_t> &values, char open, char close) {
  out += open;
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(values[i]);
  }
  out += close;
}

/// Reads `dtype "[" [int {"," int}] "]" ["{" [int {"," int}] "}"]`; white space between tokens.
class TypeParser {
public:
  explicit TypeParser(std::string_view text) : text(text) {}

  Expected<TensorType> parse() {
    skipSpace();
    const size_t begin = at;
    while (at < text.size() && text[at] != '[' && text[at] != ' ') ++at;
    const std::optional<DType> dtype = parseDType(text.substr(begin, at - begin));
    if (!dtype)
      return failure(ErrorCode::Syntax, "'" + std::string(text.substr(begin, at - begin)) + "' is not a dtype", begin,
                     "a type is a dtype and a shape, as in f32[64,32]; f64[] is a scalar; dtypes are " +
                         std::string(kDTypeNames));
    auto shape = list('[', ']');
    if (!shape) return shape.error();
    TensorType type(*dtype, std::move(*shape));
    skipSpace();
    if (at < text.size() && text[at] == '{') {
      auto strides = list('{', '}');
      if (!strides) return strides.error();
      type.strides = std::move(*strides);
      skipSpace();
    }
    if (at != text.size()) return failure(ErrorCode::Syntax, "unexpected text behind the type", at);
    if (auto fine = type.verify(); !fine) {
      Error error = fine.error();
      error.text = text;
      error.labels = {{{0, static_cast<uint32_t>(text.size())}, ""}};
      return error;
    }
    return type;
  }

private:
  Error failure(ErrorCode code, std::string message, size_t begin, std::string help = {}) const {
    Error error = makeError(code, std::move(message), std::move(help));
    error.text = text;
    error.labels = {{{static_cast<uint32_t>(begin), static_cast<uint32_t>(std::max(begin, at))}, ""}};
    return error;
  }

  void skipSpace() {
    while (at < text.size() && text[at] == ' ') ++at;
  }

  bool take(char c) {
    skipSpace();
    if (at == text.size() || text[at] != c) return false;
    ++at;
    return true;
  }

  Expected<std::vector<int64_t>> list(char open, char close) {
    std::vector<int64_t> values;
    if (!take(open)) return failure(ErrorCode::Syntax, std::string("expected '") + open + "'", at);
    if (take(close)) return values;
    do {
      skipSpace();
      int64_t value = 0;
      const auto [end, status] = std::from_chars(text.data() + at, text.data() + text.size(), value);
      const size_t begin = at;
      at = static_cast<size_t>(end - text.data());
      if (status == std::errc::result_out_of_range)
        return failure(ErrorCode::Limit, "'" + std::string(text.substr(begin, at - begin)) + "' does not fit 63 bits",
                       begin);
      if (status != std::errc()) return failure(ErrorCode::Syntax, "expected an integer", begin);
      if (values.size() == kMaxRank)
        return failure(ErrorCode::Limit, "more than " + std::to_string(kMaxRank) + " dimensions", begin);
      values.push_back(value);
    } while (take(','));
    if (!take(close)) return failure(ErrorCode::Syntax, std::string("expected ',' or '") + close + "'", at);
    return values;
  }

  std::string_view text;
  size_t at = 0;
};

} // namespace

TensorType::TensorType(DType dtype, std::vector<int64_t> shape)
    : dtype(dtype), shape(std::move(shape)), strides(rowMajorStrides(this->shape)) {}

int64_t TensorType::numElements() const {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

bool TensorType::isContiguous() const {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return true;
  int64_t stride = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    if (shape[d] == 1) continue;
    if (strides[d] != stride) return false;
    stride *= shape[d];
  }
  return true;
}

void TensorType::addressRange(int64_t &low, int64_t &high) const {
  low = high = 0;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return;
  for (size_t d = 0; d < shape.size(); ++d) (strides[d] < 0 ? low : high) += (shape[d] - 1) * strides[d];
  ++high;
}

bool TensorType::mayOverlapItself() const {
  constexpr int64_t most = int64_t(1) << 20;
  if (numElements() < 2) return false;
  std::vector<std::pair<int64_t, int64_t>> dims; // stride, extent
  for (size_t d = 0; d < shape.size(); ++d)
    if (shape[d] > 1) dims.emplace_back(std::abs(strides[d]), shape[d]);
  std::sort(dims.begin(), dims.end());
  bool nests = true;
  int64_t reach = 0; // of the dimensions so far
  for (const auto &[stride, extent] : dims) {
    nests &= stride > reach;
    reach += stride * (extent - 1);
  }
  if (nests || numElements() > most) return !nests;
  std::vector<int64_t> offsets{0};
  offsets.reserve(static_cast<size_t>(numElements()));
  for (const auto &[stride, extent] : dims)
    for (size_t i = 0, count = offsets.size() * static_cast<size_t>(extent - 1); i < count; ++i)
      offsets.push_back(offsets[i] + stride);
  std::sort(offsets.begin(), offsets.end());
  return std::adjacent_find(offsets.begin(), offsets.end()) != offsets.end();
}

Expected<void> TensorType::verify() const {
  if (shape.size() > kMaxRank)
    return makeError(ErrorCode::Limit,
                     "rank " + std::to_string(shape.size()) + " is above the limit of " + std::to_string(kMaxRank));
  if (strides.size() != shape.size())
    return makeError(ErrorCode::Layout, std::to_string(strides.size()) + " strides for " +
                                            std::to_string(shape.size()) + " dimensions, shape " + shapeString(shape));
  // An extent of 0 counts as 1 here: what is refused does not depend on the order of the extents, and
  // no product of some of them can overflow later.
  int64_t bytes = byteSize(dtype), low = 0, high = 1;
  bool overflow = false;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] < 0)
      return makeError(ErrorCode::Extent,
                       "dimension " + std::to_string(d) + " has the negative extent " + std::to_string(shape[d]));
    int64_t step = 0, strideBytes = 0;
    const int64_t extent = std::max<int64_t>(shape[d], 1);
    overflow |= __builtin_mul_overflow(bytes, extent, &bytes);
    overflow |= __builtin_mul_overflow(strides[d], byteSize(dtype), &strideBytes);
    overflow |= __builtin_mul_overflow(strides[d], extent - 1, &step);
    int64_t &bound = strides[d] < 0 ? low : high;
    overflow |= __builtin_add_overflow(bound, step, &bound);
  }
  int64_t span = 0;
  overflow |= __builtin_sub_overflow(high, low, &span);
  overflow |= __builtin_mul_overflow(span, byteSize(dtype), &span);
  if (overflow) return makeError(ErrorCode::Limit, "the bytes of " + str() + " do not fit 63 bits");
  return {};
}

std::string TensorType::str() const {
  std::string out(name(dtype));
  appendList(out, shape, '[', ']');
  if (strides != rowMajorStrides(shape)) appendList(out, strides, '{', '}');
  return out;
}

Expected<TensorType> TensorType::parse(std::string_view text) { return TypeParser(text).parse(); }

std::string shapeString(const std::vector<int64_t> &shape) {
  std::string out;
  appendList(out, shape, '[', ']');
  return out;
}

} // namespace ein
