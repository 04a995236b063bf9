#!/bin/sh
# Prepares the AWS stand-in below .cache/aws-local: the emulator's own Python environment, a Python that a user without
# rights may start for the functions, and AWS's runtime interface emulator. Can run twice: what is there is left alone.
set -eu
cd "$(dirname "$0")/../.."

folder=.cache/aws-local
requirements=scripts/aws-local/requirements.txt
say() { printf 'aws-local: %s\n' "$*" >&2; }
stop() { printf 'aws-local: cannot go on: %s\n' "$1" >&2; printf 'aws-local: do this one thing, then start again: %s\n' "$2" >&2; exit 69; }
is_current() { [ -f "$folder/$1.made-of" ] && [ "$(cat "$folder/$1.made-of")" = "$2" ]; }
mark() { printf '%s' "$2" > "$folder/$1.made-of"; }

make_emulator() {
  wanted=$(printf '%s %s' "$PWD" "$(sha256sum < $requirements)")
  if is_current venv "$wanted" && [ -x "$folder/venv/bin/python" ]; then return 0; fi
  say "installing the emulator with pinned hashes into $folder/venv (about ten seconds)"
  rm -rf "$folder/venv"
  .venv/bin/python -m venv "$folder/venv"
  "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r $requirements >&2 ||
    stop "pip could not install $requirements" "check that this machine reaches a Python package index"
  mark venv "$wanted"
}

# Root may stand in a home that nobody else can enter, and so may its Python; functions run as a user without rights.
common_python() {
  for candidate in .venv/bin/python /usr/bin/python3; do
    real=$(readlink -f "$candidate") || continue
    # The shell has lost its rights already; a program that setpriv itself starts has not, for the length of a path lookup.
    setpriv --reuid=993 --regid=990 --clear-groups --no-new-privs --bounding-set=-all sh -c '"$1" -c ""' sh "$real" 2> /dev/null || continue
    [ "$("$real" -c 'import sys; print(sys.version_info[:2])')" = "$(.venv/bin/python -c 'import sys; print(sys.version_info[:2])')" ] || continue
    printf '%s' "$real"
    return 0
  done
  return 1
}

make_runtime() {
  [ "$(id -u)" = 0 ] || return 0
  python=$(common_python) || {
    say "no Python of .venv's version here that a user without rights may start: functions will run as root"
    return 0
  }
  wanted="$PWD $python $("$python" --version) $(sha256sum < runner-image/requirements.txt)"
  if is_current runtime "$wanted" && [ -x "$folder/runtime/bin/python" ]; then return 0; fi
  say "preparing the Python of the functions in $folder/runtime"
  rm -rf "$folder/runtime"
  "$python" -m venv --without-pip "$folder/runtime"
  for own in "$folder"/runtime/lib/python3*/site-packages; do
    for libraries in "$PWD"/.venv/lib/python3*/site-packages; do printf '%s\n' "$libraries" > "$own/libraries.pth"; done
  done
  # As the image does: otherwise every environment would look for all fonts at its start.
  MPLCONFIGDIR="$folder/runtime/matplotlib" "$folder/runtime/bin/python" -c 'import matplotlib.font_manager'
  mark runtime "$wanted"
}

[ -x .venv/bin/python ] || stop "Berth's Python packages are not installed" "sh scripts/setup.sh --for-tests"
mkdir -p "$folder"
make_emulator
make_runtime
[ -x .cache/rie/aws-lambda-rie ] || sh scripts/fetch-rie.sh >&2
