"""The settings of a supervisor, checked."""

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

_NAMES = {
    "level": "level",
    "spares": "spares",
    "nodeSpares": "node_spares",
    "recycleRuns": "recycle_runs",
    "recycleSeconds": "recycle_seconds",
    "maxConcurrency": "max_concurrency",
    "scratchDir": "scratch_dir",
    "node": "node",
    "allowUnsafe": "allow_unsafe",
    "libraries": "libraries",
}

SHARED_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")


@dataclass(frozen=True)
class Config:
    """What a supervisor needs to know. `without` is for tests alone and cannot be set from outside the process."""

    # None takes the best level that works here.
    level: str | None = None
    spares: int = 2
    node_spares: int = 1
    recycle_runs: int = 1000
    recycle_seconds: float = 600.0
    max_concurrency: int = 32
    scratch_dir: str = ""
    node: str = ""
    allow_unsafe: bool = False
    # A boundary that is not ours stands around this process (Lambda's microVM and role), so nobody is to be warned,
    # and nobody else writes to this disk, so it is counted whole.
    enclosed: bool = False
    # Folders that are emptied of what a run left there, at the level without namespaces. None takes the usual ones, but
    # only where a run has a user of its own: what other programs of our user wrote there is not ours to remove.
    sweep_folders: tuple[str, ...] | None = None
    libraries: tuple[str, ...] = ("numpy", "pandas", "matplotlib")
    without: tuple[str, ...] = ()

    @property
    def scratch(self) -> Path:
        """Return the folder for scratch files."""
        return Path(self.scratch_dir or Path(tempfile.gettempdir(), f"berth-runner-{os.getuid()}"))

    @cached_property
    def node_path(self) -> str:
        """Return Node's binary, or "" when there is none."""
        found = self.node or shutil.which("node") or ""
        return str(Path(found).resolve()) if found else ""

    @cached_property
    def python_paths(self) -> list[str]:
        """Return the folders that Python needs: its own prefix, the virtual environment's, and this package."""
        package = Path(__file__).resolve().parent
        found = dict.fromkeys([sys.base_prefix, sys.prefix, sys.base_exec_prefix, str(package)])
        return [path for path in found if path != "/usr" and not path.startswith("/usr/")]


def parse_config(settings: dict[str, Any]) -> Config:
    """Return the configuration. Raises ValueError that names the key, what was expected and what was got."""
    types = {field.name: field.type for field in fields(Config)}
    values: dict[str, Any] = {}
    for key, value in settings.items():
        name = _NAMES.get(key)
        if name is None:
            raise ValueError(f"{key}: expected one of {', '.join(_NAMES)}")
        if value is None:
            continue
        values[name] = tuple(value) if isinstance(value, list) else value
        default = getattr(Config, name)
        wanted = (int, float) if isinstance(default, float) else (type(default) if default is not None else str)
        if not isinstance(values[name], wanted):
            raise ValueError(f"{key}: expected {types[name]}, got {value!r}")
    return Config(**values)
