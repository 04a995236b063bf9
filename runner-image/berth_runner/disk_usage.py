"""Counts what a run has written, all its files together, where no tmpfs of its own holds it."""

import os
import stat
from pathlib import Path

# As many as the tmpfs of a run holds elsewhere.
MAX_ENTRIES = 10_000
_BLOCK = 512
# What a file system adds of its own: a run that stops at its limit has not gone beyond.
_SLACK_BYTES = 1024 * 1024


class DiskUsage:
    """What one run holds on disk: below its folder, and on the whole disk where nobody else writes."""

    def __init__(self, folder: Path, *, is_own_disk: bool) -> None:
        self._folder = folder
        # Files without a name, or in a folder that is locked, only the disk itself can count.
        self._before = _used_bytes(folder) if is_own_disk else None

    def is_over(self, limit: int) -> bool:
        """Return whether the run holds more than `limit` bytes, or too many files."""
        most = limit + _SLACK_BYTES
        if self._before is not None and _used_bytes(self._folder) - self._before > most:
            return True
        found = bytes_below(self._folder)
        return found is None or found > most


def _used_bytes(folder: Path) -> int:
    room = os.statvfs(folder)
    return (room.f_blocks - room.f_bfree) * room.f_frsize


def bytes_below(folder: Path) -> int | None:
    """Return what the files below a folder take on disk, through no link; None when they are too many to count."""
    total, left = 0, MAX_ENTRIES
    linked: set[int] = set()
    waiting = [str(folder)]
    while waiting:
        for facts, path in _entries(waiting.pop()):
            left -= 1
            if left < 0:
                return None
            if stat.S_ISDIR(facts.st_mode):
                waiting.append(path)
            elif facts.st_nlink == 1 or facts.st_ino not in linked:
                linked.add(facts.st_ino)
                total += facts.st_blocks * _BLOCK
    return total


def _entries(folder: str) -> list[tuple[os.stat_result, str]]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    found.append((entry.stat(follow_symlinks=False), entry.path))
                except OSError:
                    continue  # gone meanwhile
                if len(found) > MAX_ENTRIES:
                    break
    except OSError:
        pass  # gone or locked meanwhile
    return found
