#!/bin/sh
# Tortures the disk cache: kill -9, mutations, crowds, and folders and files that cannot serve. Prints a line for each;
# exit code 1 if one is WRONG. What cannot be set up here (mounts, other users) is skipped with the reason.
# Usage: tools/cache-torture.sh [BUILD_DIR] [--quick]
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$root/build/release}
kills=4000 mutations=100000 processes=16 operations=10000
[ "${2:-}" = --quick ] && kills=80 mutations=5000 processes=4 operations=300
torture=$build/bin/ein-cache-torture
einc=$build/bin/einc
for program in "$torture" "$einc"; do
  [ -x "$program" ] || { echo "error: $program is missing; build it first" >&2; exit 2; }
done
status=0
"$torture" kill $kills || status=1
"$torture" mutate $mutations || status=1
"$torture" crowd $processes $operations || status=1

# From here on: einc on bad folders and entries. The result must be right, whatever the cache does.
top=$(mktemp -d)
trap 'chmod -R u+rwX "$top"; rm -rf "$top"' EXIT
export EIN_CACHE=1 EIN_CACHE_DIR="$top/cache"
with=env # in front of einc
multiply() {
  timeout 60 $with "$einc" run 'ik,kj->ij' --type 'f32[5,7]' --type 'f32[7,3]' --threads 1 --seed 3
}
want=$(EIN_CACHE=0 multiply)
[ -n "$want" ] || { echo "error: einc does not run" >&2; exit 2; }

line() { printf '%-7s %-5s %s\n' hostile "$1" "$2"; }
# Runs twice, the second time on what the first has left. $2: how many lines of warnings there must be.
survive() {
  for _ in 1 2; do
    got=$(multiply 2>"$top/stderr")
    [ "$got" = "$want" ] && [ "$(grep -c . "$top/stderr")" = "$2" ] && continue
    line WRONG "$1"
    cat "$top/stderr"
    status=1
    return
  done
  line fine "$1"
}
skip() { line skip "$1: $2"; }
fresh() {
  chmod -R u+rwX "$EIN_CACHE_DIR" 2>/dev/null
  rm -rf "$EIN_CACHE_DIR" && multiply >/dev/null
  entry=$(find "$EIN_CACHE_DIR" -type f -size +0 ! -name lock)
}

fresh; survive "an ordinary folder" 0
fresh; truncate -s 100 "$entry"; survive "truncated entry" 0
fresh; : >"$entry"; survive "empty entry" 0
fresh; truncate -s 1T "$entry"; survive "huge sparse entry" 0
fresh; rm "$entry"; mkfifo "$entry"; survive "FIFO for an entry" 0
fresh; rm "$entry"; mkdir "$entry"; survive "folder for an entry" 0
fresh; mv "$entry" "$top/moved"; ln -s "$top/moved" "$entry"; survive "symbolic link for an entry" 0
fresh; ln "$entry" "$top/linked"; survive "hard link to an entry" 0
fresh; rm "$entry"; ln -s /dev/zero "$entry"; survive "device for an entry" 0
fresh; chmod 0666 "$entry"; survive "entry that everybody may write" 0
fresh; chmod 0777 "$EIN_CACHE_DIR"; survive "folder 0777" 1
fresh; mv "$EIN_CACHE_DIR" "$top/real"; ln -s "$top/real" "$EIN_CACHE_DIR"; survive "symbolic link for the folder" 1
rm "$EIN_CACHE_DIR"; rm -rf "$top/real"
rm -rf "$EIN_CACHE_DIR"; echo >"$EIN_CACHE_DIR"; survive "file for the folder" 1; rm "$EIN_CACHE_DIR"
fresh; rm "$EIN_CACHE_DIR/lock"; mkfifo "$EIN_CACHE_DIR/lock"; rm "$entry"; survive "FIFO for the lock" 0
fresh; rm "$entry"; sh -c 'exec 9<>"$EIN_CACHE_DIR/lock" && flock 9 && exec sleep 100' & holder=$!
sleep 0.2; survive "lock that is never given up" 0; kill $holder; wait $holder 2>/dev/null

if [ "$(id -u)" = 0 ]; then
  fresh; chown 12345 "$entry"; survive "entry of another user" 0
  fresh; chown 12345 "$EIN_CACHE_DIR"; survive "folder of another user" 1
  chown 0 "$EIN_CACHE_DIR"
else
  skip "entry and folder of another user" "needs root"
  fresh; rm "$entry"; chmod 0500 "$EIN_CACHE_DIR"; survive "folder that may not be written" 0
fi

# The rest needs mounts of its own.
mounted() {
  printf '#!/bin/sh\nexec unshare -m sh -c '"'"'%s; exec "$@"'"'"' sh "$@"\n' "$1" >"$top/with"
  chmod +x "$top/with"
  with=$top/with
}
if unshare -m mount -t tmpfs tmpfs /tmp 2>/dev/null; then
  fresh
  mounted 'mount -t tmpfs -o size=16k,mode=0700 tmpfs "$EIN_CACHE_DIR"; head -c 12288 /dev/zero >"$EIN_CACHE_DIR/ballast"'
  survive "full disk, no room for an entry" 0
  mounted 'mount -t tmpfs -o size=16k,mode=0700 tmpfs "$EIN_CACHE_DIR"; head -c 16384 /dev/zero >"$EIN_CACHE_DIR/ballast"'
  survive "full disk, no room for anything" 0
  rm "$entry"
  mounted 'mount --bind "$EIN_CACHE_DIR" "$EIN_CACHE_DIR"; mount -o remount,ro,bind "$EIN_CACHE_DIR"'
  survive "read-only file system" 0
else
  skip "full disk, read-only file system" "no mounts are permitted here"
fi
exit $status
