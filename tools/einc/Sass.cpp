// PTX to SASS through ptxas and nvdisasm.
#include "tools/einc/Sass.h"

#include "tools/einc/Files.h"

#include <cstdlib>
#include <filesystem>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace ein;
namespace fs = std::filesystem;

namespace einc {

/// A folder that goes with what is in it.
namespace {
struct TemporaryFolder {
  fs::path path;
  TemporaryFolder() {
    std::error_code failure;
    std::string name = (fs::temp_directory_path(failure) / "einc-XXXXXX").string();
    if (!failure && mkdtemp(name.data())) path = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path.empty()) fs::remove_all(path, ignored);
  }
};
} // namespace

static Expected<std::string> findTool(const std::string &name) {
  const char *folders = std::getenv("PATH");
  std::string all = std::string(folders ? folders : "") + ":/usr/local/cuda/bin";
  for (size_t at = 0, end; at < all.size(); at = end + 1) {
    end = std::min(all.find(':', at), all.size());
    const std::string path = all.substr(at, end - at) + "/" + name;
    if (end > at && access(path.c_str(), X_OK) == 0) return path;
  }
  return makeError(ErrorCode::Unsupported, "stage sass needs " + name + ", which is not in PATH",
                   "it comes with the CUDA toolkit; --stage ptx needs nothing");
}

/// Runs a program with its output in a file; an error for any exit code but 0.
static Expected<void> runTool(std::vector<std::string> words, const std::string &output) {
  std::vector<char *> argv;
  for (std::string &word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), 0x241 /* write, create, truncate */, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  int status = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (status == 0) waitpid(child, &status, 0);
  if (status == 0) return {};
  Error error = makeError(ErrorCode::Compile, words[0] + " failed");
  if (auto text = readText(output, 1 << 16)) error.notes.push_back(*text);
  return error;
}

Expected<std::string> disassemble(const std::string &ptx, const std::string &gpu) {
  auto ptxas = findTool("ptxas"), nvdisasm = findTool("nvdisasm");
  if (!ptxas) return ptxas.error();
  if (!nvdisasm) return nvdisasm.error();
  const TemporaryFolder folder;
  if (folder.path.empty()) return makeError(ErrorCode::IO, "cannot make a temporary folder");
  auto in = [&](const char *name) { return (folder.path / name).string(); };
  if (auto written = writeFile(in("kernels.ptx"), {ptx}); !written) return written.error();
  if (auto ran = runTool({*ptxas, "-arch=" + gpu, in("kernels.ptx"), "-o", in("kernels.cubin")}, in("log")); !ran)
    return ran.error();
  if (auto ran = runTool({*nvdisasm, in("kernels.cubin")}, in("sass")); !ran) return ran.error();
  return readText(in("sass"), size_t(1) << 30);
}

} // namespace einc
