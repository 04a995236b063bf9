"""Opens the tenant's files that a run names, so that the child gets those and can reach no others."""

import asyncio
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from berth_runner import linux
from berth_runner.protocol import Refusal, Request
from berth_runner.s3_files import FilesTooLargeError, fetch

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


@dataclass(frozen=True)
class Means:
    """What this machine has for handing files over."""

    may_mount: bool
    # Where fetched files lie until the child has them.
    scratch: Path


async def deliver(request: Request, means: Means) -> Delivery:
    """Return the files of a request, opened. Raises Refusal (file_not_found, runner_failed), FilesTooLargeError."""
    if not request["files"]:
        return Delivery()
    # Other runs go on meanwhile.
    delivery = await asyncio.to_thread(_SOURCES[request["prefix"]["kind"]], request, means)
    copied = sum(
        os.fstat(fd).st_size for file, fd in zip(delivery.files, delivery.fds, strict=True) if file["how"] == "copy"
    )
    limit = request["limits"]["maxDiskBytes"]
    if copied > limit:
        delivery.close()
        raise FilesTooLargeError(f"the files that the run names have more than {limit} bytes together")
    return delivery


def _from_s3(request: Request, means: Means) -> Delivery:
    limit = request["limits"]["maxDiskBytes"]
    fds = fetch(request["prefix"], request["files"], max_bytes=limit, folder=means.scratch)
    return Delivery([{"name": name, "how": "link"} for name in request["files"]], fds)


def _from_folder(request: Request, means: Means) -> Delivery:
    delivery = Delivery()
    folder = _open_folder(request)
    try:
        for name in request["files"]:
            fd, how = _open_file(folder, name, may_mount=means.may_mount)
            delivery.files.append({"name": name, "how": how})
            delivery.fds.append(fd)
    except BaseException:
        delivery.close()
        raise
    finally:
        os.close(folder)
    return delivery


_SOURCES: Mapping[str, Callable[[Request, Means], Delivery]] = {"folder": _from_folder, "s3": _from_s3}


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
