#!/bin/sh
# Sets up everything that Berth needs on a bare Debian or Ubuntu machine. Can run twice: what is there is left alone.
# Usage: sh scripts/setup.sh [--for-tests]
set -eu
cd "$(dirname "$0")/.."

for_tests=no
case "${1:-}" in
  --for-tests) for_tests=yes ;;
  '') ;;
  *) echo "setup: expected no argument or --for-tests, got \"$1\"" >&2; exit 2 ;;
esac

say() { printf 'setup: %s\n' "$*" >&2; }
stop() { printf 'setup: cannot go on: %s\n' "$1" >&2; printf 'setup: do this one thing, then start again: %s\n' "$2" >&2; exit 69; }
digest() { cat "$@" | sha256sum | cut -d' ' -f1; }
is_current() { [ -f ".cache/setup/$1" ] && [ "$(cat ".cache/setup/$1")" = "$2" ]; }
mark() { mkdir -p .cache/setup && printf '%s' "$2" > ".cache/setup/$1"; }

check_machine() {
  [ "$(uname -s)" = Linux ] || stop "Berth runs on Linux, this is $(uname -s)" "use a Linux machine or a Linux virtual machine"
  case "$(uname -m)" in
    x86_64 | aarch64) ;;
    *) stop "Berth runs on x86_64 and aarch64, this is $(uname -m)" "use a machine of one of these" ;;
  esac
  command -v npm > /dev/null || stop "npm is not there" "install Node.js 20 or newer with npm (apt-get install nodejs npm)"
  node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' ||
    stop "Node.js $(node --version) is too old to start the set-up" "install Node.js 20 or newer; Berth brings its own Node 24 from there"
}

# The first python3 that is new enough and can make a virtual environment.
find_python() {
  for candidate in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
    command -v "$candidate" > /dev/null 2>&1 || continue
    "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || continue
    command -v "$candidate"
    return 0
  done
  return 1
}

has_postgres() {
  command -v initdb > /dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1
}

missing_packages() {
  find_python > /dev/null || printf 'python3 python3-venv '
  command -v bwrap > /dev/null 2>&1 || printf 'bubblewrap '
  command -v setpriv > /dev/null 2>&1 || printf 'util-linux '
}

install_with_apt() {
  command -v apt-get > /dev/null 2>&1 || stop "these are missing and there is no apt-get: $*" "install them with this machine's package tool"
  as_root=''
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2> /dev/null || stop "installing system packages needs root" "sudo apt-get update && sudo apt-get install -y $*"
    as_root='sudo -n'
  fi
  say "installing system packages with apt-get: $*"
  mkdir -p .cache
  $as_root apt-get update -qq > .cache/apt.log 2>&1 || stop "apt-get update failed (see .cache/apt.log)" "check this machine's network and package sources"
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >> .cache/apt.log 2>&1 ||
    stop "apt-get install failed (see .cache/apt.log)" "apt-get install -y $*"
}

install_system_packages() {
  packages=$(missing_packages)
  [ -n "$packages" ] || return 0
  # shellcheck disable=SC2086 # the list is words on purpose
  install_with_apt $packages
  find_python > /dev/null || stop "no Python of 3.11 or newer with venv was found" "use Debian 12, Ubuntu 24.04 or newer, or install Python 3.11"
}

install_postgres() {
  [ "$for_tests" = no ] || has_postgres || install_with_apt postgresql
}

install_node_packages() {
  wanted=$(digest package.json package-lock.json)
  if is_current npm "$wanted" && [ -x node_modules/.bin/node ]; then return 0; fi
  say "installing Node 24 and the packages of package-lock.json with npm (about half a minute)"
  # Not "npm ci": it refuses a lock file when a registry lacks the optional binaries of other platforms.
  npm install --no-save --no-audit --no-fund --loglevel=error >&2
  [ -x node_modules/.bin/node ] || stop "npm installed no Node 24" "npm install --no-save --foreground-scripts node@24"
  mark npm "$wanted"
}

install_python_packages() {
  requirements='runner-image/requirements.txt scripts/requirements-dev.txt'
  [ "$for_tests" = yes ] || requirements=runner-image/requirements.txt
  # shellcheck disable=SC2086 # the list is words on purpose
  wanted=$(digest $requirements)
  if { is_current "venv-$for_tests" "$wanted" || is_current venv-yes "$(digest runner-image/requirements.txt scripts/requirements-dev.txt)"; } &&
    [ -x .venv/bin/python ]; then return 0; fi
  python=$(find_python)
  say "installing the Python packages with pinned hashes into .venv, with $("$python" --version) (about half a minute)"
  "$python" -m venv .venv
  for file in $requirements; do
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$file" >&2 ||
      stop "pip could not install $file" "check that this machine reaches a Python package index"
  done
  mark "venv-$for_tests" "$wanted"
}

# Without it the tests that need it are skipped, and npm test says how many and why.
prepare_stand_in() {
  [ "$for_tests" = yes ] || return 0
  sh scripts/fetch-rie.sh >&2 || say "AWS's runtime interface emulator could not be fetched: tests on it will be skipped"
  sh scripts/aws-local/setup.sh || say "the AWS stand-in could not be prepared: tests on it will be skipped"
}

# 250 MB that only test/firebase needs; without it those tests are skipped.
install_firebase_emulators() {
  [ "$for_tests" = yes ] || return 0
  emulators=test/firebase/emulators
  wanted=$(digest "$emulators/package.json" "$emulators/package-lock.json")
  if is_current firebase "$wanted" && [ -f "$emulators/node_modules/firebase-tools/package.json" ]; then return 0; fi
  say "installing the Firebase emulators with npm (about a minute)"
  # On Node 20 npm would pass over what firebase-admin wants a newer one for.
  PATH="$PWD/node_modules/.bin:$PATH" npm install --prefix "$emulators" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error > .cache/firebase.log 2>&1 ||
    { say "the Firebase emulators could not be installed (see .cache/firebase.log): tests on them will be skipped"; return 0; }
  mark firebase "$wanted"
}

python_side() {
  install_python_packages
  prepare_stand_in
}

check_machine
install_system_packages
# All of them wait for the network most of the time. Who fails lets the others end: what is half done must not be met by the next try.
trap wait EXIT
install_postgres & postgres=$!
python_side & python=$!
install_node_packages
install_firebase_emulators & firebase=$!
wait "$python"
wait "$postgres"
wait "$firebase"
