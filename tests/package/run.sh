#!/bin/sh
# Installs a build into a temporary prefix, then configures, builds and runs an outside project against it.
# Usage: run.sh BUILD_DIR [CXX]
set -eu
build=$1
cxx=${2:-c++}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

step() { echo "package: $*"; }

step "install $build"
cmake --install "$build" --prefix "$work/prefix" >"$work/log" || { cat "$work/log"; exit 1; }

# A library built with sanitizers needs their runtime in the program.
sanitize=$(sed -n 's/^EIN_SANITIZE:[A-Z]*=\(..*\)/-fsanitize=\1/p' "$build/CMakeCache.txt")

step "configure and build the example"
cmake -S "$here" -B "$work/example" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS="$sanitize" >"$work/log" 2>&1 && cmake --build "$work/example" >>"$work/log" 2>&1 ||
  { cat "$work/log"; exit 1; }

step "run it"
# Only the installed compiler counts.
got=$(env -u EIN_COMPILER -u LD_LIBRARY_PATH "$work/example/example")
want=$(printf '5 11\n14 23')
if [ "$got" != "$want" ]; then
  printf 'package: expected\n%s\nbut got\n%s\n' "$want" "$got"
  exit 1
fi

step "libein and libein-generic stand without LLVM and MLIR"
for library in libein.so libein-generic.so; do
  linked=$(ldd "$work"/prefix/lib*/$library)
  if echo "$linked" | grep -E 'LLVM|MLIR'; then exit 1; fi
done

if [ -x "$work/prefix/bin/einc" ]; then
  step "installed einc"
  env -u EIN_COMPILER -u LD_LIBRARY_PATH "$work/prefix/bin/einc" --version
fi
step "fine"
