#!/usr/bin/env bash
# Builds the preset `static` and shows that its einc needs nothing but the C library: what it names, what a run loads,
# and that it compiles, runs and checks with no libein, LLVM or C++ library to be found. Prints its size.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"
build=$root/build/static
einc=$build/bin/einc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
allowed='(ld-linux-x86-64\.so\.2|libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|librt\.so\.1)'

namesOnlyLibc() {
  local others
  others=$(readelf -d "$einc" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p' | grep -vxE "$allowed" || true)
  [ -z "$others" ] || { echo "einc names $others" >&2; return 1; }
}

# Away from the build folder and with an empty environment. LD_DEBUG lists every library that is opened.
runsAlone() {
  cp "$einc" "$work/einc"
  cd "$work"
  local run=(env -i EIN_CACHE=0)
  "${run[@]}" ./einc run 'ik,kj->ij' --type 'f32[64,48]' --type 'f32[48,80]' --check --threads 1 >result 2>findings
  grep -q '^check: ok' findings
  "${run[@]}" LD_DEBUG=files LD_DEBUG_OUTPUT="$work/files" ./einc run 'ij->ji' --type 'f64[5,7]' --check 2>findings >result
  grep -q '^check: ok' findings
  local others
  grep -q 'calling init: .*/libc\.so\.6$' "$work"/files.* # else the next line shows nothing
  others=$(sed -nE 's/.*calling init: (.*)/\1/p' "$work"/files.* | grep -vE "/$allowed\$|^/proc/self/fd" || true)
  [ -z "$others" ] || { echo "a run loads $others" >&2; return 1; }
  "${run[@]}" ./einc compile 'ik,kj->ij' --type 'f32[8,8]' --type 'f32[8,8]' --target x86-64-v2 -o one.ein
  "${run[@]}" ./einc run --bundle one.ein --check 2>findings >result
  grep -q '^check: ok' findings
}

step "configure" cmake --preset static -S "$root"
step "build, $jobs jobs" cmake --build "$build" -j "$jobs" --target einc
step "names only the C library" namesOnlyLibc
step "runs alone" runsAlone
echo "    einc has $(stat -c %s "$einc") bytes"
