// Reading text and writing files whole or not at all.
#pragma once

#include "ein/Error.h"

#include <initializer_list>
#include <string>
#include <string_view>

namespace einc {

/// The contents of a file, or of standard input if `path` is "-". Refuses more than `limit` bytes (ErrorCode::Limit)
/// and anything unreadable (ErrorCode::IO).
ein::Expected<std::string> readText(const std::string &path, size_t limit);

/// Writes the pieces one after another. A regular file appears under its name only once it is complete (temporary
/// file beside it, then rename); devices and pipes are written in place.
ein::Expected<void> writeFile(const std::string &path, std::initializer_list<std::string_view> pieces);

/// The error of a failed system call on `path`, with errno in words.
ein::Error systemError(const std::string &what, const std::string &path);

} // namespace einc
