"""The life of one child, from the fork to the tenant's code. Everything before `_start` is trusted, nothing after."""

import os
import socket
import sys
import tempfile
from typing import Any, NoReturn

from berth_runner import channel, handover, linux, node_keeper, sandbox
from berth_runner.handover import FAILED, REQUEST_FD, RESULT_FD
from berth_runner.sandbox import Place, Plan
from berth_runner.tree import SANDBOX

# Where the channel lies while it is needed.
_CHANNEL_FD = 5
# Above every descriptor that a fresh child can hold.
_PARKING_FD = 100


def enter(plan: Plan, message: dict[str, Any], fds: list[int]) -> NoReturn:
    """Be the child: never return into the fork server's loop."""
    try:
        sandbox.forget()
        # A signal to one's own group passes the walls of pid namespaces: all children of a fork server would share one.
        if os.getsid(0) != os.getpid():
            os.setsid()
        for group in fds[4:]:
            os.write(group, b"0")
        _arrange(fds[:4])
        with socket.socket(fileno=_CHANNEL_FD) as end:
            try:
                _live(plan, message, end)
            except Exception as error:
                channel.send(end, {"state": "failed", "detail": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(FAILED)


def _arrange(fds: list[int]) -> None:
    """Put the pipes at 1, 2, 3 and the channel at 5, and close everything else but /dev/null at 0 and 4."""
    parked = [os.dup2(fd, _PARKING_FD + index) for index, fd in enumerate(fds)]
    for target, fd in zip((1, 2, RESULT_FD, _CHANNEL_FD), parked, strict=True):
        os.dup2(fd, target, inheritable=target != _CHANNEL_FD)
    os.dup2(0, REQUEST_FD)
    linux.close_range(_CHANNEL_FD + 1)


def _live(plan: Plan, message: dict[str, Any], end: socket.socket) -> None:
    is_node = message["language"] == "typescript"
    place = (
        sandbox.build(plan, message["limits"]["maxDiskBytes"], message["run"])
        if plan.has_namespaces
        else _settle(message)
    )
    if is_node and plan.has_namespaces:
        node_keeper.keep(plan, message, place, end)
    handover.announce(end, [])
    request = handover.await_request(plan, message, end)
    if is_node:
        handover.start_clock(end)
        node_keeper.become_node(plan, message, place, request)
    # Where a control group counts memory, this limit only makes a huge allocation fail cleanly.
    is_counted = message["isCounted"]
    sandbox.become(plan, place.uid)
    sandbox.set_limits(request["limits"], address_factor=2 if is_counted else 1, is_counted=is_counted)
    handover.start_clock(end)
    end.close()
    sandbox.lock(plan, tuple(message["protected"]))
    _start(request)


def _settle(message: dict[str, Any]) -> Place:
    """Move into the folder that was made for this run, by bubblewrap or by the supervisor."""
    folder = message.get("folder", SANDBOX)
    os.chdir(f"{folder}/work")
    os.environ.update(HOME=f"{folder}/work", TMPDIR=f"{folder}/tmp")
    tempfile.tempdir = None
    return Place(f"{folder}/work", message.get("uid"))


def _start(request: dict[str, Any]) -> NoReturn:
    # Loaded by the fork server's warm-up; the import costs nothing here and keeps this file free of it elsewhere.
    run = sys.modules["berth_runner.child.python"].run
    run(request, RESULT_FD)
    os._exit(0)
