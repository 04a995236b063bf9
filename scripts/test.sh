#!/bin/sh
# From a fresh machine to the sum of every test.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh --for-tests
PATH="$PWD/node_modules/.bin:$PATH" exec node scripts/test.ts "$@"
