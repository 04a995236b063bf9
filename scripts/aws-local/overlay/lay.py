"""Lays every part of the overlay over the emulator and returns the program to serve."""

from overlay import (
    function_runs,
    functions,
    limits,
    policy_variables,
    quotas,
    roles,
    simulation,
    sleeping,
    stack_requests,
    stacks,
)
from overlay.control import Asgi, controlled

PARTS = (
    policy_variables,
    roles,
    simulation,
    functions,
    function_runs,
    sleeping,
    stacks,
    stack_requests,
    quotas,
    limits,
)


def lay() -> Asgi:
    """Change the emulator in place."""
    for part in PARTS:
        part.lay()
    # It imports the services that the parts have changed.
    from ministack.app import app  # noqa: PLC0415

    return controlled(app)
