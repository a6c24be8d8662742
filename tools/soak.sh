#!/usr/bin/env bash
# Runs N random cases against the interpreter: soak.sh N [FIRST_SEED]. What is random about a case comes from its seed, so a
# run that was stopped goes on with the seed that its progress bar shows. A failure prints its seed and an einc line.
# Exit codes: 0 fine, 1 a case failed, 2 usage.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${EIN_BUILD:-$root/build/release}
if ! [[ ${1:-} =~ ^[1-9][0-9]*$ && ${2:-1} =~ ^[0-9]+$ && $# -le 2 ]]; then
  echo "usage: $(basename "$0") N [FIRST_SEED]" >&2
  exit 2
fi

[ -f "$build/build.ninja" ] || cmake --preset release -S "$root" >/dev/null
cmake --build "$build" --target ein-soak einc >&2
EIN_CACHE=0 exec "$build/bin/ein-soak" "$@"
