"""Folders of runs where there is no tmpfs of their own: made before a run, emptied after it, also of what hides."""

import os
import secrets
import stat
from pathlib import Path

_OPEN = 0o700
_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# What lies in a folder and in all below it, with what changes as soon as somebody writes there.
Signature = dict[str, tuple[int, int]]


def make_folder(folder: Path, uid: int | None) -> None:
    """Make the folders of one run; with an own user they belong to it."""
    for path in (folder, folder / "work", folder / "work" / "outputs", folder / "tmp"):
        path.mkdir(mode=_OPEN)
        if uid:
            os.chown(path, uid, uid)


def remove_folder(folder: Path) -> bool:
    """Remove a folder, opening locked ones on the way. False when something withstands."""
    try:
        fd = _open_folder(None, str(folder))
        try:
            _empty(fd)
        finally:
            os.close(fd)
        folder.rmdir()
    except FileNotFoundError:
        return not folder.exists()
    except OSError:
        return False
    return True


def _empty(fd: int) -> None:
    """Dissolve folder after folder by moving the inner ones up: code makes trees deeper than any path or stack."""
    while entries := list(os.scandir(fd)):
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _dissolve(fd, entry.name)
            else:
                os.unlink(entry.name, dir_fd=fd)


def _dissolve(root_fd: int, name: str) -> None:
    fd = _open_folder(root_fd, name)
    try:
        for entry in list(os.scandir(fd)):
            if entry.is_dir(follow_symlinks=False):
                # Moving a folder writes into it: its ".." changes.
                os.close(_open_folder(fd, entry.name))
                os.rename(entry.name, f".{secrets.token_hex(16)}", src_dir_fd=fd, dst_dir_fd=root_fd)
            else:
                os.unlink(entry.name, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=root_fd)


def _open_folder(parent_fd: int | None, name: str) -> int:
    """Open a folder, giving its user the rights first; through no link."""
    place = os.open(name, os.O_PATH | _FOLDER, dir_fd=parent_fd)
    try:
        os.chmod(f"/proc/self/fd/{place}", _OPEN)  # noqa: PTH101
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(place)


def sign(folder: Path) -> Signature:
    """Return the signature of what lies in a folder now."""
    found: Signature = {}
    waiting = [str(folder)]
    while waiting:
        for entry in list(os.scandir(waiting.pop())):
            facts = entry.stat(follow_symlinks=False)
            found[entry.path] = (facts.st_ino, facts.st_ctime_ns)
            if stat.S_ISDIR(facts.st_mode):
                waiting.append(entry.path)
    return found


def restore(folder: Path, before: Signature) -> bool:
    """Remove what was not there before. False when something of before was changed: it is removed as well."""
    folder.mkdir(exist_ok=True)
    if folder.stat().st_uid == os.geteuid():
        folder.chmod(_OPEN)
    clean = True
    for entry in list(os.scandir(folder)):
        if entry.path not in before:
            clean = _remove(Path(entry.path)) and clean
    for path in list(folder.iterdir()):
        known = {name: facts for name, facts in before.items() if Path(name).is_relative_to(path)}
        if _sign_entry(path) != known:
            _remove(path)
            clean = False
    return clean


def _sign_entry(path: Path) -> Signature | None:
    """Return the signature of one entry and all below it; None when it is too strange to have one."""
    try:
        facts = path.lstat()
        inside = sign(path) if stat.S_ISDIR(facts.st_mode) else {}
    except OSError:
        return None
    return {str(path): (facts.st_ino, facts.st_ctime_ns), **inside}


def list_entries(folders: tuple[str, ...]) -> set[str]:
    """Return what lies in the shared folders now."""
    found = set()
    for folder in folders:
        try:
            found |= {entry.path for entry in os.scandir(folder)}
        except OSError:
            continue
    return found


def remove_new(folders: tuple[str, ...], before: set[str], uid: int) -> bool:
    """Remove what a run's user has left in shared folders. Entries of other users are not its doing."""
    clean = True
    for path in list_entries(folders) - before:
        clean = _remove_entry(Path(path), uid) and clean
    return clean


def _remove_entry(path: Path, uid: int) -> bool:
    try:
        return path.lstat().st_uid != uid or _remove(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _remove(path: Path) -> bool:
    try:
        if stat.S_ISDIR(path.lstat().st_mode):
            return remove_folder(path)
        path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
