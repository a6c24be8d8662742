// einc dump: the stages of a compilation, printed or as numbered files.
#include "ein/Compile.h"
#include "runtime/TunedPlans.h"
#include "tools/einc/Commands.h"
#include "tools/einc/Files.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <span>

using namespace ein;

namespace einc {

/// File names by stage, in the order of kStages and kGpuStages.
static constexpr const char *kFileNames[] = {"00-notation.ein", "01-path.txt",  "02-linalg.mlir",
                                             "03-plan.mlir",    "04-nest.mlir", "05-llvm-dialect.mlir",
                                             "06-llvm.ll",      "07-asm.s"};
static constexpr const char *kGpuFileNames[] = {"00-notation.ein", "01-path.txt", "02-linalg.mlir", "03-gpu-plan.txt",
                                                "04-nvvm.mlir",    "05-llvm.ll",  "06-ptx.s"};
static_assert(std::size(kFileNames) == std::size(kStages) && std::size(kGpuFileNames) == std::size(kGpuStages));

/// The stages of a target, and the names of their files.
struct StageList {
  std::span<const char *const> stages, files;
};
static StageList stagesOf(const Target &target) {
  if (target.isGpu()) return {kGpuStages, kGpuFileNames};
  return {kStages, kFileNames};
}

/// `word` as a shell reads it back.
static std::string quoted(const std::string &word) {
  constexpr const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=@:,+";
  if (!word.empty() && word.find_first_not_of(plain) == word.npos) return word;
  std::string out = "'";
  for (char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// The line that repeats this dump: the folder, the text that came from standard input, the command.
static std::string repeatingCommand(const DumpArguments &arguments, const std::string &text) {
  std::error_code ignored;
  std::string out = "cd " + quoted(std::filesystem::current_path(ignored).string()) + " && ";
  if (arguments.text == "-") out += "printf %s " + quoted(text) + " | ";
  for (const std::string &word : arguments.command) out += quoted(word) + " ";
  out.back() = '\n';
  return out;
}

/// Position of a stage in a list; the list's length for any other word.
static size_t stageNumber(const StageList &list, const std::string &name) {
  return static_cast<size_t>(std::find(list.stages.begin(), list.stages.end(), name) - list.stages.begin());
}

static Error unknownStage(const StageList &list, const std::string &name) {
  std::string help = "stages:";
  for (const char *stage : list.stages) help += std::string(stage == list.stages[0] ? " " : ", ") + stage;
  return makeError(ErrorCode::UnknownName, "there is no stage '" + name + "'", help);
}

static Expected<void> writeStages(const DumpArguments &arguments, const StageList &list, const CompileResult &result,
                                  const std::string &command) {
  namespace fs = std::filesystem;
  fs::path directory(arguments.directory);
  std::error_code failure;
  fs::create_directories(directory, failure);
  if (failure) return makeError(ErrorCode::IO, "cannot create '" + arguments.directory + "': " + failure.message());
  for (const auto &[stage, text] : result.stages)
    if (auto ok = writeFile((directory / list.files[stageNumber(list, stage)]).string(), {text}); !ok)
      return ok.error();
  return writeFile((directory / "command.txt").string(), {command});
}

/// One stage alone is printed as it is, so that it can be piped; several get a heading each.
static Expected<void> printStages(const CompileResult &result) {
  std::string out;
  for (const auto &[stage, text] : result.stages) {
    if (result.stages.size() > 1) out += "===== " + stage + " =====\n";
    out += text;
    if (!text.ends_with('\n')) out += '\n';
  }
  return printResult(out);
}

ExitCode dump(const DumpArguments &arguments) {
  CompileRequest compilation;
  compilation.dumpStages = arguments.stages;
  auto target = Target::parse(arguments.target);
  if (!target) return fail(target.error());
  const StageList list = stagesOf(*target);
  if (compilation.dumpStages.empty()) compilation.dumpStages.assign(list.stages.begin(), list.stages.end());
  for (const std::string &stage : compilation.dumpStages)
    if (stageNumber(list, stage) == list.stages.size()) return fail(unknownStage(list, stage));
  auto request = resolve(arguments);
  if (!request) return fail(request.error());
  compilation.text = std::move(request->text);
  compilation.operands = std::move(request->operands);
  compilation.options = std::move(request->options);
  compilation.options.plans = loadTunedPlans(compilation);
  auto result = compile(compilation);
  if (!result) return fail(result.error());
  warn(result->warnings);
  auto shown = arguments.directory.empty()
                   ? printStages(*result)
                   : writeStages(arguments, list, *result, repeatingCommand(arguments, compilation.text));
  return shown ? kFine : fail(shown.error(), While::Writing);
}

} // namespace einc
