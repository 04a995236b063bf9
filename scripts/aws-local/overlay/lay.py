"""Lays every part of the overlay over the emulator and returns the program to serve."""

from overlay import function_runs, functions, limits, policy_variables, roles, sleeping, stack_requests, stacks
from overlay.control import Asgi, controlled

PARTS = (policy_variables, roles, functions, function_runs, sleeping, stacks, stack_requests, limits)


def lay() -> Asgi:
    """Change the emulator in place."""
    for part in PARTS:
        part.lay()
    from ministack.app import app

    return controlled(app)
