#!/usr/bin/env bash
# Sets up, builds everything and runs every test. The last line is "N passed, N failed".
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

runTests() {
  local log=$build/ctest.log
  ctest --test-dir "$build" --output-on-failure -j "$jobs" 2>&1 | tee "$log" || true
}

step "install packages" "$root/tools/setup.sh"
step "configure" configure
step "build, $jobs jobs" cmake --build "$build" -j "$jobs"
step "run the tests" runTests

# ctest ends with: "97% tests passed, 1 tests failed out of 34".
summary=$(grep -E '^[0-9]+% tests passed' "$build/ctest.log" || true)
failed=$(sed -E 's/.* ([0-9]+) tests failed out of .*/\1/' <<<"$summary")
total=$(sed -E 's/.* tests failed out of ([0-9]+).*/\1/' <<<"$summary")
passed=$((${total:-0} - ${failed:-0}))
echo "$passed passed, ${failed:-0} failed"
[ "$passed" -gt 0 ] && [ "$failed" -eq 0 ]
