#!/bin/sh
# The runner's tests on the runner of a built image, with the image's own Python, libraries and Node.
# Usage: sh scripts/image/test-inside.sh <image>
# They run as a user without rights, as in Lambda, so only at the level that Lambda allows; the other levels are those of `npm test`.
set -eu
cd "$(dirname "$0")/../.."
[ $# = 1 ] || { echo 'test-inside: expected one image' >&2; exit 2; }

# pytest comes with pinned hashes into a folder of its own: what is tested is the image as it was built.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 777 "$work"
docker run --rm --user 993:990 --entrypoint python \
  --volume "$PWD/scripts/image/requirements-test.txt:/requirements.txt:ro" --volume "$work:/pytest" \
  "$1" -m pip install --quiet --no-cache-dir --require-hashes --only-binary :all: --target /pytest -r /requirements.txt

docker run --rm --user 993:990 --network none --entrypoint sh \
  --volume "$PWD/test/runner-image:/checkout/test/runner-image:ro" \
  --volume "$PWD/scripts/image/run-tests.sh:/checkout/run-tests.sh:ro" \
  --volume "$PWD/runner-image/pyproject.toml:/checkout/pyproject.toml:ro" \
  --volume "$work:/pytest:ro" \
  "$1" /checkout/run-tests.sh /checkout /var/task /usr/local/bin/node /pytest
