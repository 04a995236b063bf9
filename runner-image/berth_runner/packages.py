"""Says which languages and packages a runner offers, without loading any of them."""

import platform
import re
import subprocess
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from berth_runner.config import Config

# Imports of these are worth a fork server that has them loaded; a wrong guess only costs time.
_HEAVY = re.compile(r"^[^#\n]*\b(?:import|from)\s+(?:[\w., ]*\b)?(?:numpy|pandas|matplotlib)\b", re.MULTILINE)


def wants_libraries(source: str) -> bool:
    """Return whether the source seems to import one of the preloaded libraries."""
    return _HEAVY.search(source) is not None


def installed(names: tuple[str, ...]) -> dict[str, str]:
    """Return name → version of those that are installed."""
    versions = {}
    for name in names:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def languages(config: Config) -> list[dict[str, Any]]:
    """Return the languages of the first frame."""
    python = {"language": "python", "version": platform.python_version(), "packages": installed(config.libraries)}
    version = node_version(config.node_path)
    if version is None:
        return [python]
    return [python, {"language": "typescript", "version": version, "packages": {}}]


@cache
def node_version(path: str) -> str | None:
    """Return Node's version, or None when there is no Node that can strip types."""
    if not path or not Path(path).exists():
        return None
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    version = answer.stdout.strip().removeprefix("v")
    return version if int(version.partition(".")[0]) >= 24 else None
