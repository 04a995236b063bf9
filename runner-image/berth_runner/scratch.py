"""Folders of runs where there is no tmpfs of their own: made before a run, emptied after it, also of what hides."""

import os
import shutil
from pathlib import Path

_OPEN = 0o700


def make_folder(folder: Path, uid: int | None) -> None:
    """Make the folders of one run; with an own user they belong to it."""
    for path in (folder, folder / "work", folder / "work" / "outputs", folder / "tmp"):
        path.mkdir(mode=_OPEN)
        if uid:
            os.chown(path, uid, uid)


def remove_folder(folder: Path) -> bool:
    """Remove a folder, opening locked ones on the way. False when something withstands."""
    # Top down: a folder is opened before the walk looks into it.
    for parent, names, _ in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(_OPEN)
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


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
        if path.lstat().st_uid != uid:
            return True
        if path.is_dir() and not path.is_symlink():
            return remove_folder(path)
        path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
