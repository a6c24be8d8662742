// Compilation for later use: parameter names, C header, JSON description.
#include "tools/einc/Artefact.h"

#include "compiler/IndexNotation/Program.h"
#include "ein/Version.h"
#include "runtime/TunedPlans.h"

#include <algorithm>
#include <cctype>

using namespace ein;

namespace einc {

static bool isAsciiWord(const std::string &name) {
  return !name.empty() && std::all_of(name.begin(), name.end(),
                                      [](unsigned char c) { return c < 128 && (std::isalnum(c) || c == '_'); });
}

/// "in_Q": the prefix keeps it apart from keywords and macros. "in0" where the text has no name, or none for C.
static std::vector<std::string> parameterNames(const Program &program, const std::vector<TensorId> &tensors,
                                               const std::string &prefix, bool named) {
  std::vector<std::string> names;
  for (TensorId tensor : tensors) {
    const std::string &name = program.tensors[tensor].name;
    names.push_back(named && isAsciiWord(name) ? prefix + "_" + name : prefix + std::to_string(names.size()));
  }
  return names;
}

Expected<Artefact> makeArtefact(const std::string &name, const std::string &soname, const std::string &text,
                                const std::vector<TensorType> &operands, const CompileOptions &options) {
  CompileRequest request;
  request.text = text;
  request.operands = operands;
  request.options = options;
  if (!options.target.portable) request.options.plans = loadTunedPlans(request);
  if (!soname.empty()) {
    request.cFunction = name;
    request.soname = soname;
  }
  auto program = parseAndBind(text, operands);
  if (!program) return program.error();
  const bool named = isProgramText(text);
  auto result = compile(request);
  if (!result) return result.error();
  return Artefact{name,
                  text,
                  options.target,
                  std::move(*result),
                  parameterNames(*program, program->inputs, "in", named),
                  parameterNames(*program, program->outputs, "out", named)};
}

/// 16-bit floats as their bits, complex numbers as their parts.
static const char *cType(DType dtype) {
  switch (dtype) {
  case DType::F32:
  case DType::C64: return "float";
  case DType::F64:
  case DType::C128: return "double";
  case DType::I8: return "int8_t";
  case DType::I16: return "int16_t";
  case DType::I32: return "int32_t";
  case DType::I64: return "int64_t";
  case DType::F16:
  case DType::BF16:
  case DType::U16: return "uint16_t";
  case DType::U32: return "uint32_t";
  case DType::U64: return "uint64_t";
  case DType::U8:
  case DType::Bool: return "uint8_t";
  }
  return "void";
}

static std::string upper(std::string text) {
  for (char &c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

/// "4, 8" of {4, 8}.
static std::string join(const std::vector<std::string> &words) {
  std::string text;
  for (const std::string &word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// The text of the expression as a comment may hold it.
static std::string forComment(std::string text) {
  for (size_t at; (at = text.find("*/")) != text.npos;) text.insert(at + 1, " ");
  for (size_t at = 0; (at = text.find('\n', at)) != text.npos; at += 4) text.replace(at, 1, "\n *   ");
  return text;
}

static std::string parametersOf(const Artefact &artefact, const char *last) {
  const CompiledModule &module = artefact.result.module;
  std::vector<std::string> parameters;
  for (size_t i = 0; i < module.operands.size(); ++i)
    parameters.push_back(std::string("const ") + cType(module.operands[i].dtype) + " *" + artefact.operands[i]);
  for (size_t i = 0; i < module.results.size(); ++i)
    parameters.push_back(std::string(cType(module.results[i].dtype)) + " *" + artefact.results[i]);
  if (*last) parameters.push_back(last);
  return parameters.empty() ? "void" : join(parameters);
}

/// A line for each tensor: its shape, and its strides in elements.
static std::string tensorsOf(const std::vector<std::string> &names, const std::vector<TensorType> &types) {
  std::string lines;
  for (size_t i = 0; i < types.size(); ++i)
    lines += " *   " + names[i] + ": " + std::string(name(types[i].dtype)) + ", shape " + shapeString(types[i].shape) +
             ", strides " + shapeString(types[i].strides) + "\n";
  return lines;
}

/// The contract: what docs/aot.md says of all libraries, with the numbers of this one.
static std::string contractOf(const Artefact &artefact) {
  const CompiledModule &module = artefact.result.module;
  std::string text =
      " * Strides count elements. A pointer is to the element at index zero, also where a stride is negative, and "
      "aligned\n"
      " * to its element; that of a tensor without elements may be NULL. Memory stays the caller's and nothing is "
      "kept.\n"
      " * Operands are only read; every element of a result is written and none is read. A result may overlap "
      "nothing.\n"
      " * Thread-safe: any number of threads may call at once, each with results (and a workspace) of its own.\n";
  if (module.threads > 1)
    text += " * It forks a team of up to " + std::to_string(module.threads) +
            " threads with OpenMP: libomp.so.5 has to be installed.\n";
  text += " *\n"
          " * Returns 0, or with nothing computed: 1 a pointer is NULL, 2 a pointer is misaligned, 3 there is no "
          "memory for\n"
          " * the workspace, 4 this CPU lacks an extension that the code uses (the .json lists them).\n";
  return text;
}

std::string headerOf(const Artefact &artefact) {
  const CompiledModule &module = artefact.result.module;
  const std::string &name = artefact.name, guard = "EIN_" + upper(name) + "_H";
  const std::string bytes = std::to_string(module.workspaceBytes);
  std::string text = "/* Made by ein " + std::string(version()) + " (" + artefact.result.compiler + ") for " +
                     artefact.target.str() + "; not to be edited. Usable from C and C++. */\n";
  text += "#ifndef " + guard + "\n#define " + guard +
          "\n\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
  text += "/* Computes\n *\n *   " + forComment(artefact.text) + "\n *\n * of\n *\n" +
          tensorsOf(artefact.operands, module.operands) + " *\n * into\n *\n" +
          tensorsOf(artefact.results, module.results) + " *\n" + contractOf(artefact) + " */\n";
  text += "int " + name + "(" + parametersOf(artefact, "") + ");\n\n";
  text += "/* What " + name + "_ws wants as a workspace, in bytes. */\n#define " + upper(name) + "_WORKSPACE_BYTES " +
          bytes + "\n\n";
  text += "/* The same in a workspace of the caller's, 64-byte aligned" +
          std::string(module.workspaceBytes == 0 ? "; it may be NULL here" : "") + ": allocates nothing. " +
          (module.workspaceBytes == 0 ? "" : name + " allocates one for each call. ") + "*/\n";
  text += "int " + name + "_ws(" + parametersOf(artefact, "void *workspace") + ");\n\n";
  text += "/* The same with pointers in arrays and without any check, for callers that treat all kernels alike. */\n";
  text += "void " + name + "_kernel(void *const *operands, void *const *results, void *workspace);\n\n";
  return text + "#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
}

static nlohmann::ordered_json describeTensors(const std::vector<std::string> &names,
                                              const std::vector<TensorType> &types) {
  auto list = nlohmann::ordered_json::array();
  for (size_t i = 0; i < types.size(); ++i)
    list.push_back({{"name", names[i]},
                    {"dtype", name(types[i].dtype)},
                    {"shape", types[i].shape},
                    {"strides", types[i].strides}});
  return list;
}

/// One argument of a launch, with what cuTensorMapEncodeTiled is told where it is a tensor map.
static nlohmann::ordered_json describeArgument(const GpuArgument &argument) {
  static constexpr const char *kKinds[] = {"tensor-map", "pointer", "i32", "i64", "f32"};
  static constexpr const char *kSlots[] = {"operand", "result", "workspace"};
  nlohmann::ordered_json json;
  json["kind"] = kKinds[static_cast<size_t>(argument.kind)];
  if (argument.kind == GpuArgument::Kind::F32) return json["value"] = argument.real, json;
  if (argument.kind == GpuArgument::Kind::I32 || argument.kind == GpuArgument::Kind::I64)
    return json["value"] = argument.integer, json;
  json["slot"] = kSlots[static_cast<size_t>(argument.slot.kind)];
  json["number"] = argument.slot.number;
  json["offset"] = argument.slot.offset;
  if (argument.kind == GpuArgument::Kind::Pointer) return json;
  json["dtype"] = name(argument.map.type);
  json["swizzle"] = static_cast<int>(argument.map.swizzle);
  for (const TensorMapDim &d : argument.map.dims)
    json["dims"].push_back({{"extent", d.extent}, {"stride", d.stride}, {"box", d.box}});
  return json;
}

/// What any driver can be handed: the code as text, and what to launch of it.
static void describeLaunches(nlohmann::ordered_json &json, const CompiledModule &module) {
  json["launches"] = nlohmann::ordered_json::array();
  for (const GpuLaunch &launch : module.launches) {
    nlohmann::ordered_json entry = {{"kernel", launch.name},
                                    {"grid", launch.grid},
                                    {"block", launch.block},
                                    {"cluster", launch.cluster},
                                    {"shared_bytes", launch.sharedBytes},
                                    {"persistent", launch.persistent}};
    entry["arguments"] = nlohmann::ordered_json::array();
    for (const GpuArgument &argument : launch.arguments) entry["arguments"].push_back(describeArgument(argument));
    json["launches"].push_back(std::move(entry));
  }
  json["ptx"] = module.code;
}

nlohmann::ordered_json describe(const Artefact &artefact) {
  const CompiledModule &module = artefact.result.module;
  nlohmann::ordered_json json;
  json["name"] = artefact.name;
  json["expression"] = artefact.text;
  json["operands"] = describeTensors(artefact.operands, module.operands);
  json["results"] = describeTensors(artefact.results, module.results);
  json["target"] = artefact.target.str();
  json["cpu"] = artefact.result.cpu;
  json["features"] = module.features;
  json["threads"] = module.threads;
  json["workspace_bytes"] = module.workspaceBytes;
  json["workspace_alignment"] = module.gpu.empty() ? 64 : 256;
  json["libraries"] = nlohmann::ordered_json::array();
  if (module.threads > 1) json["libraries"].push_back("libomp.so.5");
  if (!module.gpu.empty()) describeLaunches(json, module);
  return json;
}

} // namespace einc
