"""Finds out, by trying, how well this machine can confine a run. `python -m berth_runner.levels --json` shows it."""

import errno
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn

from berth_runner import bubblewrap, channel, linux, namespaces, sandbox, seccomp, tree
from berth_runner.config import Config
from berth_runner.sandbox import Plan

LEVELS = ("namespaces", "bubblewrap", "guard")
_UNSAFE = "This server runs code WITHOUT a sandbox (BERTH_LOCAL_UNSAFE): code can read whatever the server's user can."
_NO_FILTER = "The kernel refuses seccomp filters, so system calls are not filtered."
_PROBE_DISK_BYTES = 1024 * 1024


class NoLevelError(RuntimeError):
    """No level works here; the text names the remedy."""


@dataclass(frozen=True)
class Probe:
    """What came of trying one level."""

    level: str
    ok: bool
    detail: str
    remedy: str


@dataclass(frozen=True)
class Choice:
    """The level in use and what goes with it."""

    level: str
    # The fork server may have a range of users of its own.
    uid_range: bool
    seccomp: bool
    # Each run may have a user of its own although it has no namespaces: we are root and others can reach Python.
    own_users: bool = False
    warnings: list[str] = field(default_factory=list)


def choose(config: Config) -> Choice:
    """Return the best level that works, or the one that the configuration wants. Raises NoLevelError."""
    wanted = LEVELS if config.level is None else (config.level,)
    failures = []
    for level in wanted:
        if level == "guard" and not config.allow_unsafe:
            failures.append("guard: no sandbox at all; only with BERTH_LOCAL_UNSAFE=1")
            continue
        probe = probe_level(level, config)
        if probe.ok:
            return _choice(level, config)
        failures.append(f"{level}: {probe.detail}. {probe.remedy}")
    raise NoLevelError("; ".join(failures))


def probe(config: Config) -> list[Probe]:
    """Return what every level says here."""
    return [probe_level(level, config) for level in LEVELS]


def probe_level(level: str, config: Config) -> Probe:
    """Try one level."""
    tries: dict[str, Callable[[], Probe]] = {
        "namespaces": lambda: _probe_namespaces(config),
        "bubblewrap": lambda: _probe_bubblewrap(config),
        "guard": lambda: _probe_guard(config),
    }
    if level not in tries:
        return Probe(level, False, f"expected one of {', '.join(LEVELS)}", "Correct the level.")
    return tries[level]()


def filter_works() -> bool:
    """Return whether the kernel takes a filter; tried in a process of its own, because a filter stays."""

    def load(_: socket.socket) -> None:
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        seccomp.load(seccomp.compile_filter(()))

    return _try_in_child(load) is None


def _choice(level: str, config: Config) -> Choice:
    has_filter, is_root = filter_works(), os.geteuid() == 0
    own_users = is_root and level == "guard"
    warnings = [] if has_filter else [_NO_FILTER]
    if level == "guard" and not config.enclosed:
        warnings.append(_UNSAFE)
    return Choice(level, is_root, has_filter, own_users, warnings)


def _closed_folder(config: Config) -> Path | None:
    """Return a folder that keeps other users from Python or Node, or None."""
    paths = [Path(path) for path in [*config.python_paths, config.node_path] if path]
    folders = [folder for path in paths for folder in (path, *path.parents)]
    return next((folder for folder in folders if not folder.stat().st_mode & 0o001), None)


def _probe_namespaces(config: Config) -> Probe:
    problem = _try_in_child(lambda theirs: _build_sandbox(config, theirs))
    if problem is None:
        return Probe("namespaces", True, "a whole sandbox was built and thrown away", "")
    return Probe("namespaces", False, problem[1], _remedy(problem[0]))


def _build_sandbox(config: Config, theirs: socket.socket) -> None:
    uid_range = os.geteuid() == 0
    namespaces.enter(config.python_paths, (lambda: namespaces.get_mapped(theirs)) if uid_range else None)
    tree.protect_cache()
    sandbox.build(Plan("namespaces", uid_range, True), _PROBE_DISK_BYTES)


def _probe_bubblewrap(config: Config) -> Probe:
    if shutil.which("bwrap") is None:
        return Probe("bubblewrap", False, "bwrap is not installed", "Install it: apt-get install bubblewrap.")
    problem = bubblewrap.try_out(config)
    if problem is None:
        return Probe("bubblewrap", True, "bwrap ran a program", "")
    return Probe("bubblewrap", False, problem, _remedy(errno.EPERM))


def _probe_guard(config: Config) -> Probe:
    closed = _closed_folder(config) if os.geteuid() == 0 else None
    if closed is not None:
        # Code would have to run as root: even without capabilities that owns the machine's files.
        problem = f"each run gets a user of its own, and {closed} keeps other users from Python or Node"
        remedy = "Start the server as another user than root, or put Python and Node where every user may read them."
        return Probe("guard", False, problem, remedy)
    detail = "a filter of system calls, limits and a sweep; NO sandbox" if filter_works() else _NO_FILTER
    return Probe("guard", True, detail, "")


def _remedy(number: int) -> str:
    if number == errno.ENOSPC:
        return "Raise the limit: sysctl -w user.max_user_namespaces=10000."
    restricted = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if restricted.exists() and restricted.read_text().strip() == "1" and os.geteuid() != 0:
        return "Allow user namespaces: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or install bubblewrap."
    return (
        "Allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1; in a container, start it with "
        "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined."
    )


def _try_in_child(attempt: Callable[[socket.socket], None]) -> tuple[int, str] | None:
    """Return None when the attempt works in a forked process, else its error."""
    ours, theirs = channel.pair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _attempt(attempt, theirs)
    theirs.close()
    try:
        return _hear(ours, pid)
    finally:
        ours.close()
        os.waitpid(pid, 0)


def _hear(ours: socket.socket, pid: int) -> tuple[int, str] | None:
    while True:
        received = channel.receive(ours)
        if received is None:
            return errno.EIO, "the process of the trial ended without a word"
        message = received[0]
        if message["state"] == "map-me":
            namespaces.map_range(pid)
            channel.send(ours, {"do": "go"})
        else:
            return None if message["state"] == "works" else (message["errno"], message["detail"])


def _attempt(attempt: Callable[[socket.socket], None], theirs: socket.socket) -> NoReturn:
    try:
        attempt(theirs)
        channel.send(theirs, {"state": "works"})
    except OSError as error:
        channel.send(theirs, {"state": "failed", "errno": error.errno or errno.EIO, "detail": str(error)})
    finally:
        os._exit(0)


def main(arguments: list[str]) -> int:
    """Print what every level says."""
    found = probe(Config(allow_unsafe=True))
    if "--json" in arguments:
        print(json.dumps([asdict(each) for each in found]))
    else:
        for each in found:
            print(f"{each.level}: {'works' if each.ok else 'does not work'}: {each.detail} {each.remedy}".rstrip())
    return 0 if any(each.ok for each in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
