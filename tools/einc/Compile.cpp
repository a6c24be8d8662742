// einc compile: shared objects with a C interface, and bundles.
#include "ein/Bundle.h"
#include "ein/Version.h"
#include "runtime/Environment.h"
#include "tools/einc/Artefact.h"
#include "tools/einc/Commands.h"
#include "tools/einc/Files.h"
#include "tools/einc/KernelList.h"

#include <cctype>
#include <filesystem>

using namespace ein;

namespace einc {

namespace fs = std::filesystem;

/// Folder of `file` as a C comment or JSON shows it: nothing but the last part.
static std::string baseName(const std::string &file) { return fs::path(file).filename().string(); }

/// "foo" of "out/libfoo.so" and of "out/foo.ein".
static std::string nameFrom(const std::string &output) {
  std::string stem = fs::path(output).stem().string();
  return stem.starts_with("lib") && output.ends_with(".so") ? stem.substr(3) : stem;
}

static std::string dumped(nlohmann::ordered_json head, const nlohmann::ordered_json &more) {
  head.update(more);
  return head.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// The fields that begin every description.
static nlohmann::ordered_json headOf(const CompileArguments &arguments, const std::string &compiler) {
  nlohmann::ordered_json json;
  json["format"] = 1;
  json["ein_version"] = version();
  json["compiler"] = compiler;
  json["file"] = baseName(arguments.output);
  return json;
}

/// NAME.json beside the output.
static Expected<void> writeDescription(const CompileArguments &arguments, const std::string &json) {
  return writeFile(fs::path(arguments.output).replace_extension(".json").string(), {json});
}

static Expected<void> writeLibrary(const CompileArguments &arguments, const Artefact &artefact) {
  if (auto ok = writeFile(arguments.output, {artefact.result.module.code}); !ok) return ok;
  if (!arguments.header.empty())
    if (auto ok = writeFile(arguments.header, {headerOf(artefact)}); !ok) return ok;
  nlohmann::ordered_json json = headOf(arguments, artefact.result.compiler);
  if (!arguments.header.empty()) json["header"] = baseName(arguments.header);
  json["symbol"] = artefact.name;
  json["workspace_symbol"] = artefact.name + "_ws";
  json["kernel_symbol"] = artefact.result.module.entry;
  return writeDescription(arguments, dumped(std::move(json), describe(artefact)));
}

static Expected<void> writeBundle(const CompileArguments &arguments, std::vector<Artefact> artefacts) {
  nlohmann::ordered_json json = headOf(arguments, artefacts.front().result.compiler), more;
  Bundle bundle;
  for (Artefact &artefact : artefacts) {
    more["kernels"].push_back(describe(artefact));
    bundle.kernels.push_back({artefact.name, artefact.text, std::move(artefact.result.module)});
  }
  if (auto ok = writeFile(arguments.output, {bundle.serialize()}); !ok) return ok;
  return writeDescription(arguments, dumped(std::move(json), more));
}

/// What makes a library differs from what makes a bundle, and both from what compiles at once.
static Expected<void> checkArguments(const CompileArguments &arguments, bool isBundle, bool isList) {
  if (!isBundle && !arguments.output.ends_with(".so"))
    return makeError(ErrorCode::Syntax, "cannot tell what '" + arguments.output + "' is to be",
                     "-o libNAME.so for a shared object with a C function, -o NAME.ein for a bundle");
  if (isBundle && !arguments.header.empty())
    return makeError(ErrorCode::Syntax, "a bundle has no C header", "--header goes with -o libNAME.so");
  if (isList && (!arguments.types.empty() || !arguments.name.empty()))
    return makeError(ErrorCode::Syntax, "a list has names and types of its own",
                     "without @ the argument is one expression, for --type and --name");
  return {};
}

/// What is to be compiled: the lines of a list, or the one expression.
static Expected<std::vector<ListedKernel>> listed(const CompileArguments &arguments, const Request &request,
                                                  bool isList) {
  if (isList) return parseKernelList(request.text);
  const std::string name = arguments.name.empty() ? nameFrom(arguments.output) : arguments.name;
  if (name.empty()) return makeError(ErrorCode::Syntax, "the kernel has no name", "give it one with --name");
  return std::vector<ListedKernel>{{name, request.text, request.operands}};
}

ExitCode compileAhead(const CompileArguments &arguments) {
  const bool isBundle = arguments.output.ends_with(".ein");
  const bool isList = isBundle && arguments.text.starts_with('@');
  if (auto ok = checkArguments(arguments, isBundle, isList); !ok) return fail(ok.error());
  auto request = resolve(arguments);
  if (!request) return fail(request.error());
  // A portable artefact is the same wherever it is made.
  if (request->options.target.portable && arguments.threads == 0) request->options.threads = 1;
  auto kernels = listed(arguments, *request, isList);
  if (!kernels) return fail(kernels.error());

  std::vector<Artefact> artefacts;
  for (const ListedKernel &kernel : *kernels) {
    auto artefact = makeArtefact(kernel.name, isBundle ? std::string() : baseName(arguments.output), kernel.text,
                                 kernel.operands, request->options);
    if (!artefact) {
      if (isList) artefact.error().notes.push_back("this is kernel '" + kernel.name + "' of the list");
      return fail(artefact.error());
    }
    artefacts.push_back(std::move(*artefact));
  }
  auto written = isBundle ? writeBundle(arguments, std::move(artefacts)) : writeLibrary(arguments, artefacts.front());
  return written ? kFine : fail(written.error(), While::Writing);
}

} // namespace einc
