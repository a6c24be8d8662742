// numpy's .npy files: every dtype (bf16 as void of 2 bytes), little-endian, C and Fortran order.
#include "tools/einc/Npy.h"

#include "tools/einc/Files.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

using namespace ein;

namespace einc {

static_assert(std::endian::native == std::endian::little, "arrays are read and written as they lie in memory");

static constexpr std::string_view kMagic = "\x93NUMPY";

/// numpy's names of our dtypes. It has none for bf16: its bytes are what numpy calls void ('<V2', as ml_dtypes writes).
static constexpr std::pair<std::string_view, DType> kDescriptions[] = {
    {"<f4", DType::F32},   {"<f8", DType::F64}, {"<f2", DType::F16}, {"<V2", DType::BF16}, {"<c8", DType::C64},
    {"<c16", DType::C128}, {"|i1", DType::I8},  {"<i2", DType::I16}, {"<i4", DType::I32},  {"<i8", DType::I64},
    {"|u1", DType::U8},    {"<u2", DType::U16}, {"<u4", DType::U32}, {"<u8", DType::U64},  {"|b1", DType::Bool}};

static std::optional<DType> dtypeOf(std::string_view description) {
  for (const auto &[word, dtype] : kDescriptions)
    if (word == description) return dtype;
  return std::nullopt;
}

namespace {

/// Reads the Python dictionary literal of a header; each method returns false where the text does not fit.
///
///     header = "{" field { "," field } [ "," ] "}" { " " } [ "\n" ] .
///     field  = string ":" ( string | "True" | "False" | tuple ) .
class HeaderParser {
public:
  explicit HeaderParser(std::string_view text) : rest(text) {}

  std::optional<std::string_view> descr;
  std::optional<bool> fortranOrder;
  std::optional<std::vector<int64_t>> shape;

  bool parse() {
    if (!eat("{")) return false;
    while (!eat("}")) {
      if (!field()) return false;
      if (eat(",")) continue;
      if (!eat("}")) return false;
      break;
    }
    skipSpace();
    return rest.empty() && descr && fortranOrder && shape;
  }

private:
  std::string_view rest;

  void skipSpace() { rest.remove_prefix(std::min(rest.find_first_not_of(" \n"), rest.size())); }
  bool eat(std::string_view token) {
    skipSpace();
    if (!rest.starts_with(token)) return false;
    rest.remove_prefix(token.size());
    return true;
  }

  /// string = "'" { character } "'" .
  std::optional<std::string_view> string() {
    if (!eat("'")) return std::nullopt;
    size_t end = rest.find('\'');
    if (end == rest.npos) return std::nullopt;
    std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return word;
  }

  /// tuple = "(" [ integer { "," integer } [ "," ] ] ")" .
  bool tuple() {
    std::vector<int64_t> extents;
    if (!eat("(")) return false;
    while (!eat(")")) {
      skipSpace();
      int64_t extent = 0;
      auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), extent);
      if (error != std::errc() || extent < 0) return false;
      rest.remove_prefix(static_cast<size_t>(end - rest.data()));
      extents.push_back(extent);
      if (eat(",")) continue;
      if (!eat(")")) return false;
      break;
    }
    shape = std::move(extents);
    return true;
  }

  bool field() {
    auto key = string();
    if (!key || !eat(":")) return false;
    if (*key == "descr" && !descr) {
      // A structured dtype is a list; keep its text for the message.
      skipSpace();
      descr = rest.starts_with('\'') ? string() : std::optional(rest.substr(0, 0));
      return descr.has_value();
    }
    if (*key == "fortran_order" && !fortranOrder) {
      if (eat("True"))
        fortranOrder = true;
      else if (eat("False"))
        fortranOrder = false;
      return fortranOrder.has_value();
    }
    return *key == "shape" && !shape && tuple();
  }
};

/// An open .npy file whose header has been accepted.
struct OpenNpy {
  int fd = -1;
  NpyHeader header;

  OpenNpy() = default;
  OpenNpy(const OpenNpy &) = delete;
  OpenNpy &operator=(const OpenNpy &) = delete;
  ~OpenNpy() {
    if (fd >= 0) ::close(fd);
  }
};

} // namespace

static Error badFile(const std::string &name, const std::string &why) {
  return makeError(ErrorCode::IO, "'" + name + "' is not a .npy file that can be read: " + why);
}

/// The column-major type. Requires a shape that `verify` accepts.
static TensorType fortranType(DType dtype, const std::vector<int64_t> &shape) {
  std::vector<int64_t> strides;
  int64_t stride = 1;
  for (int64_t extent : shape) {
    strides.push_back(stride);
    stride *= std::max<int64_t>(extent, 1);
  }
  return TensorType(dtype, shape, std::move(strides));
}

Expected<NpyHeader> parseNpyHeader(std::string_view start, uint64_t fileSize, const std::string &name) {
  if (!start.starts_with(kMagic)) return badFile(name, "it does not start with \\x93NUMPY");
  if (start.size() < 12) return badFile(name, "it ends inside its header");
  auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<unsigned char>(start[i])); };
  uint64_t major = byte(6), minor = byte(7);
  if (major < 1 || major > 3 || minor != 0)
    return badFile(name, "version " + std::to_string(major) + "." + std::to_string(minor) +
                             " is unknown (accepted: 1.0, 2.0, 3.0)");
  uint64_t begin = major == 1 ? 10 : 12;
  uint64_t length = byte(8) | byte(9) << 8;
  if (major > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (begin + length > kMaxNpyHeader) return badFile(name, "its header claims " + std::to_string(length) + " bytes");
  if (begin + length > start.size()) return badFile(name, "it ends inside its header");

  HeaderParser parser(start.substr(begin, length));
  bool wellFormed = parser.parse();
  if (parser.descr && !dtypeOf(*parser.descr)) {
    std::string dtype = parser.descr->empty() ? "a structured dtype" : "dtype '" + std::string(*parser.descr) + "'";
    return makeError(ErrorCode::DTypeMismatch, "'" + name + "' holds " + dtype + ", which is not accepted",
                     "accepted: floats, complex numbers and integers of little-endian machines, bool; in numpy, "
                     "a.astype('float32') converts");
  }
  if (!wellFormed) return badFile(name, "its header is malformed");

  NpyHeader header;
  header.dataOffset = begin + length;
  DType dtype = *dtypeOf(*parser.descr);
  header.type = TensorType(dtype, *parser.shape);
  if (auto ok = header.type.verify(); !ok) return badFile(name, ok.error().message);
  if (*parser.fortranOrder) {
    // Where both orders are the same, the row-major type is the one that hits the cache.
    TensorType fortran = fortranType(dtype, *parser.shape);
    if (!fortran.isContiguous()) header.type = std::move(fortran);
  }
  uint64_t promised = static_cast<uint64_t>(header.type.numElements() * byteSize(dtype));
  uint64_t present = fileSize - header.dataOffset;
  if (promised != present)
    return badFile(name, header.type.str() + " takes " + std::to_string(promised) + " bytes, but " +
                             std::to_string(present) + " follow the header");
  return header;
}

/// Reads `size` bytes from the descriptor's position. The number read: fewer at the end of the file, negative on error.
static ssize_t readFully(int fd, void *to, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t n = ::read(fd, static_cast<char *>(to) + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return n;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

/// Opens a file and parses its header; the descriptor is left at the array's first byte.
static Expected<std::unique_ptr<OpenNpy>> openNpy(const std::string &path) {
  auto npy = std::make_unique<OpenNpy>();
  int fd = npy->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return systemError("cannot open", path);
  struct stat info;
  if (::fstat(fd, &info) != 0) return systemError("cannot read", path);
  if (!S_ISREG(info.st_mode)) return badFile(path, "it is not a regular file");
  std::string start(std::min<size_t>(static_cast<size_t>(info.st_size), kMaxNpyHeader), '\0');
  ssize_t n = readFully(fd, start.data(), start.size());
  if (n < 0) return systemError("cannot read", path);
  start.resize(static_cast<size_t>(n));
  auto header = parseNpyHeader(start, static_cast<uint64_t>(info.st_size), path);
  if (!header) return header.error();
  npy->header = *header;
  if (::lseek(fd, static_cast<off_t>(header->dataOffset), SEEK_SET) < 0) return systemError("cannot read", path);
  return std::move(npy);
}

Expected<TensorType> readNpyType(const std::string &path) {
  auto npy = openNpy(path);
  if (!npy) return npy.error();
  return (*npy)->header.type;
}

Expected<HostTensor> readNpy(const std::string &path) {
  auto npy = openNpy(path);
  if (!npy) return npy.error();
  auto tensor = HostTensor::allocate((*npy)->header.type);
  if (!tensor) return tensor.error();
  size_t bytes = static_cast<size_t>(tensor->view.type.numElements() * byteSize(tensor->view.type.dtype));
  ssize_t n = readFully((*npy)->fd, tensor->memory.get(), bytes);
  if (n < 0) return systemError("cannot read", path);
  if (static_cast<size_t>(n) != bytes) return badFile(path, "it shrank while it was read");
  return tensor;
}

Expected<void> writeNpy(const std::string &path, const TensorView &view) {
  assert(view.type.isContiguous() && "only row-major arrays are written");
  std::string dictionary = "{'descr': '";
  for (const auto &[word, dtype] : kDescriptions)
    if (dtype == view.type.dtype) dictionary += word;
  dictionary += "', 'fortran_order': False, 'shape': (";
  for (int64_t extent : view.type.shape) dictionary += std::to_string(extent) + ", ";
  if (view.type.rank() > 1) dictionary.resize(dictionary.size() - 2);
  dictionary += "), }";
  // The array starts at a multiple of 64 bytes; the header ends in a line feed.
  size_t total = (kMagic.size() + 4 + dictionary.size() + 1 + 63) / 64 * 64;
  dictionary.append(total - kMagic.size() - 4 - dictionary.size() - 1, ' ').append("\n");
  std::string prefix = std::string(kMagic) + '\1' + '\0';
  prefix += static_cast<char>(dictionary.size() & 0xff);
  prefix += static_cast<char>(dictionary.size() >> 8);
  size_t bytes = static_cast<size_t>(view.type.numElements() * byteSize(view.type.dtype));
  return writeFile(path, {prefix, dictionary, std::string_view(static_cast<const char *>(view.data), bytes)});
}

} // namespace einc
