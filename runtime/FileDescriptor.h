// An open file that closes itself.
#pragma once

#include <string_view>
#include <unistd.h>
#include <utility>

namespace ein {

/// Owns a file descriptor; -1 is none.
class FileDescriptor {
public:
  explicit FileDescriptor(int number = -1) : number(number) {}
  FileDescriptor(FileDescriptor &&other) noexcept : number(std::exchange(other.number, -1)) {}
  FileDescriptor &operator=(FileDescriptor &&other) noexcept {
    std::swap(number, other.number);
    return *this;
  }
  ~FileDescriptor() {
    if (number >= 0) ::close(number);
  }

  explicit operator bool() const { return number >= 0; }
  int get() const { return number; }
  int release() { return std::exchange(number, -1); }

private:
  int number;
};

/// Writes all bytes; false, with errno set, on failure.
bool writeAll(const FileDescriptor &file, std::string_view bytes);

} // namespace ein
