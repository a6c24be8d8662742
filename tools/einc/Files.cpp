// Reading text and writing files whole or not at all.
#include "tools/einc/Files.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <unistd.h>

using namespace ein;

namespace einc {

Error systemError(const std::string &what, const std::string &path) {
  return makeError(ErrorCode::IO, what + " '" + path + "': " + std::strerror(errno));
}

Expected<std::string> readText(const std::string &path, size_t limit) {
  std::unique_ptr<std::FILE, int (*)(std::FILE *)> opened(nullptr, std::fclose);
  std::FILE *file = stdin;
  if (path != "-") {
    opened.reset(std::fopen(path.c_str(), "rb"));
    file = opened.get();
  }
  if (!file) return systemError("cannot open", path);
  std::string text(limit + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  if (std::ferror(file)) return systemError("cannot read", path);
  if (text.size() > limit)
    return makeError(ErrorCode::Limit, "'" + path + "' holds more than " + std::to_string(limit) + " bytes of text");
  return text;
}

/// Writes everything to `fd` and closes it. False, with errno set, on failure.
static bool writeAndClose(int fd, std::initializer_list<std::string_view> pieces) {
  for (std::string_view piece : pieces)
    while (!piece.empty()) {
      ssize_t written = ::write(fd, piece.data(), piece.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        int reason = errno;
        ::close(fd);
        errno = reason;
        return false;
      }
      piece.remove_prefix(static_cast<size_t>(written));
    }
  return ::close(fd) == 0;
}

Expected<void> writeFile(const std::string &path, std::initializer_list<std::string_view> pieces) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  // Renaming over a device would replace it, and over a symbolic link would cut it.
  if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) {
    int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return systemError("cannot open", path);
    if (!writeAndClose(fd, pieces)) return systemError("cannot write", path);
    return {};
  }
  std::string final = fs::is_symlink(path, ignored) ? fs::weakly_canonical(path, ignored).string() : path;
  std::string temporary = final + "." + std::to_string(::getpid()) + ".tmp";
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return systemError("cannot create", path);
  if (writeAndClose(fd, pieces) && std::rename(temporary.c_str(), final.c_str()) == 0) return {};
  Error error = systemError("cannot write", path);
  ::unlink(temporary.c_str());
  return error;
}

} // namespace einc
