#!/bin/sh
# The quick gate while you work: types, lint, format, dead code, unit and contract tests.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh --for-tests
PATH="$PWD/node_modules/.bin:$PATH" exec node scripts/test.ts --quick "$@"
