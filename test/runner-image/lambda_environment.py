"""One Lambda environment on this machine: AWS's runtime interface emulator and awslambdaric around the real handler.

As in Lambda the handler has no rights, its environment carries credentials, and only /tmp can be written. The emulator
listens on two ports of this machine alone, takes one event at a time, and dies when two come at once.
"""

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from own_address import own_address
from runner_process import LIMITS, NODE, PACKAGE_ROOT, PATIENCE_SECONDS, ROOT, common_python, is_root

RIE = ROOT / ".cache" / "rie" / "aws-lambda-rie"
SECRET = "secret-of-the-role-0123456789"
_INVOKE_PORT, _RUNTIME_PORT = 3919, 3920
# A private /tmp, for the handler empties the shared folders of its environment; the checkout may itself lie below one.
_PRIVATE = """root=$1; keep=$2; shift 2
mkdir "$keep" && mount --bind "$root" "$keep" || exit 98
for f in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs "$f" || exit 99; done
mkdir -p "$root" && mount --bind "$keep" "$root" || exit 97
exec "$@"
"""
_UNPRIVILEGED = ["setpriv", "--reuid=993", "--regid=990", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]


def why_not() -> str | None:
    """Return why this machine cannot run the environment, or None."""
    if not RIE.exists():
        if platform.machine() != "x86_64":
            return f"AWS's runtime interface emulator is pinned for x86_64 alone, this is {platform.machine()}"
        return "AWS's runtime interface emulator is not there: sh scripts/fetch-rie.sh"
    if not is_root():
        return "only root can give the environment a /tmp of its own"
    if common_python() is None:
        return "no Python here that a user without rights may start"
    return None


class Environment:
    """The emulator with its runtime; one event at a time."""

    def __init__(self, package: Path = PACKAGE_ROOT, variables: dict[str, str] | None = None) -> None:
        self._address = own_address()
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        self._venv = tempfile.TemporaryDirectory(dir="/var")
        runtime = [_make_python(Path(self._venv.name)), "-m", "awslambdaric", "berth_runner.handler.handler"]
        addresses = [
            f"--runtime-interface-emulator-address={self._address}:{_INVOKE_PORT}",
            f"--runtime-api-address={self._address}:{_RUNTIME_PORT}",
        ]
        self._process = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "sh",
                "-c",
                _PRIVATE,
                "sh",
                str(ROOT),
                f"{self._venv.name}/keep",
                *_UNPRIVILEGED,
                str(RIE),
                *addresses,
                *runtime,
            ],
            env={**_environment(package), **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait_until_it_listens()

    def invoke(self, event: object, tenant: str | None = None) -> Any:
        """Send one event and return the answer's JSON; `tenant` as Lambda's tenant isolation names it."""
        url = f"http://{self._address}:{_INVOKE_PORT}/2015-03-31/functions/function/invocations"
        headers = {"Content-Type": "application/json", **({"X-Amz-Tenant-Id": tenant} if tenant else {})}
        request = urllib.request.Request(url, json.dumps(event).encode(), headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
            return json.load(response)

    def run(self, code: str, language: str = "python", **changes: Any) -> Any:
        """Run code and return the reply."""
        return self.invoke(run_event(code, language, **changes))

    def written(self) -> str:
        """Return what the emulator and the runtime have logged."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def close(self) -> None:
        """End the emulator and every process below it."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.log.close()
        self._venv.cleanup()

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with suppress(OSError), socket.create_connection((self._address, _INVOKE_PORT), timeout=1):
                return
            assert self._process.poll() is None, self.written()
            assert time.monotonic() < deadline, self.written()


def run_event(code: str, language: str = "python", **changes: Any) -> dict[str, Any]:
    limits = {**LIMITS, **changes.pop("limits", {})}
    return {
        "protocol": 1,
        "kind": "run",
        "runId": f"run-{time.monotonic_ns()}",
        "language": language,
        "code": code,
        "variables": {},
        "files": [],
        "profile": "default",
        "limits": limits,
        "minRunnerVersion": 0,
        "prefix": {"kind": "none"},
        **changes,
    }


@contextmanager
def environment(
    version: int | None = None, change: tuple[str, str, str] | None = None, **variables: str
) -> Iterator[Environment]:
    """Start an environment; with a `version` it has a copy of the runner that bears it.

    `change` is (file, text, another text): the copy differs in that from the runner.
    """
    with tempfile.TemporaryDirectory(dir="/var") as folder:
        package = PACKAGE_ROOT
        if version is not None or change is not None:
            package = Path(folder)
            package.chmod(0o755)
            shutil.copytree(
                PACKAGE_ROOT / "berth_runner", package / "berth_runner", ignore=shutil.ignore_patterns("__pycache__")
            )
            (package / "VERSION").write_text(f"{version or 1}\n")
        if change is not None:
            name, old, new = change
            file = package / "berth_runner" / name
            assert old in file.read_text()
            file.write_text(file.read_text().replace(old, new))
        started = Environment(package, variables)
        try:
            yield started
        finally:
            started.close()


def _make_python(folder: Path) -> str:
    """Make a Python that anyone may start and that has the libraries, as the one in the image."""
    folder.chmod(0o755)
    python = common_python()
    assert python is not None
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
    (libraries,) = (ROOT / ".venv" / "lib").glob("python3*/site-packages")
    (own,) = (folder / "lib").glob("python3*/site-packages")
    (own / "libraries.pth").write_text(f"{libraries}\n")
    return str(folder / "bin" / "python")


def _environment(package: Path) -> dict[str, str]:
    return {
        "PATH": f"{NODE.parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(package),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": f"token-{SECRET}",
        "AWS_LAMBDA_FUNCTION_NAME": "berth",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(2 * PATIENCE_SECONDS),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    }
