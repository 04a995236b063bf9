#!/bin/sh
# Figures of this machine: ratios, medians in turn. `npm run bench -- --only local --json` for one JSON object.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh >&2
PATH="$PWD/node_modules/.bin:$PATH" exec node scripts/bench/bench.ts "$@"
