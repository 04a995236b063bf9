"""Ends every process that a run left behind, where no pid namespace does it."""

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

_PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.002

Ended = Callable[[int, int, resource.struct_rusage], None]


def end_all_children(ended: Ended) -> bool:
    """Kill and reap until the kernel says that this process has no child. Orphans come to us: we are the subreaper."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for pid in descendants(os.getpid()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if _reap_all(ended):
            return True
        time.sleep(_PAUSE_SECONDS)
    return False


def _reap_all(ended: Ended) -> bool:
    """Return True at ECHILD: the proof that nothing is left."""
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            return False
        ended(pid, status, usage)


def end_strangers(protected: set[int]) -> bool:
    """Kill every process of our user that started after us, for a fork server that is no subreaper."""
    mine = _started(os.getpid())
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        pids = {int(folder.name) for folder in Path("/proc").glob("[0-9]*")} - protected - {os.getpid()}
        strangers = [pid for pid in pids if _is_ours(pid) and _started(pid) >= mine]
        if not strangers:
            return True
        for pid in strangers:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE_SECONDS)
    return False


def _is_ours(pid: int) -> bool:
    try:
        return _uid(pid) == os.getuid() and _state(pid) != "Z"
    except OSError:
        return False


def _uid(pid: int) -> int:
    """Return the real user; the owner of the folder is root for a process that may not be dumped."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[1])
    return -1


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _started(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return -1


def descendants(pid: int) -> list[int]:
    """Return the processes below `pid`, parents first."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = list(_children(waiting.pop()))
        found += children
        waiting += children
    return found


def _children(pid: int) -> Iterator[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    for task in tasks:
        with suppress(OSError):
            yield from map(int, (task / "children").read_text().split())


def ancestors(pid: int) -> list[int]:
    """Return the processes above `pid`, nearest first."""
    found = []
    with suppress(OSError):
        while pid > 1:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            found.append(pid)
    return [each for each in found if each > 0]
