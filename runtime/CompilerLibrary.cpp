// Loading of libein-compiler and the call into it.
#include "runtime/CompilerLibrary.h"
#include "ein/Compile.h"
#include "runtime/Environment.h"
#include "runtime/Fork.h"
#include "runtime/ShapeClass.h"

#include <cstdlib>
#include <dlfcn.h>
#include <memory>
#include <mutex>
#include <sys/stat.h>

namespace ein {

std::vector<std::string> besideThisLibrary(const std::string &file) {
  Dl_info self;
  if (!dladdr(reinterpret_cast<void *>(&loadCompiler), &self) || !self.dli_fname) return {file};
  const std::string path = self.dli_fname;
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash);
  return {folder + "/" + file, folder + "/../lib/" + file, file};
}

namespace {

/// The files to try, in order.
std::vector<std::string> candidates() {
  if (const char *path = environment(EnvironmentVariable::Compiler)) return {path};
  return besideThisLibrary("libein-compiler.so");
}

/// The compiler of a program that was linked with it, such as the static einc. Null in others.
CompileFunction *linkedCompiler() {
  if (environment(EnvironmentVariable::Compiler)) return nullptr;
  return reinterpret_cast<CompileFunction *>(dlsym(RTLD_DEFAULT, "ein_compile"));
}

} // namespace

Expected<CompileFunction *> loadCompiler() {
  static std::mutex mutex;
  static CompileFunction *function = nullptr;
  const std::lock_guard lock(mutex);
  if (function || (function = linkedCompiler())) return function;
  Error error = makeError(ErrorCode::Compile, "cannot load the compiler",
                          "put libein-compiler.so beside libein.so, or its path into EIN_COMPILER");
  for (const std::string &path : candidates()) {
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    void *symbol = library ? dlsym(library, "ein_compile") : nullptr;
    if (symbol) return function = reinterpret_cast<CompileFunction *>(symbol);
    const char *why = dlerror();
    error.notes.push_back("tried " + path + ": " + (why ? why : "ein_compile is null"));
    if (library) dlclose(library);
  }
  return error;
}

Expected<CompileResult> compile(const CompileRequest &given) {
  CompileRequest request = given;
  if (!given.options.dynamic.empty()) request.operands = shapeClass(given.text, given.operands, given.options);
  const ForkGate gate;
  auto function = loadCompiler();
  if (!function) return function.error();
  const std::string bytes = request.serialize();
  char *data = nullptr;
  uint64_t size = 0;
  const int status = (*function)(bytes.data(), bytes.size(), &data, &size);
  const std::unique_ptr<char, decltype(&std::free)> owner(data, std::free);
  const std::string_view response(data ? data : "", data ? size : 0);
  if (status == 0) {
    auto result = CompileResult::deserialize(response);
    if (result && result->module.key.empty()) result->module.key = request.keyText();
    return result;
  }
  Error error;
  if (auto read = deserializeError(response, error); !read) return read.error();
  return error;
}

} // namespace ein
