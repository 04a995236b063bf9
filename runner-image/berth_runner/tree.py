"""The read-only tree that a fork server of the `namespaces` level lives in: system, Python, Node and this package.

Not in it: home folders, the project, the data directory, /sys, host devices.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from berth_runner import linux

SANDBOX = "/sandbox"
CACHE = "/sandbox-cache"
UID_RANGE = 60_000
# Where programs leave temporary files, whatever TMPDIR says; in a run both are its own writable folder.
TEMPORARY = ("/tmp", "/var/tmp")

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = ("fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "ssl/openssl.cnf")
_DEVICES = ("null", "zero", "full", "random", "urandom")
_READ_ONLY = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID
_SYNTHETIC = {
    "etc/passwd": "root:x:0:0:root:/:/usr/sbin/nologin\nsandbox:x:1000:1000:sandbox:/sandbox/work:/bin/sh\n",
    "etc/group": "root:x:0:\nsandbox:x:1000:\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}

Source = tuple[str, int, bool]


def open_sources(paths: list[str]) -> list[Source]:
    """Clone every mount that the tree needs while the process may still look into private folders above them."""
    wanted = [*SYSTEM, *(f"/etc/{name}" for name in ETC), *paths]
    sources: list[Source] = []
    for path in dict.fromkeys(wanted):
        covered = any(path.startswith(f"{earlier}/") for earlier, _, is_folder in sources if is_folder)
        if covered or Path(path).is_symlink() or not Path(path).exists():
            continue
        fd = linux.clone_tree(path, recursive=True)
        linux.restrict_mount(fd, _READ_ONLY | linux.MOUNT_ATTR_NODEV, recursive=True)
        sources.append((path, fd, Path(path).is_dir()))
    for name in _DEVICES:
        sources.append((f"/dev/{name}", linux.clone_tree(f"/dev/{name}"), False))
    return sources


def build(sources: list[Source]) -> None:
    """Make the tree on a fresh tmpfs and move into it; the process is pid 1 of its namespaces by now."""
    links = [(path, Path(path).readlink()) for path in SYSTEM if Path(path).is_symlink()]
    linux.mount("tmpfs", "/tmp", "tmpfs", flags=linux.MS_NOSUID, options="mode=755,size=4m")
    os.chdir("/tmp")
    for path, fd, is_folder in sources:
        attach(path[1:], fd, is_folder=is_folder)
    for path, target in links:
        Path(path[1:]).symlink_to(target)
    _add_own_files({path for path, _, _ in sources})
    linux.mount("proc", "proc", "proc", flags=linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    linux.mount("tmpfs", CACHE[1:], "tmpfs", flags=linux.MS_NOSUID | linux.MS_NODEV, options="mode=755,size=16m")
    linux.pivot_root(".", ".")
    linux.detach_mount(".")
    os.chdir("/")
    _protect("/")


def protect_cache() -> None:
    """Make the libraries' cache read-only, once the warm-up has filled it."""
    _protect(CACHE)


def _protect(path: str) -> None:
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY)
    linux.restrict_mount(fd, _READ_ONLY)
    os.close(fd)


def below(folder: str, paths: Iterable[str]) -> list[str]:
    """Return those of the paths that lie below the folder."""
    return [path for path in paths if path.startswith(f"{folder}/")]


def attach(target: str, fd: int, *, is_folder: bool) -> None:
    """Put a cloned mount at a path, which is made when it is not there."""
    if is_folder:
        Path(target).mkdir(parents=True, exist_ok=True)
    else:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).touch()
    linux.attach_mount(fd, target)
    os.close(fd)


def _add_own_files(bound: set[str]) -> None:
    for folder in ("proc", "etc", "var", "dev", SANDBOX[1:], CACHE[1:]):
        Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in _SYNTHETIC.items():
        Path(name).write_text(text)
    for name, target in (("fd", "self/fd"), ("stdin", "self/fd/0"), ("stdout", "self/fd/1"), ("stderr", "self/fd/2")):
        Path("dev", name).symlink_to(f"/proc/{target}")
    # A checkout may itself lie below /tmp, and a link would hide it; then each run covers the folder instead.
    for folder in TEMPORARY:
        if below(folder, bound):
            Path(folder[1:]).mkdir(parents=True, exist_ok=True)
        else:
            Path(folder[1:]).symlink_to(f"{SANDBOX}/tmp")
