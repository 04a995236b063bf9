"""Finds out, by trying, how well this machine can confine a run."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field

from berth_runner import linux, seccomp
from berth_runner.config import Config

LEVELS = ("namespaces", "bubblewrap", "guard")


@dataclass(frozen=True)
class Choice:
    """The level in use and what goes with it."""

    level: str
    # The fork server may have a range of users of its own.
    uid_range: bool
    seccomp: bool
    warnings: list[str] = field(default_factory=list)


def choose(config: Config) -> Choice:
    """Return the choice (first version: trusts the wanted level)."""
    return Choice(config.level or "namespaces", os.geteuid() == 0, True)


class NoLevelError(RuntimeError):
    """No level works here; the text names the remedy."""
