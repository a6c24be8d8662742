#!/usr/bin/env bash
# Installs what building and testing ein needs on Debian 12. Run as root or with sudo; a second run installs nothing.
set -euo pipefail

packages=(
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools clang-22 libclang-rt-22-dev lld-22 liblld-22-dev libomp-22-dev
  libgtest-dev libbenchmark-dev ninja-build cmake libopenblas-dev libcli11-dev nlohmann-json3-dev libxxhash-dev
  zlib1g-dev libzstd-dev python3 python3-numpy clang-format-22
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "all ${#packages[@]} packages are installed"
  exit 0
fi

asRoot=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: not root, and there is no sudo; missing: ${missing[*]}" >&2; exit 1; }
  asRoot=(sudo)
fi
echo "installing ${#missing[@]} of ${#packages[@]} packages: ${missing[*]}"
apt() { "${asRoot[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" </dev/null; }
apt update
apt install -y --no-install-recommends "${missing[@]}" >/dev/null
