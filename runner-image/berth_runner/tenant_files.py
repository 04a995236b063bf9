"""Opens the tenant's files that a run names, so that the child gets those and can reach no others."""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from berth_runner import linux
from berth_runner.protocol import Refusal, Request

_READ_ONLY = (
    linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC
)  # fmt: skip


@dataclass
class Delivery:
    """What goes to the child with the request."""

    files: list[dict[str, Any]] = field(default_factory=list)
    fds: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Close our copies of the descriptors."""
        for fd in self.fds:
            os.close(fd)
        self.fds = []


def deliver(request: Request, *, may_mount: bool) -> Delivery:
    """Return the files of a request, opened. Raises Refusal file_not_found."""
    delivery = Delivery()
    if not request["files"]:
        return delivery
    folder = _open_folder(request)
    try:
        for name in request["files"]:
            fd, how = _open_file(folder, name, may_mount=may_mount)
            delivery.files.append({"name": name, "how": how})
            delivery.fds.append(fd)
    except BaseException:
        delivery.close()
        raise
    finally:
        os.close(folder)
    return delivery


def _open_folder(request: Request) -> int:
    prefix = request["prefix"]
    try:
        return os.open(prefix["files"], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Refusal("file_not_found", f"{request['files'][0]!r} does not exist: the tenant has no files") from error


def _open_file(folder: int, name: str, *, may_mount: bool) -> tuple[int, str]:
    try:
        # O_NONBLOCK: opening a FIFO would otherwise wait for its writer.
        fd = linux.open_beneath(folder, name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        raise Refusal("file_not_found", f"{name!r} does not exist among the tenant's files") from error
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise Refusal("file_not_found", f"{name!r} is no regular file")
    # The run's user is none of ours: what others may not read must be copied.
    if may_mount and status.st_mode & stat.S_IROTH:
        with suppress(OSError):
            mount = linux.clone_tree(fd)
            linux.restrict_mount(mount, _READ_ONLY)
            os.close(fd)
            return mount, "mount"
    return fd, "copy"


def can_mount() -> bool:
    """Return whether this process may make detached mounts."""
    try:
        fd = os.open(Path(__file__), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.close(linux.clone_tree(fd))
        finally:
            os.close(fd)
    except OSError:
        return False
    return True
