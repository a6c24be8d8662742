#!/usr/bin/env bash
# Sets up, builds einc and runs it on the arrays in tools/demo, each result checked and timed. Ends with a table.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/steps.sh"

data=$root/tools/demo
out=$build/demo
wrong=0

# show NAME TEXT FILE...: runs one job; its results and report go to $out.
show() {
  local name=$1 text=$2 files=() code=0
  shift 2
  for file in "$@"; do files+=("$data/$file.npy"); done
  echo "    $name: $text"
  "$build/bin/einc" run "$text" "${files[@]}" -o "$out/$name.npy" --check --time --json >"$out/$name.json" || code=$?
  [ $code -eq 0 ] || { echo "    $name: einc ended with exit code $code" >&2; wrong=$code; }
}

runJobs() {
  rm -rf "$out"
  mkdir -p "$out"
  show image 'hwc,dc->hwd' image sepia
  show batched-matmul 'bij,bjk->bik' batch_a batch_b
  show chain 'ij,jk,kl->il' chain_a chain_b chain_c
  show attention "@$data/attention.ein" attention_x attention_wq attention_wk attention_wv attention_wo
}

step "install packages" "$root/tools/setup.sh"
step "configure" configure
step "build einc and the compiler, $jobs jobs" cmake --build "$build" -j "$jobs" --target einc ein-compiler
step "the order of the chain, of which (A B) C would cost 17 times as much" \
  "$build/bin/einc" path 'ij,jk,kl->il' "$data"/chain_{a,b,c}.npy
step "run the jobs; results and reports in $out" runJobs
echo
python3 "$data/table.py" "$out"/{image,batched-matmul,chain,attention}.json
exit $wrong
