"""Measures processes from outside: what a run reports about itself counts for nothing."""

import os
from contextlib import suppress
from pathlib import Path

from berth_runner import linux, sweep

_TICKS = os.sysconf("SC_CLK_TCK")
_CHILDREN_FIELDS = slice(13, 15)  # cutime and cstime, counted after the name


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time of a process with its waited-for children; None when it is gone."""
    try:
        own = linux.process_cpu_seconds(pid)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return own + sum(map(int, fields[_CHILDREN_FIELDS])) / _TICKS


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process held; 0 when it is gone."""
    return _status_bytes(pid, ("VmHWM:",))


def tree_bytes(pid: int, tmpfs_fd: int | None) -> int:
    """Return what a process, all below it and its tmpfs hold now. Shared pages of the fork server are left out."""
    total = sum(_private_bytes(each) for each in [pid, *sweep.descendants(pid)])
    if tmpfs_fd is None:
        return total
    with suppress(OSError):
        room = os.fstatvfs(tmpfs_fd)
        total += (room.f_blocks - room.f_bfree) * room.f_frsize
    return total


def _private_bytes(pid: int) -> int:
    return _status_bytes(pid, ("RssAnon:", "RssShmem:"))


def _status_bytes(pid: int, names: tuple[str, ...]) -> int:
    total = 0
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(names):
                total += int(line.split()[1]) * 1024
    return total
