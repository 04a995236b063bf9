"""Lays every part of the overlay over the emulator and returns the program to serve."""

from collections.abc import Callable
from typing import Any

from overlay import function_runs


def lay() -> Callable[..., Any]:
    """Change the emulator in place."""
    function_runs.lay()
    from ministack.app import app

    return app
