# Writes a header with EIN_BUILD_ID: version, hash of all sources that decide about compiled code, LLVM's version.
# Usage: cmake -DROOT=... -DVERSION=... -DLLVM_VERSION=... -DOUTPUT=... -P BuildId.cmake
cmake_minimum_required(VERSION 3.25)
file(GLOB_RECURSE sources RELATIVE ${ROOT}
  ${ROOT}/compiler/*.h ${ROOT}/compiler/*.cpp ${ROOT}/compiler/*.td ${ROOT}/runtime/Types/* ${ROOT}/include/ein/*.h)
list(SORT sources)
set(digests "")
foreach(source IN LISTS sources)
  file(SHA256 ${ROOT}/${source} digest)
  string(APPEND digests "${source} ${digest}\n")
endforeach()
string(SHA256 digest "${digests}")
string(SUBSTRING ${digest} 0 32 digest)
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define EIN_BUILD_ID \"${VERSION} ${digest} LLVM ${LLVM_VERSION}\"\n")
# Newer than its sources also where nothing changed, so that it is not made again and again.
file(TOUCH_NOCREATE ${OUTPUT})
