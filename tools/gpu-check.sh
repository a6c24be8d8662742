#!/bin/bash
# Checks ein on a machine with an NVIDIA GPU, its driver and Python with PyTorch: no LLVM, no CUDA toolkit, no network.
#
# usage: gpu-check.sh --pack FOLDER [--einc FILE] [--cases N]   where ein is built: makes FOLDER, at most 60 MiB, with all
#                                                              that the check needs
#        gpu-check.sh [OUTPUT]                                 in such a folder, on the machine with the GPU: writes
#                                                              OUTPUT/gpu-check.json and .txt in less than 8 minutes
# Exit codes: 0 fine, 1 a wrong result, 2 usage, 4 the check did not run, 5 no driver or no GPU.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}

die() {
  local code=$1
  shift
  echo "gpu-check: $*" >&2
  exit "$code"
}

pack() {
  local folder=$1 einc=$2 cases=$3 target
  [[ -x $einc ]] || die 2 "there is no einc at '$einc': build it (cmake --preset static), or name it with --einc"
  mkdir -p "$folder"
  cp "$here/gpu-check.sh" "$folder/"
  cp "$here"/gpu-check/*.py "$folder/"
  xz -T0 -c "$einc" > "$folder/einc.xz"
  "$python" "$here/gpu-check/cases.py" conformance "$cases" 1 > "$folder/conformance.list"
  "$python" "$here/gpu-check/cases.py" bench > "$folder/bench.list"
  # sm_90a for Hopper; sm_80 runs on everything from Ampere on.
  for target in sm_90a sm_80; do
    for list in conformance bench; do
      EIN_CACHE=0 "$einc" compile "@$folder/$list.list" --target "cuda:$target" -o "$folder/$list-$target.ein"
      xz -T0 -f "$folder/$list-$target.json" "$folder/$list-$target.ein"
    done
  done
  rm "$folder"/*.list
  (($(du -sm "$folder" | cut -f1) <= 60)) || die 4 "'$folder' is larger than 60 MiB"
  du -sh "$folder"
}

# The C++ runtime, by einc itself, on a few cases.
runtime() {
  local einc=$1 target=$2
  einc_run() {
    EIN_CACHE=0 timeout 20 "$einc" run "$@" --target "cuda:$target" --check > /dev/null
  }
  einc_run 'ik,kj->ij' --type 'f32[100,70]' --type 'f32[70,90]' &&
    einc_run 'bqhd,bkhd->bhqk' --type 'bf16[2,96,4,64]' --type 'bf16[2,80,4,64]' &&
    einc_run 'ij->' --type 'f32[3000,1000]'
}

check() {
  local output=$1 work target status parts
  mkdir -p "$output"
  [[ -f $here/einc.xz ]] || die 2 "there is no einc.xz here: make this folder with gpu-check.sh --pack FOLDER"
  work=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder's name is known now
  trap "rm -rf '$work'" EXIT
  xz -dc "$here/einc.xz" > "$work/einc"
  chmod +x "$work/einc"
  EIN_CACHE=0 "$work/einc" doctor --target cuda > "$work/doctor" 2> "$work/error" ||
    die 5 "no GPU can be used: $(sed -n 's/^error: //p' "$work/error")"
  grep '^cuda' "$work/doctor"
  target=sm_80
  grep -q 'cuda:sm_90a' "$work/doctor" && target=sm_90a
  for list in conformance bench; do
    xz -dc "$here/$list-$target.json.xz" > "$work/$list.json"
  done
  # What goes wrong here is reported beside the rest.
  parts=(runtime=fine compute-sanitizer=absent)
  runtime "$work/einc" "$target" 2> "$work/error" || parts[0]="runtime=wrong: $(head -1 "$work/error")"
  if command -v compute-sanitizer > /dev/null; then
    parts[1]=compute-sanitizer=fine
    EIN_CACHE=0 timeout 60 compute-sanitizer --error-exitcode 1 "$work/einc" run 'ij,jk->ki' --type 'f32[65,33]' \
      --type 'f32[33,70]' --target "cuda:$target" > "$output/compute-sanitizer.txt" 2>&1 ||
      parts[1]="compute-sanitizer=wrong: see compute-sanitizer.txt"
  fi
  status=0
  timeout 370 "$python" "$here/check.py" "$work/conformance.json" "$work/bench.json" "$output" 330 "${parts[@]}" ||
    status=$?
  case $status in
    0 | 1) ;;
    4) die 4 "$python has no PyTorch that sees the GPU; PYTHON names another" ;;
    *) die 4 "the check did not finish (exit code $status); $output/gpu-check.json has what was done" ;;
  esac
  exit "$status"
}

if [[ ${1:-} == --pack ]]; then
  (($# >= 2)) || die 2 "--pack needs a folder"
  folder=$2 einc=$here/../build/static/bin/einc cases=1000
  shift 2
  while (($# > 0)); do
    case $1 in
      --einc) einc=${2:?} ;;
      --cases) cases=${2:?} ;;
      *) die 2 "there is no option '$1'" ;;
    esac
    shift 2
  done
  pack "$folder" "$einc" "$cases"
elif (($# <= 1)) && [[ ${1:-} != -* ]]; then
  check "${1:-$PWD}"
else
  die 2 "usage: gpu-check.sh --pack FOLDER [--einc FILE] [--cases N] | gpu-check.sh [OUTPUT]"
fi
