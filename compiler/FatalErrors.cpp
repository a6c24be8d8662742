// The one place where an exception is thrown and caught: LLVM's handler may not return, and its frames, built without
// exceptions but with unwind tables, let one pass.
#include "compiler/FatalErrors.h"

#include "llvm/Support/ErrorHandling.h"

#include <mutex>
#include <new>

namespace ein {
namespace {

struct FatalError {
  std::string reason;
};

} // namespace

std::optional<Error> catchFatalErrors(const std::function<void()> &work) {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::install_fatal_error_handler([](void *, const char *reason, bool) { throw FatalError{reason}; });
  });
  try {
    work();
    return std::nullopt;
  } catch (const FatalError &error) {
    return makeError(ErrorCode::Compile, "LLVM gave up: " + error.reason,
                     "this is a mistake of ein's; another --target may work");
  } catch (const std::bad_alloc &) {
    return makeError(ErrorCode::Limit, "no memory left to compile");
  }
}

} // namespace ein
