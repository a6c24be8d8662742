#!/bin/sh
# Runs every suite of ein-bench with 1 and 2 threads; writes a table, JSON and a chart per suite and thread count.
# Usage: bench/run-all.sh [FOLDER] [SECONDS]   (default: build/bench-results, 1 second for each of the timed)
# Takes about 40 minutes. Run it on a quiet machine; ratios survive noise, percentages of a ceiling do not.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$root/build/bench-results}
seconds=${2:-1}
bench=${EIN_BENCH:-$root/build/release/bin/ein-bench}
[ -x "$bench" ] || { echo "error: $bench is missing; build it: cmake --build --preset release" >&2; exit 2; }
mkdir -p "$out" || exit 2

{ lscpu; uname -a; git -C "$root" log -1 --format=%H 2>/dev/null; } >"$out/machine.txt"
status=0
for threads in 1 2; do
  for suite in gemm small batched tccg slow memory attention-scores attention programs compile; do
    name=$suite-$threads
    echo "== $suite, $threads thread(s)" >&2
    "$bench" --suite "$suite" --threads "$threads" --seconds "$seconds" \
      --json "$out/$name.json" --svg "$out/$name.svg" >"$out/$name.txt"
    code=$?
    [ $code -eq 0 ] || { echo "$name: exit code $code, see $out/$name.txt" >&2; status=1; }
    grep "geomean" "$out/$name.txt"
  done
done
echo "results: $out" >&2
exit $status
