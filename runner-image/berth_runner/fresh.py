"""Entry of a fresh interpreter inside bubblewrap: the same child as a forked one, without a fork server before it."""

import json
from importlib import import_module

from berth_runner import child_process
from berth_runner.sandbox import Plan
from berth_runner.warm_up import make_streams


def main(text: str) -> None:
    """Be the child that the message describes."""
    make_streams()
    message = json.loads(text)
    order = message["order"]
    import_module("berth_runner.child.python")
    child_process.enter(Plan("bubblewrap", False, order["seccomp"]), order, message["fds"])
