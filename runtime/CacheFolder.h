// The folder of the disk cache: where it is, and whether nobody else can put anything into it.
#pragma once

#include "ein/Error.h"
#include "runtime/FileDescriptor.h"

#include <optional>
#include <string>
#include <vector>

namespace ein {

/// A folder that is checked whenever it is opened; a value, without any state of the file system.
///
/// `base` is the user's: symbolic links in it are followed, but every folder on the way to it belongs to root
/// or to this user, and none may be written by everybody, unless it is sticky (as /tmp is, where others can
/// neither rename nor replace what is ours). The folders `own` below it are ours: never a symbolic link, owned by this
/// user, writable by nobody else. Made where they are missing, for this user only (0700).
class CacheFolder {
public:
  /// What the environment says: EIN_CACHE_DIR, else XDG_CACHE_HOME/ein/v1, else HOME/.cache/ein/v1. Nothing if
  /// EIN_CACHE is 0, none of them is set to an absolute path, or the process is set-user-id.
  static std::optional<CacheFolder> fromEnvironment();

  /// `path` is absolute; its last folder is ours.
  explicit CacheFolder(const std::string &path);
  CacheFolder(std::string base, std::vector<std::string> own) : base(std::move(base)), own(std::move(own)) {}

  std::string path() const;
  /// A folder of ours in this one.
  CacheFolder below(const std::string &name) const {
    CacheFolder folder = *this;
    folder.own.push_back(name);
    return folder;
  }

  enum class Missing { Leave, Make };
  /// The open folder; an empty descriptor where it does not exist (Missing::Leave). Refuses, with the reason, a
  /// folder that fails the checks above.
  Expected<FileDescriptor> open(Missing missing) const;

private:
  std::string base;
  std::vector<std::string> own;
};

} // namespace ein
