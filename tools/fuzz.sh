#!/usr/bin/env bash
# Fuzzes on: fuzz.sh TARGET [SECONDS], where TARGET is einsum, program, npy or wire. Builds the preset `fuzz` first.
# What is found new is kept in build/fuzz/corpus; a crash leaves its input in build/fuzz and ends the run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${1:-}
seconds=${2:-60}
if [ ! -f "$root/tests/fuzz/seeds/$target/000" ]; then
  echo "usage: $(basename "$0") einsum|program|npy|wire [SECONDS]" >&2
  exit 2
fi

cd "$root"
cmake --preset fuzz >/dev/null
cmake --build build/fuzz --target "ein-fuzz-$target"
mkdir -p "build/fuzz/corpus/$target"
cd build/fuzz
exec "bin/ein-fuzz-$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -report_slow_units=1 \
  "corpus/$target" "$root/tests/fuzz/seeds/$target"
