"""What a fresh child does to itself: it builds its sandbox and, once the request is there, gives up everything."""

import gc
import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from berth_runner import linux, seccomp, tree
from berth_runner.namespaces import map_one_user
from berth_runner.tree import SANDBOX, UID_RANGE

_MIB = 1024 * 1024
_FIRST_UID = 1000
_INODES = 10_000
_SHORT_LIVED_SLACK_SECONDS = 2
_COUNTED_SLACK_PROCESSES = 8


@dataclass(frozen=True)
class Plan:
    """How a child of this fork server is confined; the same for all its children."""

    level: str
    # Own users per run: the fork server has a range of them.
    uid_range: bool
    seccomp: bool
    # Test hooks: names of protections that a control switches off.
    without: tuple[str, ...] = ()
    # What the tree shows below a folder for temporary files: a checkout may itself lie there.
    below_tmp: tuple[str, ...] = ()

    @property
    def has_namespaces(self) -> bool:
        """Return whether the child builds its own sandbox."""
        return self.level == "namespaces"


@dataclass(frozen=True)
class Place:
    """Where a run works, and as whom."""

    work: str
    uid: int | None


def build(plan: Plan, disk_bytes: int, number: int = 0) -> Place:
    """Enter new namespaces with a writable tmpfs and a /proc of their own."""
    spaces = linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS | linux.CLONE_NEWCGROUP
    if "network" not in plan.without:
        spaces |= linux.CLONE_NEWNET
    linux.unshare(spaces)
    # By the number of the run, so that no two at the same time share a user: the kernel counts processes by user.
    uid = _FIRST_UID + number % UID_RANGE if plan.uid_range else 0
    flags = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount("tmpfs", SANDBOX, "tmpfs", flags=flags, options=f"mode=755,size={disk_bytes},nr_inodes={_INODES}")
    for name in ("work", "work/outputs", "tmp"):
        folder = f"{SANDBOX}/{name}"
        os.mkdir(folder, 0o700)  # noqa: PTH102
        os.chown(folder, uid, uid)
    for folder in tree.TEMPORARY:
        _cover(folder, tree.below(folder, plan.below_tmp))
    _mount_proc()
    os.chdir(f"{SANDBOX}/work")
    return Place(f"{SANDBOX}/work", uid)


def _cover(folder: str, shown: list[str]) -> None:
    """Make a folder for temporary files the run's own, where the tree shows paths below it and so made it no link."""
    if not shown:
        return
    mounts = [(path, Path(path).is_dir(), linux.clone_tree(path, recursive=True)) for path in shown]
    tree.attach(folder, linux.clone_tree(f"{SANDBOX}/tmp"), is_folder=True)
    for path, is_folder, fd in mounts:
        tree.attach(path, fd, is_folder=is_folder)


def resize(disk_bytes: int) -> None:
    """Change how much the tmpfs holds."""
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_REMOUNT
    linux.mount("tmpfs", SANDBOX, "tmpfs", flags=flags, options=f"size={disk_bytes},nr_inodes={_INODES}")


def _mount_proc() -> None:
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    for options in ("subset=pid,hidepid=invisible", "hidepid=2", ""):
        try:
            linux.mount("proc", "/proc", "proc", flags=flags, options=options)
        except OSError:
            if not options:
                raise
        else:
            return


def deliver_files(files: list[dict[str, Any]], fds: list[int]) -> None:
    """Put the tenant's files into the working directory: by mount or link where that works, else by copy."""
    for file, fd in zip(files, fds, strict=True):
        name = file["name"]
        if file["how"] == "mount":
            Path(name).touch()
            linux.attach_mount(fd, f"./{name}")
        elif file["how"] != "link" or not _link(fd, name):
            _copy(fd, name)
        os.close(fd)


def _link(source: int, name: str) -> bool:
    """Give a nameless file its name here, when it lies on the same disk."""
    here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(f"/proc/self/fd/{source}", name, dst_dir_fd=here, follow_symlinks=True)
    except OSError:
        return False
    finally:
        os.close(here)
    return True


def _copy(source: int, name: str) -> None:
    target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o444)
    try:
        # With an offset of our own: a child that was lost before may have read from the same descriptor.
        done = 0
        while sent := os.sendfile(target, source, done, 8 * _MIB):
            done += sent
    finally:
        os.close(target)


def set_limits(
    limits: dict[str, Any], *, address_factor: int, is_counted: bool = False, extra_processes: int = 0
) -> None:
    """Set the process's resource limits, soft and hard alike. A factor of 0 leaves the address space open.

    Only as the run's own user: a user namespace that is made below a limit of processes holds that limit against the
    count of its parent too, which is all runs there are.
    """
    # A control group counts what it refuses and this limit does not, so there the group's comes first.
    slack = _COUNTED_SLACK_PROCESSES if is_counted else 0
    seconds = limits["timeoutMs"] // 1000 + _SHORT_LIVED_SLACK_SECONDS
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: seconds * (os.cpu_count() or 1),
        resource.RLIMIT_FSIZE: limits["maxDiskBytes"],
        resource.RLIMIT_NOFILE: 1024,
        resource.RLIMIT_NPROC: limits["maxProcesses"] + extra_processes + slack,
        resource.RLIMIT_STACK: 8 * _MIB,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if address_factor:
        wanted[resource.RLIMIT_AS] = _virtual_bytes() + address_factor * limits["memoryMiB"] * _MIB
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def _virtual_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def become(plan: Plan, uid: int | None) -> None:
    """Become the run's own user and give up every capability. None keeps the present user."""
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    elif plan.has_namespaces:
        # One user for all runs: a user namespace per run makes the kernel count its processes apart from the others'.
        linux.unshare(linux.CLONE_NEWUSER)
        map_one_user(0, 0, inside=_FIRST_UID)
    linux.drop_capabilities()


def lock(plan: Plan, protected: tuple[int, ...]) -> None:
    """The last step before code of a tenant: no new privileges, no tracing, the filter."""
    set_attribute(plan, linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    set_attribute(plan, linux.PR_SET_NO_NEW_PRIVS, 1)
    if "dumpable" not in plan.without:
        set_attribute(plan, linux.PR_SET_DUMPABLE, 0)
    if plan.seccomp and "seccomp" not in plan.without:
        seccomp.load(seccomp.compile_filter(protected))


def set_attribute(plan: Plan, option: int, value: int) -> bool:
    """Set an attribute of this process. Where there is no sandbox anyway, as in Lambda, it may be refused."""
    try:
        if "prctl" in plan.without:
            raise PermissionError("refused, as Lambda may")
        linux.prctl(option, value)
    except OSError:
        if plan.level != "guard":
            raise
        return False
    return True


def forget() -> None:
    """Undo what the fork server set for itself and what a child must not inherit."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.enable()
