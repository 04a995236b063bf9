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
