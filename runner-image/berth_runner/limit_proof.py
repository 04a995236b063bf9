"""Tells an error that a limit caused from one that the code made up: the kernel must prove the refusal."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from berth_runner.cgroups import Group

Outcome = dict[str, Any]
_NO_PROCESS = re.compile(r"\[Errno 11\]|\bEAGAIN\b|can't start new thread")
_NO_ROOM = re.compile(r"\[Errno (?:27|28)\]|\b(?:ENOSPC|EFBIG)\b")


def blame_limit(verdict: Outcome, limits: dict[str, Any], group: Group | None, tmpfs_fd: int | None) -> Outcome:
    """Return the verdict, with the limit's own code where the code raised its error and the kernel proves it."""
    if verdict["code"] != "code_raised":
        return verdict
    proofs: tuple[tuple[str, re.Pattern[str], Callable[[], bool], str], ...] = (
        (
            "process_limit",
            _NO_PROCESS,
            lambda: group is not None and group.refused_processes() > 0,
            f"the code had {limits['maxProcesses']} processes and threads, and started one more",
        ),
        (
            "disk_limit",
            _NO_ROOM,
            lambda: tmpfs_fd is not None and _is_full(tmpfs_fd),
            f"the code wrote more than {limits['maxDiskBytes']} bytes, or too many files",
        ),
    )
    for code, pattern, is_proven, detail in proofs:
        if pattern.search(verdict["detail"]) and is_proven():
            return {**verdict, "code": code, "detail": f"{detail}: {verdict['detail']}"}
    return verdict


def _is_full(tmpfs_fd: int) -> bool:
    with suppress(OSError):
        room = os.fstatvfs(tmpfs_fd)
        return room.f_bfree == 0 or room.f_ffree == 0
    return False
