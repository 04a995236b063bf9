"""The Linux calls that Python's own library lacks before 3.12, through ctypes. Every one raises OSError."""

import ctypes
import os
import struct
import time

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_REC, MS_PRIVATE = 0x4000, 0x40000
MNT_DETACH = 2

MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_OPEN_TREE_CLOEXEC = 0o2000000
_MOVE_MOUNT_F_EMPTY_PATH = 4
_RESOLVE_NO_SYMLINKS_BENEATH = 0x04 | 0x08

# Since Linux 5.1 a new system call has the same number everywhere; these three are older.
_OLD = {"x86_64": (155, 126, 317), "aarch64": (41, 91, 277)}
_PIVOT_ROOT, _CAPSET, SECCOMP = _OLD.get(os.uname().machine, (-1, -1, -1))
_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _MOUNT_SETATTR, _CLOSE_RANGE = 428, 429, 437, 442, 436

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, call: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result


def syscall(number: int, call: str, *arguments: object) -> int:
    """Make a raw system call; `call` is its name for the message of the error."""
    return _check(_libc.syscall(ctypes.c_long(number), *arguments), call)


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` names for new ones."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """Enter the namespace behind `fd`."""
    _check(_libc.setns(fd, kind), "setns")


def mount(source: str, target: str, kind: str, *, flags: int = 0, options: str = "") -> None:
    """Mount in the classic way; `options` is the comma-separated text that the file system reads."""
    arguments = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _check(_libc.mount(*arguments), f"mount {kind} on {target}")


def detach_mount(target: str) -> None:
    """Unmount lazily, with everything below."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root and put the old one at `old`."""
    syscall(_PIVOT_ROOT, "pivot_root", new.encode(), old.encode())


def clone_tree(path: str | int, *, recursive: bool = False) -> int:
    """Return a detached copy of the mount at `path` (or of an open descriptor)."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    if isinstance(path, int):
        return syscall(_OPEN_TREE, "open_tree", path, b"", ctypes.c_uint(flags | _AT_EMPTY_PATH))
    return syscall(_OPEN_TREE, f"open_tree {path}", _AT_FDCWD, path.encode(), ctypes.c_uint(flags))


def restrict_mount(mount_fd: int, attributes: int, *, recursive: bool = False) -> None:
    """Set attributes such as read-only on a mount."""
    request = ctypes.create_string_buffer(struct.pack("QQQQ", attributes, 0, 0, 0), 32)
    flags = ctypes.c_uint(_AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0))
    syscall(_MOUNT_SETATTR, "mount_setattr", mount_fd, b"", flags, request, ctypes.c_size_t(32))


def attach_mount(mount_fd: int, target: str) -> None:
    """Put a detached mount at `target`."""
    flags = ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH)
    syscall(_MOVE_MOUNT, f"move_mount to {target}", mount_fd, b"", _AT_FDCWD, target.encode(), flags)


def open_beneath(folder_fd: int, name: str, flags: int) -> int:
    """Open `name` below a folder, through no symbolic link and never above it."""
    how = ctypes.create_string_buffer(struct.pack("QQQ", flags | os.O_CLOEXEC, 0, _RESOLVE_NO_SYMLINKS_BENEATH), 24)
    return syscall(_OPENAT2, f"openat2 {name}", folder_fd, name.encode(), how, ctypes.c_size_t(24))


def close_range(first: int) -> None:
    """Close every descriptor from `first` on."""
    try:
        syscall(_CLOSE_RANGE, "close_range", ctypes.c_uint(first), ctypes.c_uint(0xFFFFFFFF), 0)
    except OSError:
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def prctl(option: int, value: int) -> None:
    """Change an attribute of this process."""
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def drop_capabilities() -> None:
    """Give up every capability, for good once no_new_privs is set."""
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0), 8)
    syscall(_CAPSET, "capset", header, ctypes.create_string_buffer(24))


def process_cpu_seconds(pid: int) -> float:
    """CPU time of all threads of another process, to the nanosecond; its own clock needs no permission."""
    return time.clock_gettime((~pid << 3) | 2)
