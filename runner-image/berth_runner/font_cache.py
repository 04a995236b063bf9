"""matplotlib's list of fonts: finding them takes a second, so it is done once per machine and kept."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from berth_runner import packages
from berth_runner.config import Config

_LIST = "fontlist-*.json"
_PATIENCE_SECONDS = 60


def find_font_cache(config: Config) -> Path | None:
    """Return the folder with the list, or None while there is none."""
    for folder in (os.environ.get("MPLCONFIGDIR"), str(own_folder(config))):
        if folder and any(Path(folder).glob(_LIST)):
            return Path(folder)
    return None


def needs_font_cache(config: Config) -> bool:
    """Return whether matplotlib is there and its list of fonts is not."""
    return "matplotlib" in packages.installed(config.libraries) and find_font_cache(config) is None


def build_font_cache(config: Config) -> None:
    """Let a process of its own find the fonts."""
    folder = own_folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    environment = {"PATH": "/usr/bin:/bin", "MPLCONFIGDIR": str(folder), "XDG_CACHE_HOME": str(folder)}
    command = [sys.executable, "-I", "-c", "import matplotlib.font_manager"]
    subprocess.run(command, env=environment, timeout=_PATIENCE_SECONDS, check=False, stdin=subprocess.DEVNULL)


def own_folder(config: Config) -> Path:
    """Return the runner's own folder for the list, which it may write to and an image's may not be."""
    known = f"{packages.installed(('matplotlib',))} {sys.prefix}"
    return config.scratch / f"fonts-{sha256(known.encode()).hexdigest()[:12]}"
