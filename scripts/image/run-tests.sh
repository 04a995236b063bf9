#!/bin/sh
# Inside the image: lays its runner where the tests look for it, and runs those that need no rights.
# Usage: sh run-tests.sh <checkout> <runner> <node> <pytest>
set -eu
laid=$(mktemp -d)
mkdir -p "$laid/test" "$laid/node_modules/node/bin"
cp -R "$1/test/runner-image" "$laid/test/runner-image"
ln -s "$2" "$laid/runner-image"
ln -s "$3" "$laid/node_modules/node/bin/node"
cp "$1/pyproject.toml" "$laid/pyproject.toml"
export PYTHONPATH="$2:$4" PYTHONDONTWRITEBYTECODE=1
cd "$laid"
# Not here: what reads the folder that the image was made from, or looks into the runner's memory as root.
exec python -m pytest -c pyproject.toml --rootdir . -p no:cacheprovider -q -k 'guard and not as_root' \
  --ignore test/runner-image/test_dockerfile.py --ignore test/runner-image/test_memory_over_runs.py --ignore test/runner-image/test_checkout_below_tmp.py test/runner-image
