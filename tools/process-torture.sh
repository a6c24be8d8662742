#!/bin/sh
# Tortures a process with the real compiler: 20,000 kernels under a budget of code, 1,000 forks under load, 64 threads on
# 1,000 keys. Prints a line for each; exit code 1 if one is WRONG. Takes about a quarter of an hour.
# Usage: tools/process-torture.sh [BUILD_DIR] [--quick]
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
torture=${1:-$root/build/release}/bin/ein-process-torture
kernels=20000 children=1000 keys=1000
[ "${2:-}" = --quick ] && kernels=200 children=20 keys=50
[ -x "$torture" ] || { echo "error: $torture is missing; build it first" >&2; exit 2; }
status=0
"$torture" memory $kernels || status=1
"$torture" fork $children || status=1
"$torture" crowd $keys || status=1
exit $status
