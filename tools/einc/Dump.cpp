// einc dump: the stages of a compilation, printed or as numbered files.
#include "ein/Compile.h"
#include "runtime/TunedPlans.h"
#include "tools/einc/Commands.h"
#include "tools/einc/Files.h"
#include "tools/einc/Sass.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <span>

using namespace ein;

namespace einc {

static constexpr const char kSass[] = "sass";

/// A stage and the name of its file.
struct StageFile {
  const char *stage, *file;
};
static constexpr StageFile kCpuFiles[] = {{"notation", "00-notation.ein"}, {"path", "01-path.txt"},
                                          {"linalg", "02-linalg.mlir"},    {"plan", "03-plan.mlir"},
                                          {"nest", "04-nest.mlir"},        {"llvm-dialect", "05-llvm-dialect.mlir"},
                                          {"llvm", "06-llvm.ll"},          {"asm", "07-asm.s"}};
/// `sass` is made here, of what the compiler gives, where somebody asks for it.
static constexpr StageFile kGpuFiles[] = {{"notation", "00-notation.ein"},
                                          {"path", "01-path.txt"},
                                          {"linalg", "02-linalg.mlir"},
                                          {"gpu-plan", "03-gpu-plan.txt"},
                                          {"nvvm", "04-nvvm.mlir"},
                                          {"llvm", "05-llvm.ll"},
                                          {"ptx", "06-ptx.s"},
                                          {kSass, "07-sass.s"}};
static_assert(std::size(kCpuFiles) == std::size(kStages) && std::size(kGpuFiles) == std::size(kGpuStages) + 1);
using StageList = std::span<const StageFile>;

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

/// A stage of a list by its name; null for any other word.
static const StageFile *findStage(StageList list, const std::string &name) {
  const auto at = std::ranges::find(list, name, &StageFile::stage);
  return at == list.end() ? nullptr : &*at;
}

static Error unknownStage(StageList list, const std::string &name) {
  std::string help = "stages:";
  for (const StageFile &known : list) help += std::string(&known == list.data() ? " " : ", ") + known.stage;
  return makeError(ErrorCode::UnknownName, "there is no stage '" + name + "'", help);
}

static Expected<void> writeStages(const DumpArguments &arguments, StageList list, const CompileResult &result,
                                  const std::string &command) {
  namespace fs = std::filesystem;
  fs::path directory(arguments.directory);
  std::error_code failure;
  fs::create_directories(directory, failure);
  if (failure) return makeError(ErrorCode::IO, "cannot create '" + arguments.directory + "': " + failure.message());
  for (const auto &[stage, text] : result.stages)
    if (auto ok = writeFile((directory / findStage(list, stage)->file).string(), {text}); !ok) return ok.error();
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
  const StageList list = target->isGpu() ? StageList(kGpuFiles) : StageList(kCpuFiles);
  if (compilation.dumpStages.empty())
    for (const StageFile &known : list)
      if (known.stage != kSass) compilation.dumpStages.push_back(known.stage);
  for (const std::string &stage : compilation.dumpStages)
    if (!findStage(list, stage)) return fail(unknownStage(list, stage));
  auto request = resolve(arguments);
  if (!request) return fail(request.error());
  compilation.text = std::move(request->text);
  compilation.operands = std::move(request->operands);
  compilation.options = std::move(request->options);
  compilation.options.plans = loadTunedPlans(compilation);
  auto result = compile(compilation);
  if (!result) return fail(result.error());
  warn(result->warnings);
  if (std::ranges::find(compilation.dumpStages, kSass) != compilation.dumpStages.end()) {
    auto sass = disassemble(result->module.code, result->module.gpu);
    if (!sass) return fail(sass.error());
    result->stages.emplace_back(kSass, std::move(*sass));
  }
  auto shown = arguments.directory.empty()
                   ? printStages(*result)
                   : writeStages(arguments, list, *result, repeatingCommand(arguments, compilation.text));
  return shown ? kFine : fail(shown.error(), While::Writing);
}

} // namespace einc
