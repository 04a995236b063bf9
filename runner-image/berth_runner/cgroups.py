"""A control group per run: its memory and its number of processes, counted and limited by the kernel. v1 and v2."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

_ROOT = Path("/sys/fs/cgroup")
_MIB = 1024 * 1024
Version = Literal["v1", "v2"]


@dataclass
class Group:
    """The group of one run: one folder in v2, one per controller in v1."""

    memory: Path
    pids: Path
    version: Version
    join_fds: list[int] = field(default_factory=list)
    limits: tuple[int, int] | None = None

    @property
    def folders(self) -> set[Path]:
        """Return the group's folders."""
        return {self.memory, self.pids}

    def limit(self, memory_mib: int, processes: int) -> None:
        """Set the limits; what was charged before counts."""
        if self.limits == (memory_mib, processes):
            return
        self.limits = (memory_mib, processes)
        v1 = self.version == "v1"
        _write(self.memory / ("memory.limit_in_bytes" if v1 else "memory.max"), memory_mib * _MIB)
        _write(self.pids / "pids.max", processes)

    def oom_kills(self) -> int:
        """Return how often the kernel killed a process of the group for memory."""
        name = "memory.oom_control" if self.version == "v1" else "memory.events"
        with suppress(OSError):
            for line in (self.memory / name).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
        return 0

    def refused_processes(self) -> int:
        """Return how often the kernel refused the group another process or thread."""
        with suppress(OSError):
            for line in (self.pids / "pids.events").read_text().splitlines():
                if line.startswith("max "):
                    return int(line.split()[1])
        return 0

    def peak_bytes(self) -> int:
        """Return the most memory that the group has held, or 0 when the kernel does not tell."""
        name = "memory.max_usage_in_bytes" if self.version == "v1" else "memory.peak"
        with suppress(OSError):
            return int((self.memory / name).read_text())
        return 0

    def close_joins(self) -> None:
        """Close what let a child join, once it is in."""
        for fd in self.join_fds:
            os.close(fd)
        self.join_fds = []

    def remove(self) -> bool:
        """Remove the group. False while a process is still in it."""
        self.close_joins()
        for folder in self.folders:
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return False
        return True


class Groups:
    """The place of this supervisor in the hierarchy. Its name carries pid and start time: a later one clears it."""

    def __init__(self, memory: Path, pids: Path, version: Version) -> None:
        self.version: Version = version
        self._memory = memory
        self._pids = pids
        self._count = 0

    def create(self, memory_mib: int, processes: int) -> Group:
        """Make the group of one run."""
        self._count += 1
        memory, pids = self._memory / f"run-{self._count}", self._pids / f"run-{self._count}"
        for folder in {memory, pids}:
            folder.mkdir()
        group = Group(memory, pids, self.version)
        group.limit(memory_mib, processes)
        group.join_fds = [os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC) for folder in group.folders]
        return group

    def close(self) -> None:
        """Remove this supervisor's folders."""
        for folder in {self._memory, self._pids}:
            _remove_tree(folder)


def open_groups() -> Groups | None:
    """Return the groups of this process, or None where the machine lets us write none."""
    for version, find in (("v1", _v1_folders), ("v2", _v2_folders)):
        with suppress(OSError, KeyError, StopIteration):
            memory, pids = find()
            _remove_leftovers({memory, pids})
            name = f"berth-{os.getpid()}-{start_time(os.getpid())}"
            for folder in {memory / name, pids / name}:
                folder.mkdir(exist_ok=True)
            groups = Groups(memory / name, pids / name, "v1" if version == "v1" else "v2")
            try:
                groups.create(64, 8).remove()
            except OSError:
                groups.close()
                raise
            return groups
    return None


def start_time(pid: int) -> str:
    """Return when a process started, in ticks since boot: with it, a pid names one process for good."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def _own_paths() -> dict[str, str]:
    """Return controller → path of this process; "" is the v2 hierarchy."""
    paths = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def _v1_folders() -> tuple[Path, Path]:
    own = _own_paths()
    memory, pids = (_ROOT / name / own[name].lstrip("/") for name in ("memory", "pids"))
    # pids.max does not exist in the root group, so being there proves nothing; creating one does.
    if not memory.is_dir() or not pids.is_dir():
        raise OSError("no v1 hierarchy")
    return memory, pids


def _v2_folders() -> tuple[Path, Path]:
    own = _ROOT / _own_paths()[""].lstrip("/")
    available = set((own / "cgroup.controllers").read_text().split())
    if not {"memory", "pids"} <= available:
        raise OSError("memory and pids are not delegated to this group")
    if not {"memory", "pids"} <= set((own / "cgroup.subtree_control").read_text().split()):
        _write(own / "cgroup.subtree_control", "+memory +pids")
    return own, own


def _remove_leftovers(parents: set[Path]) -> None:
    for parent in parents:
        for folder in parent.glob("berth-*-*"):
            _, pid, started = folder.name.split("-", 2)
            if not is_alive(int(pid), started):
                _remove_tree(folder)


def is_alive(pid: int, started: str) -> bool:
    """Return whether the very process still runs, not another one with its pid."""
    try:
        return start_time(pid) == started
    except OSError:
        return False


def _remove_tree(folder: Path) -> None:
    # Another runner that starts at the same moment may clear the same folder.
    runs: list[Path] = []
    with suppress(OSError):
        runs = list(folder.glob("run-*"))
    for child in [*runs, folder]:
        with suppress(OSError):
            child.rmdir()


def _write(path: Path, value: object) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, str(value).encode())
    finally:
        os.close(fd)
