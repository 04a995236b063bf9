#!/bin/sh
# From a fresh machine to the first result: sets up what is missing, then shows the main job on real data.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh
# Compiled code is kept, so that the second start has less to do.
NODE_COMPILE_CACHE="$PWD/.cache/node" PATH="$PWD/node_modules/.bin:$PATH" exec node scripts/quickstart.ts "$@"
