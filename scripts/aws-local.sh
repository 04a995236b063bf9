#!/bin/sh
# AWS on this machine: prepares what is missing, then starts it. See docs/aws-local.md.
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh --for-tests
PATH="$PWD/node_modules/.bin:$PATH" exec node scripts/aws-local.ts "$@"
