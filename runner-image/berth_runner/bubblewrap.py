"""The second level: bubblewrap builds the sandbox around a fresh interpreter for every run."""

import asyncio
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from berth_runner import fork_server
from berth_runner.config import Config
from berth_runner.fork_server import PACKAGE_ROOT, Child, Exit, Pipes
from berth_runner.tree import ETC, SANDBOX, SYSTEM

_CODE = "import sys; sys.path.append(sys.argv[1]); from berth_runner.fresh import main; main(sys.argv[2])"
_FOLDERS = ("/sandbox/work", "/sandbox/work/outputs", "/sandbox/tmp")


def try_out(config: Config) -> str | None:
    """Return why bwrap does not work here, or None."""
    command = [*_command(config, {}, 1024 * 1024), sys.executable, "-I", "-c", "pass"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"bwrap ended with status {done.returncode}"


def spawn(config: Config, child: Child, pipes: Pipes, order: dict[str, Any]) -> None:
    """Start one child; `child.ready` tells when it waits for its request."""
    fds = [*pipes.theirs, pipes.their_control.fileno(), *(child.group.join_fds if child.group else [])]
    environment = order.pop("environment")
    message = json.dumps({"order": order, "fds": fds})
    command = [
        *_command(config, environment, order["limits"]["maxDiskBytes"]),
        sys.executable,
        "-I",
        "-X",
        "utf8",
        "-c",
        _CODE,
        PACKAGE_ROOT,
        message,
    ]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=fds, cwd="/", env={}
        )
    except OSError as error:
        fork_server.lose(child, f"bwrap does not start: {error}")
        return
    finally:
        pipes.close_theirs()
    _watch(process, child)


def _watch(process: subprocess.Popen[bytes], child: Child) -> None:
    loop = asyncio.get_running_loop()
    pidfd = os.pidfd_open(process.pid)

    def on_exit() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        if not child.ended.done():
            child.ended.set_result(Exit(_status(process.wait()), 0.0, 0))

    loop.add_reader(pidfd, on_exit)
    # Its own signals do not pass the walls; this one ends the sandbox even when the child inside hangs.
    child.on_closed.append(process.kill)


@cache
def _knows_size() -> bool:
    """Before 0.7 bubblewrap could not limit a tmpfs; then only the memory limit bounds it."""
    answer = subprocess.run(["bwrap", "--help"], capture_output=True, text=True, timeout=20, check=False)
    return "--size" in answer.stdout + answer.stderr


def _status(code: int) -> int:
    """Return the wait status: bwrap says 128 + n for a child that signal n killed."""
    if code < 0:
        return -code
    return code - 128 if code > 128 else code << 8


def _command(config: Config, environment: dict[str, str], disk_bytes: int) -> list[str]:
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for name, value in environment.items():
        command += ["--setenv", name, value]
    for path in SYSTEM:
        if Path(path).is_symlink():
            command += ["--symlink", str(Path(path).readlink()), path]
        elif Path(path).exists():
            command += ["--ro-bind", path, path]
    for name in ETC:
        command += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    command += ["--proc", "/proc", "--dev", "/dev"]
    command += ["--size", str(disk_bytes)] if _knows_size() else []
    command += ["--tmpfs", SANDBOX, "--symlink", f"{SANDBOX}/tmp", "/var/tmp"]
    for folder in _FOLDERS:
        command += ["--dir", folder]
    nodes = [config.node_path] if config.node_path and not config.node_path.startswith("/usr/") else []
    for path in [*config.python_paths, *nodes]:
        command += ["--ro-bind", path, path]
    return [*command, "--chdir", f"{SANDBOX}/work", "--"]
