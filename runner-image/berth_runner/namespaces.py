"""Brings a fork server into namespaces of its own, on a read-only tree."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from berth_runner import channel, linux, tree

FIRST_SUB_UID = 200_000
SUB_UIDS = 65_536
_SPACES = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWCGROUP
    | linux.CLONE_NEWPID
)


def enter(paths: list[str], get_mapped: Callable[[], None] | None) -> None:
    """Return as pid 1 of new namespaces. `get_mapped` makes a privileged process map a range of users for us."""
    uid, gid = os.getuid(), os.getgid()
    linux.unshare(linux.CLONE_NEWUSER)
    if get_mapped is not None:
        get_mapped()
    else:
        map_one_user(uid, gid, inside=0)
    linux.unshare(_SPACES)
    linux.mount("none", "/", "none", flags=linux.MS_REC | linux.MS_PRIVATE)
    # Opened while we still are the user who may look into private folders above them.
    sources = tree.open_sources(paths)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    if get_mapped is not None:
        os.setgroups([])
    if os.fork():
        os._exit(0)
    tree.build(sources)
    os.setsid()


def map_one_user(uid: int, gid: int, *, inside: int | None) -> None:
    """Map one user and group of the parent namespace, which needs no privilege; None keeps their numbers."""
    # A process that may not be dumped may not even write its own maps; who needs that, sets it again.
    linux.prctl(linux.PR_SET_DUMPABLE, 1)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid if inside is None else inside} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid if inside is None else inside} {gid} 1")


def get_mapped(end: socket.socket) -> None:
    """Ask the supervisor, who may, to map a range of users for this process."""
    channel.send(end, {"state": "map-me"})
    if channel.receive(end) is None:
        os._exit(0)


def random_uid() -> int:
    """Return a user outside that no account has."""
    return FIRST_SUB_UID + int.from_bytes(os.urandom(4)) % SUB_UIDS


def map_range(pid: int) -> None:
    """Map a range of users for another process; needs root."""
    for name in ("gid_map", "uid_map"):
        Path(f"/proc/{pid}/{name}").write_text(f"0 {FIRST_SUB_UID} {SUB_UIDS}")
