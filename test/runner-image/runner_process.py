"""A real runner process that tests speak frames with, as root or as a user without any right."""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE_ROOT = ROOT / "runner-image"
NODE = ROOT / "node_modules" / "node" / "bin" / "node"
KIB, MIB = 1024, 1024 * 1024
# How long anything is waited for that comes by itself: a loaded machine takes its time.
PATIENCE_SECONDS = 120
LIMITS = {
    # Code that is to run into its time-out gets a short one of its own.
    "timeoutMs": PATIENCE_SECONDS * 1000,
    "memoryMiB": 256,
    "maxSourceBytes": 256 * KIB,
    "maxPayloadBytes": 5_767_168,
    "maxResultBytes": 256 * KIB,
    "maxOutputBytes": MIB,
    "maxInlineArtifactBytes": 4 * MIB,
    "maxArtifactBytes": 64 * MIB,
    "maxArtifacts": 64,
    "maxDiskBytes": 16 * MIB,
    "maxProcesses": 24,
}
# A user of this test session's own: what it does to its processes must not hit those of others.
_UID = 60_000 + os.getpid() % 5000
UNPRIVILEGED = [
    "setpriv",
    f"--reuid={_UID}",
    f"--regid={_UID}",
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all",
]
_START = """
import json, sys
sys.path.insert(0, sys.argv[1])
from berth_runner import local
from berth_runner.config import Config
settings = json.loads(sys.argv[2])
settings["without"] = tuple(settings.get("without", ()))
settings["sweep_folders"] = tuple(settings.get("sweep_folders", ()))
sys.exit(local.run(Config(**settings)))
"""


def is_root() -> bool:
    return os.geteuid() == 0


def common_python() -> str | None:
    """Return a Python that a user without rights may start, or None."""
    for path in (sys.executable, "/usr/bin/python3"):
        real = Path(path).resolve()
        open_to_all = all(folder.stat().st_mode & 0o001 for folder in real.parents)
        if open_to_all or not is_root():
            version = subprocess.run(
                [path, "-c", "import sys; print(sys.version_info >= (3, 11))"], capture_output=True, check=False
            )
            if version.stdout.strip() == b"True":
                return path
    return None


class Runner:
    """One runner process and the pipe to it."""

    def __init__(
        self, *, unprivileged: bool = False, package: Path = PACKAGE_ROOT, program: str | None = None, **settings: Any
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="berth-runner-test-"))
        self.folder.chmod(0o755)
        self.files, self.runs, scratch = self.folder / "files", self.folder / "runs", self.folder / "scratch"
        for path in (self.files, self.runs, scratch):
            path.mkdir(mode=0o777)
            path.chmod(0o777)
        self._count = 0
        settings = {"scratch_dir": str(scratch), "node": str(NODE) if NODE.exists() else "", **settings}
        as_nobody = unprivileged and is_root()
        python = program or (common_python() if as_nobody else sys.executable)
        assert python is not None, "no Python that a user without rights may start"
        command = [*(UNPRIVILEGED if as_nobody else []), python, "-c", _START, str(package), json.dumps(settings)]
        environment = {"PATH": os.environ["PATH"], "BERTH_TEST_SECRET": "needle-in-the-supervisor", "LANG": "C.UTF-8"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd="/", bufsize=0
        )
        self.ready = self.receive()

    def request(self, code: str, *, language: str = "python", limits: dict[str, int] | None = None, **more: Any) -> Any:
        self._count += 1
        run = self.runs / str(self._count)
        run.mkdir(mode=0o777)
        run.chmod(0o777)
        return {
            "protocol": 1,
            "kind": "run",
            "runId": f"r{self._count}",
            "language": language,
            "code": code,
            "variables": {},
            "files": [],
            "profile": "default",
            "limits": {**LIMITS, **(limits or {})},
            "minRunnerVersion": 0,
            "prefix": {"kind": "folder", "files": str(self.files), "run": str(run)},
            **more,
        }

    def send(self, message: dict[str, Any]) -> None:
        self.send_text(json.dumps(message))

    def send_text(self, text: str) -> None:
        body = text.encode()
        assert self.process.stdin is not None
        self.process.stdin.write(struct.pack(">I", len(body)) + body)

    def receive(self) -> dict[str, Any]:
        length = struct.unpack(">I", self._read(4))[0]
        message: dict[str, Any] = json.loads(self._read(length))
        return message

    def run(self, code: str, on_frame: Callable[[dict[str, Any]], None] | None = None, **more: Any) -> dict[str, Any]:
        """Send one run and return its reply or refusal."""
        request = self.request(code, **more)
        self.send(request)
        return self.finish(request["runId"], on_frame)

    def finish(self, run_id: str, on_frame: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
        while True:
            frame = self.receive()
            if frame["kind"] in ("reply", "refusal") and frame["runId"] == run_id:
                return frame
            if on_frame is not None:
                on_frame(frame)

    def next_end(self) -> dict[str, Any]:
        """Return the next reply or refusal, of whichever run."""
        while (frame := self.receive())["kind"] not in ("reply", "refusal"):
            pass
        return frame

    def value(self, code: str, **more: Any) -> Any:
        """Return the JSON of the main result; the run must succeed."""
        reply = self.run(code, **more)
        assert reply["kind"] == "reply", reply
        assert reply["outcome"]["status"] == "succeeded", (reply["outcome"], reply["error"], reply["logs"])
        return next(result.get("json") for result in reply["results"] if result["isMain"])

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE_SECONDS)
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, size: int) -> bytes:
        assert self.process.stdout is not None
        chunks = b""
        while len(chunks) < size:
            chunk = self.process.stdout.read(size - len(chunks))
            if not chunk:
                raise EOFError(f"the runner ended with status {self.process.wait(PATIENCE_SECONDS)}")
            chunks += chunk
        return chunks


@contextmanager
def running(**settings: Any) -> Iterator[Runner]:
    runner = Runner(**settings)
    try:
        yield runner
    finally:
        runner.close()


def eventually(holds: Callable[[], object]) -> bool:
    """Wait for what another process does in its own time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def run_until_seen(runner: Runner, code: str, find: Callable[[], list[int]], **more: Any) -> None:
    """Run code that starts a process and tells so, until that was found from outside while the run went on.

    Its absence afterwards would prove nothing otherwise. One look may come too late, on a machine that is busy.
    """
    seen = False

    def look(frame: dict[str, Any]) -> None:
        nonlocal seen
        seen = seen or (frame["kind"] == "output" and find() != [])

    for _ in range(20):
        runner.run(code, look, **more)
        if seen:
            return
    raise AssertionError("the process was never seen")


def processes_named(name: str) -> list[int]:
    """Return the processes whose command name this is, wherever on the machine they live."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text().strip() == name:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def processes_called(called: str) -> list[int]:
    """Return the processes whose first argument this is."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(called.encode() + b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found
