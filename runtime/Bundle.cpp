// Kernels of an engine that come from bundles.
#include "ein/Bundle.h"
#include "ein/Engine.h"

namespace ein {
namespace {

/// Says which kernel of which file an error is about.
Error inBundle(Error error, const std::string &path, const BundledKernel &kernel) {
  error.notes.push_back("this is kernel '" + kernel.name + "' of '" + path + "'");
  return error;
}

} // namespace

Expected<Kernel> Engine::load(const std::string &path, std::string_view name) {
  auto bundle = Bundle::read(path);
  if (!bundle) return bundle.error();
  auto kernel = bundle->find(name);
  if (!kernel) return kernel.error();
  auto loaded = load((*kernel)->module);
  if (!loaded) return inBundle(loaded.error(), path, **kernel);
  return loaded;
}

Expected<std::map<std::string, Kernel, std::less<>>> Engine::loadAll(const std::string &path) {
  auto bundle = Bundle::read(path);
  if (!bundle) return bundle.error();
  std::map<std::string, Kernel, std::less<>> kernels;
  for (BundledKernel &kernel : bundle->kernels) {
    auto loaded = load(std::move(kernel.module));
    if (!loaded) return inBundle(loaded.error(), path, kernel);
    kernels.emplace(kernel.name, std::move(*loaded));
  }
  return kernels;
}

} // namespace ein
