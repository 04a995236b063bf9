"""Runs the harness of either language in a real process of its own, with pipes as the supervisor gives them."""

import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from berth_runner.child import python
from berth_runner.child.node_launch import node_argv
from runner_process import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
MAX_RESULT_BYTES = 262_144


@dataclass
class Ran:
    """All that can be seen of a run from outside."""

    frame: dict[str, Any] | None
    stdout: str
    stderr: str
    status: int
    outputs: dict[str, bytes]

    @property
    def results(self) -> list[dict[str, Any]]:
        assert self.frame is not None, self.stderr
        return self.frame["results"]

    @property
    def main(self) -> dict[str, Any]:
        """Return the one main result of a run that succeeded."""
        assert self.frame is not None, self.stderr
        assert self.frame["ok"], self.frame
        found = [result for result in self.results if result["isMain"]]
        assert len(found) == 1, found
        return found[0]

    @property
    def code(self) -> str | None:
        assert self.frame is not None, self.stderr
        return self.frame["code"]

    @property
    def error(self) -> dict[str, Any]:
        assert self.frame is not None, self.stderr
        assert self.frame["error"] is not None, self.frame
        return self.frame["error"]


def request_of(code: str, variables: object = None, **changes: Any) -> dict[str, Any]:
    profile = changes.get("profile", "default")
    limits = {"maxResultBytes": changes.get("max_result_bytes", MAX_RESULT_BYTES)}
    return {"code": code, "variables": variables or {}, "profile": profile, "limits": limits}


def run_python(code: str, variables: object = None, *, files: dict[str, str] | None = None, **changes: Any) -> Ran:
    request = request_of(code, variables, **changes)
    with tempfile.TemporaryDirectory() as folder:
        _fill(folder, files)
        ends = {name: os.pipe() for name in ("stdout", "stderr", "result")}
        pid = os.fork()
        if pid == 0:
            _be_child(request, folder, ends)
        for _, write_end in ends.values():
            os.close(write_end)
        read = _read_all({name: read_end for name, (read_end, _) in ends.items()}, pid)
        _, status = os.waitpid(pid, 0)
        return _ran(read, status, folder)


def run_typescript(code: str, variables: object = None, *, files: dict[str, str] | None = None, **changes: Any) -> Ran:
    request = json.dumps(request_of(code, variables, **changes)).encode()
    with tempfile.TemporaryDirectory() as folder:
        _fill(folder, files)
        node = start_node(folder, memory_mib=changes.get("memory_mib", 256))
        node.send(request)
        read = _read_all(node.pipes, node.process.pid)
        return _ran(read, node.process.wait() << 8, folder)


@dataclass
class Node:
    """A Node process that waits for its request."""

    process: subprocess.Popen[bytes]
    request_fd: int
    pipes: dict[str, int]

    def send(self, body: bytes) -> None:
        os.write(self.request_fd, struct.pack(">I", len(body)))
        with os.fdopen(self.request_fd, "wb") as pipe:
            pipe.write(body)


def start_node(folder: str, memory_mib: int = 256) -> Node:
    result, request = os.pipe(), os.pipe()
    program = str(ROOT / "node_modules" / ".bin" / "node")
    # The shell puts the pipes where the supervisor puts them: the result on 3, the request on 4.
    shell = f'exec 3>&{result[1]} 4<&{request[0]}; exec "$@"'
    process = subprocess.Popen(
        ["/bin/bash", "-c", shell, "node", *node_argv({"memoryMiB": memory_mib}, program)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        pass_fds=[result[1], request[0]],
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    os.close(result[1])
    os.close(request[0])
    assert process.stdout is not None
    assert process.stderr is not None
    pipes = {"stdout": os.dup(process.stdout.fileno()), "stderr": os.dup(process.stderr.fileno()), "result": result[0]}
    process.stdout.close()
    process.stderr.close()
    return Node(process, request[1], pipes)


def _be_child(request: dict[str, Any], folder: str, ends: dict[str, tuple[int, int]]) -> None:
    status = 99
    try:
        os.setpgid(0, 0)
        os.chdir(folder)
        os.dup2(ends["stdout"][1], 1)
        os.dup2(ends["stderr"][1], 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        # pytest has put something of its own there.
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        result = os.dup2(ends["result"][1], 100)
        os.closerange(3, 100)
        python.run(request, result)
        status = 0
    finally:
        os._exit(status)


def _fill(folder: str, files: dict[str, str] | None) -> None:
    Path(folder, "outputs").mkdir()
    for name, text in (files or {}).items():
        Path(folder, name).write_text(text)


def _read_all(pipes: dict[str, int], pid: int) -> dict[str, bytes]:
    read = dict.fromkeys(pipes, b"")
    open_fds = {fd: name for name, fd in pipes.items()}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while open_fds:
        ready, _, _ = select.select(list(open_fds), [], [], max(0, deadline - time.monotonic()))
        if not ready:
            os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"the run did not end within {PATIENCE_SECONDS} s: {read}")
        for fd in ready:
            chunk = os.read(fd, 65_536)
            read[open_fds[fd]] += chunk
            if not chunk:
                del open_fds[fd]
                os.close(fd)
    return read


def _ran(read: dict[str, bytes], status: int, folder: str) -> Ran:
    body = read["result"]
    frame = None
    if body:
        (length,) = struct.unpack(">I", body[:4])
        assert len(body) == 4 + length, "exactly one frame"
        frame = json.loads(body[4:])
        assert set(frame) == {"kind", "ok", "results", "error", "code", "detail"}
    outputs = {
        str(path.relative_to(Path(folder, "outputs"))): path.read_bytes()
        for path in sorted(Path(folder, "outputs").rglob("*"))
        if path.is_file()
    }
    shutil.rmtree(Path(folder, "outputs"), ignore_errors=True)
    stdout, stderr = (read[name].decode("utf-8") for name in ("stdout", "stderr"))
    return Ran(frame, stdout, stderr, status, outputs)
