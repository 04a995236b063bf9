"""Fetches the tenant's files that a run names into files without a name: they are gone when their descriptor is."""

import os
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from berth_runner import s3
from berth_runner.protocol import Refusal
from berth_runner.s3 import S3Error

_CHUNK = 1 << 20
_TRIES = 3


class FilesTooLargeError(Exception):
    """The files of a run do not fit on its disk."""


class _StoppedError(Exception):
    """Another file has failed."""


class _BrokenOffError(S3Error):
    """The answer had begun, so botocore did not repeat the request."""


class _Budget:
    """What all files of a run may still take; the first failure ends the others."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.is_over = threading.Event()
        self._left = limit
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        with self._lock:
            self._left -= size
            if self._left < 0:
                raise FilesTooLargeError(f"the files that the run names have more than {self.limit} bytes together")


def fetch(prefix: Mapping[str, Any], names: list[str], *, max_bytes: int, folder: Path) -> list[int]:
    """Return a descriptor for each file, at its beginning. Raises Refusal and FilesTooLargeError."""
    budget = _Budget(max_bytes)
    with ThreadPoolExecutor(min(s3.CONNECTIONS, len(names)), "s3-fetch") as pool:
        jobs = [pool.submit(_fetch_one, prefix, name, budget, folder) for name in names]
    errors = [error for job in jobs if (error := job.exception()) is not None]
    if not errors:
        return [job.result() for job in jobs]
    for job in jobs:
        if job.exception() is None:
            os.close(job.result())
    raise next(error for error in errors if not isinstance(error, _StoppedError))


def _fetch_one(prefix: Mapping[str, Any], name: str, budget: _Budget, folder: Path) -> int:
    fd = _open_nameless(folder)
    try:
        _fill(fd, prefix, name, budget)
    except BaseException as error:
        os.close(fd)
        budget.is_over.set()
        if isinstance(error, S3Error):
            raise Refusal(*_worded(error, prefix, name)) from error
        raise
    return fd


def _fill(fd: int, prefix: Mapping[str, Any], name: str, budget: _Budget) -> None:
    for attempt in range(_TRIES):
        try:
            _stream(fd, prefix, name, budget)
            os.lseek(fd, 0, os.SEEK_SET)
        except _BrokenOffError:
            if attempt == _TRIES - 1:
                raise
            # What came so far counts no more.
            budget.take(-os.lseek(fd, 0, os.SEEK_END))
            os.ftruncate(fd, 0)
            os.lseek(fd, 0, os.SEEK_SET)
        else:
            return


def _stream(fd: int, prefix: Mapping[str, Any], name: str, budget: _Budget) -> None:
    with s3.translated():
        found = s3.client().get_object(Bucket=prefix["bucket"], Key=prefix["files"] + name)
    try:
        with s3.translated(), closing(found["Body"]) as body:
            if found["ContentLength"] > budget.limit:
                budget.take(found["ContentLength"])
            while chunk := body.read(_CHUNK):
                if budget.is_over.is_set():
                    raise _StoppedError
                budget.take(len(chunk))
                _write(fd, chunk)
    except S3Error as error:
        raise _BrokenOffError(error.code) from error


def _write(fd: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[os.write(fd, left) :]


def _worded(error: S3Error, prefix: Mapping[str, Any], name: str) -> tuple[str, str]:
    if error.is_missing or (error.is_denied and _is_absent(prefix["bucket"], prefix["files"] + name)):
        return "file_not_found", f"{name!r} does not exist among the tenant's files"
    return "runner_failed", f"the tenant's file {name!r} could not be read from S3: {error.code}"


def _is_absent(bucket: str, key: str) -> bool:
    try:
        return not s3.exists(bucket, key)
    except S3Error:
        return False


def _open_nameless(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o444)
    except OSError:
        # Not every file system can: then it has a name for a moment.
        fd, name = tempfile.mkstemp(dir=folder)
        os.unlink(name)  # noqa: PTH108
        return fd
