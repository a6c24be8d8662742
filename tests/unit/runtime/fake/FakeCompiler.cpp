// A libein-compiler without LLVM: its kernels copy operand 0. The text asks for its behaviour by words:
// slow, fail, show plans, garbage, null, no-symbol, not-elf, threads, workspace.
#include "ein/Compile.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

namespace {

void patch(std::string &image, uint64_t pattern, uint64_t value) {
  const size_t at = image.find(std::string(reinterpret_cast<const char *>(&pattern), sizeof pattern));
  if (at == std::string::npos) std::abort();
  std::memcpy(image.data() + at, &value, sizeof value);
}

int respond(const std::string &bytes, int status, char **response, uint64_t *size) {
  *response = static_cast<char *>(std::malloc(bytes.size()));
  std::memcpy(*response, bytes.data(), bytes.size());
  *size = bytes.size();
  return status;
}

ein::CompileResult copyKernel(const ein::CompileRequest &request, bool workspace) {
  std::ifstream file(EIN_FAKE_KERNEL, std::ios::binary);
  ein::CompileResult result;
  ein::CompiledModule &module = result.module;
  module.code.assign(std::istreambuf_iterator<char>(file), {});
  module.entry = "fake_entry";
  module.operands = request.operands;
  module.results = {ein::TensorType(request.operands[0].dtype, request.operands[0].shape)};
  module.workspaceBytes = workspace ? 3 << 20 : 0;
  patch(module.code, 0x5a17c0de5a17c0de,
        static_cast<uint64_t>(module.results[0].numElements() * byteSize(module.results[0].dtype)));
  patch(module.code, 0x3a17c0de3a17c0de, static_cast<uint64_t>(module.workspaceBytes));
  return result;
}

} // namespace

extern "C" {
std::atomic<int> ein_fake_compilations = 0;

int ein_compile(const char *bytes, uint64_t size, char **response, uint64_t *responseSize) {
  ++ein_fake_compilations;
  auto request = ein::CompileRequest::deserialize({bytes, size});
  if (!request) return respond(ein::serializeError(request.error()), 1, response, responseSize);
  const auto asks = [&](const char *word) { return request->text.find(word) != std::string::npos; };
  if (asks("slow")) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  if (asks("fail")) {
    ein::Error error = ein::makeError(ein::ErrorCode::Extent, "as asked for", "ask for less");
    error.text = request->text;
    error.labels = {{{0, 4}, "here"}};
    return respond(ein::serializeError(error), 1, response, responseSize);
  }
  if (asks("show plans")) {
    std::string message = "plans:";
    for (const std::string &plan : request->options.plans) message += (message.back() == ':' ? " " : "; ") + plan;
    return respond(ein::serializeError(ein::makeError(ein::ErrorCode::Compile, message)), 1, response, responseSize);
  }
  if (asks("garbage")) return respond("garbage", asks("garbage error"), response, responseSize);
  if (asks("null")) return 0;
  ein::CompileResult result = copyKernel(*request, asks("workspace"));
  if (asks("no-symbol")) result.module.entry = "absent";
  if (asks("not-elf")) result.module.code = "not an image";
  if (asks("threads")) result.module.threads = 2;
  if (asks("executable")) {
    // Makes the flags of every program header read, write and execute.
    uint64_t headers;
    std::memcpy(&headers, result.module.code.data() + 32, sizeof headers);
    uint16_t count;
    std::memcpy(&count, result.module.code.data() + 56, sizeof count);
    for (uint16_t i = 0; i < count; ++i) result.module.code[headers + i * 56 + 4] = 7;
  }
  return respond(result.serialize(), 0, response, responseSize);
}
}
