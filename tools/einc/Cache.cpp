// einc cache: what the disk cache holds, whether it is sound, and its clearing.
#include "runtime/DiskCache.h"
#include "runtime/DiskKey.h"
#include "runtime/Environment.h"
#include "runtime/HostCpu.h"
#include "tools/einc/Commands.h"

#include <ctime>
#include <nlohmann/json.hpp>

using namespace ein;
using Json = nlohmann::ordered_json;

namespace einc {
namespace {

/// An entry with its module, or with what is wrong with it.
struct Entry {
  DiskCache::File file;
  Expected<CompiledModule> module;
};

/// What a command says: as text or JSON, and the exit code.
struct Answer {
  std::string text;
  Json json;
  ExitCode code = kFine;
};

std::string sizeText(uint64_t bytes) {
  static constexpr const char *kUnits[] = {"B", "KiB", "MiB", "GiB"};
  double size = static_cast<double>(bytes);
  size_t unit = 0;
  for (; size >= 1024 && unit + 1 < std::size(kUnits); ++unit) size /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", size, kUnits[unit]);
  return text;
}

std::string timeText(int64_t nanoseconds) {
  const time_t seconds = nanoseconds / 1'000'000'000;
  tm local{};
  char text[32] = "";
  if (localtime_r(&seconds, &local)) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  return text;
}

/// A key text of several lines, or with what is no text, on one line.
std::string oneLine(std::string text) {
  for (char &c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return text;
}

std::string row(const std::string &name, const std::string &value) {
  return name + std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') + value + "\n";
}

std::string typesText(const std::vector<TensorType> &types) {
  std::string text;
  for (const TensorType &type : types) text += (text.empty() ? "" : ", ") + type.str();
  return text;
}

Error offError() {
  return makeError(ErrorCode::IO, "there is no cache: EIN_CACHE is 0, or no folder is named",
                   "set EIN_CACHE_DIR to an absolute path; einc --help env");
}

Answer info(const std::optional<DiskCache> &cache) {
  const std::string path = cache ? cache->folder().path() : "";
  std::string state = "off";
  uint64_t entries = 0, bytes = 0;
  if (cache) {
    auto files = cache->list();
    state = files ? "on" : "not used: " + files.error().message;
    if (files)
      for (const DiskCache::File &file : *files) ++entries, bytes += file.bytes;
  }
  Answer answer;
  const uint64_t capacity = cache ? cache->capacity() : 0;
  answer.json = Json{{"folder", path},      {"state", state},       {"entries", entries},
                     {"bytes", bytes},      {"capacity", capacity}, {"build", std::string(buildId())},
                     {"cpu", hostCpuText()}};
  answer.text = row("folder", path) + row("state", state) + row("entries", std::to_string(entries)) +
                row("size", sizeText(bytes) + " of " + sizeText(capacity)) + row("build", std::string(buildId())) +
                row("cpu", hostCpuText());
  return answer;
}

Answer list(const std::vector<Entry> &entries) {
  Answer answer;
  answer.json = Json::array();
  for (const auto &[file, module] : entries) {
    const std::string what = oneLine(module ? module->key : "damaged: " + module.error().message);
    char line[64];
    std::snprintf(line, sizeof line, "%-12.12s %10s  ", file.name.c_str(), sizeText(file.bytes).c_str());
    answer.text += line + timeText(file.lastUse) + "  " + what + "\n";
    answer.json.push_back({{"name", file.name}, {"bytes", file.bytes}, {"last_use", timeText(file.lastUse)}});
    answer.json.back()[module ? "kernel" : "damage"] = module ? module->key : module.error().message;
  }
  return answer;
}

Expected<Answer> show(const std::vector<Entry> &entries, const std::string &name) {
  const Entry *found = nullptr;
  for (const Entry &entry : entries) {
    if (!entry.file.name.starts_with(name)) continue;
    if (found) return makeError(ErrorCode::UnknownName, "several entries begin with '" + name + "'", "einc cache list");
    found = &entry;
  }
  if (!found) return makeError(ErrorCode::UnknownName, "no entry begins with '" + name + "'", "einc cache list");
  const auto &[file, module] = *found;
  if (!module) return makeError(ErrorCode::IO, "entry " + file.name + " " + module.error().message, "einc cache prune");
  Answer answer;
  answer.json = Json{{"name", file.name},
                     {"bytes", file.bytes},
                     {"last_use", timeText(file.lastUse)},
                     {"kernel", module->key},
                     {"operands", typesText(module->operands)},
                     {"results", typesText(module->results)},
                     {"threads", module->threads},
                     {"workspace_bytes", module->workspaceBytes},
                     {"code_bytes", module->code.size()}};
  answer.text = row("name", file.name) + row("size", sizeText(file.bytes)) + row("last use", timeText(file.lastUse)) +
                row("kernel", module->key) + row("operands", typesText(module->operands)) +
                row("results", typesText(module->results)) + row("threads", std::to_string(module->threads)) +
                row("workspace", sizeText(static_cast<uint64_t>(module->workspaceBytes))) +
                row("code", sizeText(module->code.size()));
  return answer;
}

Answer verify(const std::vector<Entry> &entries) {
  Answer answer;
  Json damaged = Json::array();
  for (const auto &[file, module] : entries) {
    if (module) continue;
    answer.text += file.name + "  " + module.error().message + "\n";
    damaged.push_back({{"name", file.name}, {"damage", module.error().message}});
  }
  const size_t sound = entries.size() - damaged.size();
  answer.text += std::to_string(sound) + " sound, " + std::to_string(damaged.size()) + " damaged\n";
  answer.code = damaged.empty() ? kFine : kWrong;
  answer.json = Json{{"sound", sound}, {"damaged", std::move(damaged)}};
  return answer;
}

Expected<Answer> prune(const DiskCache &cache, uint64_t bytes) {
  auto pruned = cache.prune(bytes);
  if (!pruned) return pruned.error();
  return Answer{"removed " + std::to_string(pruned->files) + " entries, " + sizeText(pruned->bytes) + "\n",
                Json{{"entries", pruned->files}, {"bytes", pruned->bytes}}};
}

Expected<Answer> answerTo(const CacheArguments &arguments) {
  const std::optional<DiskCache> cache = DiskCache::fromEnvironment();
  if (arguments.command == "info") return info(cache);
  if (!cache) return offError();
  if (arguments.command == "clear") return prune(*cache, 0);
  if (arguments.command == "prune") {
    const auto bytes = arguments.size.empty() ? cache->capacity() : parseByteSize(arguments.size);
    if (bytes) return prune(*cache, *bytes);
    return makeError(ErrorCode::Syntax, "'" + arguments.size + "' is no number of bytes",
                     "sizes: 500000, 64K, 100M, 2G");
  }
  auto files = cache->list();
  if (!files) return files.error();
  std::vector<Entry> entries;
  for (DiskCache::File &file : *files) entries.push_back({file, cache->read(file.name)});
  if (arguments.command == "list") return list(entries);
  if (arguments.command == "show") return show(entries, arguments.entry);
  return verify(entries);
}

} // namespace

ExitCode cache(const CacheArguments &arguments) {
  auto answer = answerTo(arguments);
  if (!answer) return fail(answer.error());
  const auto replace = Json::error_handler_t::replace;
  auto printed = printResult(arguments.json ? answer->json.dump(2, ' ', false, replace) + "\n" : answer->text);
  return printed ? answer->code : fail(printed.error(), While::Writing);
}

} // namespace einc
