"""Takes what a run left in outputs/ out of the sandbox: regular files only, whatever else hostile code put there.

Every step opens one name relative to a descriptor and follows no link, so no path can lead elsewhere; that needs no
newer call such as openat2, which some kernels and filters refuse. The folder may even change while it is read.
"""

import base64
import hashlib
import mimetypes
import os
import secrets
import stat
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

from berth_runner.s3_keeper import KeptNotError, s3_keeper

MAX_DEPTH = 16
MAX_ENTRIES = 10_000
MAX_NAME_BYTES = 768
_CHUNK = 1 << 20
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_REPORTED = 5

_mimes = mimetypes.MimeTypes(filenames=())
for _mime, _suffix in (
    ("text/markdown", ".md"),
    ("application/vnd.apache.parquet", ".parquet"),
    ("application/x-ndjson", ".jsonl"),
    ("application/geo+json", ".geojson"),
):
    _mimes.add_type(_mime, _suffix)

Artifact = dict[str, Any]
Name = tuple[str, ...]


class Keeper(Protocol):
    """Where artifacts are kept: one stream per file, which becomes visible as a whole or not at all."""

    # What fits into the reply need not come here; who gets the reply keeps it.
    spares_small: bool

    def put(self, name: Name, chunks: Iterator[bytes]) -> None:
        """Keep a file under `name`; what `chunks` raises must leave nothing behind. Raises KeptNotError."""


KeeperFactory = Callable[[Mapping[str, Any]], Keeper | None]


class _TooLargeError(Exception):
    """The file does not fit into what is left."""


@dataclass
class _Collection:
    keeper: Keeper | None
    left: int
    inline_left: int
    artifacts: list[Artifact] = field(default_factory=list)
    # Entries that cannot be artifacts, with the reason; nothing is lost without a word.
    skipped: list[str] = field(default_factory=list)
    too_large: list[str] = field(default_factory=list)
    # What the keeper did not take.
    lost: list[str] = field(default_factory=list)


def collect(
    outputs_dirfd: int,
    prefix: Mapping[str, Any],
    limits: Mapping[str, int],
    keepers: Mapping[str, KeeperFactory] | None = None,
) -> tuple[list[Artifact], str | None, str]:
    """Return the artifacts by name, the code of the worst that kept some out, and what stayed out.

    The code is `runner_failed` when some could not be kept, `artifacts_too_large` when some had no room.
    """
    make = (keepers or KEEPERS).get(prefix["kind"])
    collection = _Collection(
        make(prefix) if make else None, limits["maxArtifactBytes"], limits["maxInlineArtifactBytes"]
    )
    # Through its own ".", for the descriptor may be a mere place (O_PATH), and the code may have taken the rights away.
    names = sorted(_enter(outputs_dirfd, (".",), collection.skipped, [MAX_ENTRIES]))
    for name in names:
        if len(collection.artifacts) >= limits["maxArtifacts"]:
            collection.too_large.append(_shown("/".join(name)))
        else:
            _take(outputs_dirfd, name, collection)
    code = "runner_failed" if collection.lost else "artifacts_too_large" if collection.too_large else None
    return collection.artifacts, code, _detail(collection, limits)


def keep_content(prefix: Mapping[str, Any], artifact: Artifact) -> bool:
    """Keep what was to go inside the reply after all. False when there is nowhere to keep it."""
    make = KEEPERS.get(prefix["kind"])
    keeper = make(prefix) if make else None
    if keeper is None:
        return False
    try:
        keeper.put(tuple(artifact["name"].split("/")), iter([base64.b64decode(artifact["content"])]))
    except KeptNotError:
        return False
    return True


def _detail(collection: _Collection, limits: Mapping[str, int]) -> str:
    parts = []
    if collection.lost:
        parts.append(f"could not be kept: {_some(collection.lost)}")
    if collection.too_large:
        most = f"at most {limits['maxArtifacts']} artifacts of {limits['maxArtifactBytes']} bytes together"
        parts.append(f"left out of outputs/, {most}: {_some(collection.too_large)}")
    if collection.skipped:
        parts.append(f"not taken from outputs/: {_some(collection.skipped)}")
    return "; ".join(parts)


def _some(texts: list[str]) -> str:
    more = len(texts) - _REPORTED
    return ", ".join(texts[:_REPORTED]) + (f" and {more} more" if more > 0 else "")


def _shown(name: str) -> str:
    return ascii(name[:100])


def _walk(folder_fd: int, way: Name, skipped: list[str], left: list[int]) -> Iterator[Name]:
    """Yield the names of what may be regular files; folders are entered one descriptor at a time."""
    for entry in _entries(folder_fd, way, skipped, left):
        name = (*way, entry)
        problem = _problem_of(name)
        if problem is not None:
            skipped.append(f"{_shown('/'.join(name))} ({problem})")
            continue
        try:
            is_folder = stat.S_ISDIR(os.stat(entry, dir_fd=folder_fd, follow_symlinks=False).st_mode)
        except OSError:
            skipped.append(f"{_shown('/'.join(name))} (gone)")
            continue
        if is_folder:
            yield from _enter(folder_fd, name, skipped, left)
        else:
            yield name


def _entries(folder_fd: int, way: Name, skipped: list[str], left: list[int]) -> list[str]:
    with os.scandir(folder_fd) as found:
        names = [entry.name for entry in islice(found, left[0])]
        if next(found, None) is not None:
            skipped.append(f"entries of {_shown('/'.join(way) or '.')} beyond {MAX_ENTRIES}")
    left[0] -= len(names)
    return sorted(names)


def _enter(folder_fd: int, name: Name, skipped: list[str], left: list[int]) -> Iterator[Name]:
    try:
        fd = os.open(name[-1], _FOLDER, dir_fd=folder_fd)
    except OSError as error:
        skipped.append(f"{_shown('/'.join(name))} ({error.strerror})")
        return
    try:
        yield from _walk(fd, () if name == (".",) else name, skipped, left)
    finally:
        os.close(fd)


def _problem_of(name: Name) -> str | None:
    last = name[-1]
    if any("\ud800" <= c <= "\udfff" for c in last):
        return "its name is not UTF-8"
    if any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} for c in last):
        return "its name has control characters"
    if len(name) > MAX_DEPTH:
        return f"deeper than {MAX_DEPTH} folders"
    if len("/".join(name).encode()) > MAX_NAME_BYTES:
        return f"its path is longer than {MAX_NAME_BYTES} bytes"
    return None


def _take(outputs_dirfd: int, name: Name, collection: _Collection) -> None:
    shown = _shown("/".join(name))
    try:
        with _opened(outputs_dirfd, name) as fd:
            facts = os.fstat(fd)
            if not stat.S_ISREG(facts.st_mode):
                collection.skipped.append(f"{shown} (not a regular file)")
            elif facts.st_nlink > 1 and facts.st_uid != os.fstat(outputs_dirfd).st_uid:
                # We may read more than the run: without a disk of its own it can link what is not its own.
                collection.skipped.append(f"{shown} (a link to a file that is not the run's own)")
            elif facts.st_size > collection.left:
                collection.too_large.append(shown)
            else:
                _read(fd, name, collection)
    except _TooLargeError:
        collection.too_large.append(shown)
    except KeptNotError as error:
        collection.lost.append(f"{shown} ({error})")
    except OSError as error:
        collection.skipped.append(f"{shown} ({error.strerror})")


@contextmanager
def _opened(root_fd: int, name: Name) -> Iterator[int]:
    """Open a file one name at a time; O_NONBLOCK, for opening a FIFO waits for its other end."""
    folder = os.dup(root_fd)
    try:
        for part in name[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        fd = os.open(name[-1], _FILE, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        yield fd
    finally:
        os.close(fd)


class _Reading:
    """Counts what is really read, for a file may grow while it is read, and keeps it as long as it may go inline."""

    def __init__(self, fd: int, limit: int, inline_limit: int) -> None:
        self.fd, self.limit, self.inline_limit = fd, limit, inline_limit
        self.bytes = 0
        self.hash = hashlib.sha256()
        self.inline: list[bytes] | None = []

    def __iter__(self) -> Iterator[bytes]:
        while chunk := os.read(self.fd, _CHUNK):
            self.bytes += len(chunk)
            if self.bytes > self.limit:
                raise _TooLargeError
            self.hash.update(chunk)
            if self.inline is not None:
                self.inline.append(chunk)
            if self.bytes > self.inline_limit:
                self.inline = None
            yield chunk

    def content(self) -> str | None:
        return None if self.inline is None else base64.b64encode(b"".join(self.inline)).decode()


def _read(fd: int, name: Name, collection: _Collection) -> None:
    reading = _Reading(fd, collection.left, collection.inline_left)
    is_kept = _keep(reading, name, collection.keeper)
    content = reading.content()
    collection.left -= reading.bytes
    collection.inline_left -= 0 if content is None else reading.bytes
    collection.artifacts.append(
        {
            "name": "/".join(name),
            "mime": _mimes.guess_type(name[-1])[0] or "application/octet-stream",
            "bytes": reading.bytes,
            "sha256": reading.hash.hexdigest(),
            "content": content,
            "stored": is_kept,
        }
    )


def _keep(reading: _Reading, name: Name, keeper: Keeper | None) -> bool:
    """Read to the end, and keep what has to be kept."""
    chunks, head = iter(reading), []
    if keeper is None or keeper.spares_small:
        # At most what may go inline, and one chunk.
        for chunk in chunks:
            head.append(chunk)
            if reading.inline is None:
                break
        else:
            return False
    if keeper is None:
        # Nowhere to go: neither into the reply nor into a prefix.
        raise _TooLargeError
    keeper.put(name, chain(head, chunks))
    return True


class FolderKeeper:
    """Keeps artifacts in the run's own folder, which only Berth writes."""

    spares_small = False

    def __init__(self, root: str) -> None:
        # Without its parents: when the berth was deleted meanwhile, nothing of it may come back.
        Path(root).mkdir(mode=0o700, exist_ok=True)
        self.root = root

    def put(self, name: Name, chunks: Iterator[bytes]) -> None:
        """Write beside the final name, then rename."""
        folder = Path(self.root)
        for part in name[:-1]:
            folder /= part
            folder.mkdir(mode=0o700, exist_ok=True)
        temporary = folder / f".{secrets.token_hex(8)}.part"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.writelines(chunks)
            temporary.rename(folder / name[-1])
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


def _folder_keeper(prefix: Mapping[str, Any]) -> FolderKeeper | None:
    try:
        return FolderKeeper(prefix["run"])
    except FileNotFoundError:
        return None


KEEPERS: Mapping[str, KeeperFactory] = {"folder": _folder_keeper, "s3": s3_keeper}
