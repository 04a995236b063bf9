#!/bin/sh
# From a fresh machine to the first result: sets up what is missing, then shows the main job on real data.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh
PATH="$PWD/node_modules/.bin:$PATH" exec node scripts/quickstart.ts "$@"
