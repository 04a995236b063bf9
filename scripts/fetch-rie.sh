#!/bin/sh
# Puts AWS's Lambda runtime interface emulator where the tests look for it: .cache/rie/aws-lambda-rie.
# It is part of a wheel that AWS publishes; the checksum pins the very binary. Safe to run again. Where none is pinned, this
# says so and goes on: the tests that need it are skipped, and say why.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
folder=$root/.cache/rie
target=$folder/aws-lambda-rie
wheel=aws-sam-cli==1.170.0

case $(uname -m) in
  x86_64) member=samcli/local/rapid/aws-lambda-rie-x86_64 want=6b1e686e62ab2baf5759c412c4864276ef2a88b094fca53ec070637ccba9b9a5 ;;
  *)
    echo "fetch-rie: AWS's emulator is pinned for x86_64 alone, this is $(uname -m): tests on the AWS stand-in will be skipped" >&2
    exit 0
    ;;
esac

is_right() { [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d ' ' -f 1)" = "$want" ]; }

if is_right "$target"; then
  echo "fetch-rie: $target is there"
  exit 0
fi

mkdir -p "$folder"
work=$(mktemp -d "$folder/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
python=$root/.venv/bin/python
[ -x "$python" ] || python=python3

echo "fetch-rie: downloading $wheel (8 MB)"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" "$wheel"
"$python" - "$work" "$member" <<'PYTHON'
import sys
import zipfile
from pathlib import Path

work = Path(sys.argv[1])
(wheel,) = work.glob("*.whl")
(work / "aws-lambda-rie").write_bytes(zipfile.ZipFile(wheel).read(sys.argv[2]))
PYTHON

if ! is_right "$work/aws-lambda-rie"; then
  echo "fetch-rie: the checksum of the downloaded emulator is not the pinned one; it was thrown away" >&2
  exit 1
fi
chmod 755 "$work/aws-lambda-rie"
mv "$work/aws-lambda-rie" "$target"
echo "fetch-rie: $target is ready"
