# Sourced by the scripts beside it: says what is done, how long it took, and keeps the output of quiet steps.
# Sets root, build and jobs.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/release
jobs=$(nproc)
exec </dev/null

while getopts "j:h" option; do
  case $option in
    j) jobs=$OPTARG ;;
    *) echo "usage: $(basename "$0") [-j JOBS]" >&2; exit 2 ;;
  esac
done

# step TITLE COMMAND...: runs the command; prints the title before and the seconds after it.
step() {
  local title=$1 start=$SECONDS
  shift
  echo "==> $title"
  "$@" || { local code=$?; echo "==> $title: FAILED after $((SECONDS - start)) s" >&2; exit $code; }
  echo "    done in $((SECONDS - start)) s"
}

# Configures only where nothing is configured: the build itself notices changed CMake files.
configure() {
  if [ -f "$build/build.ninja" ]; then echo "    already configured in $build"; return; fi
  (cd "$root" && cmake --preset release)
}
