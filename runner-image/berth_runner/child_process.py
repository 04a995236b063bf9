"""The life of one child, from the fork to the tenant's code. Everything before `_start` is trusted, nothing after."""

import json
import os
import resource
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from berth_runner import channel, linux, sandbox
from berth_runner.sandbox import Place, Plan

RESULT_FD, REQUEST_FD = 3, 4
# Where the channel lies while it is needed; Node must find its request at REQUEST_FD.
_CHANNEL_FD = 5
_FAILED = 70
# Threads that Node starts for itself: they count as processes.
_NODE_THREADS = 24


def enter(plan: Plan, message: dict[str, Any], fds: list[int]) -> NoReturn:
    """Be the child: never return into the fork server's loop."""
    try:
        sandbox.forget()
        joins = fds[4:]
        for group in joins:
            os.write(group, b"0")
        _arrange(fds[:4])
        with socket.socket(fileno=_CHANNEL_FD) as end:
            _live(plan, message, end)
    except BaseException as error:  # noqa: BLE001
        _tell_failure(error)
    finally:
        os._exit(_FAILED)


def _arrange(fds: list[int]) -> None:
    """Put the pipes at 1, 2, 3 and the channel at 5, and close everything else but /dev/null at 0."""
    high = [os.dup2(fd, 100 + index) for index, fd in enumerate(fds)]
    for target, fd in zip((1, 2, RESULT_FD, _CHANNEL_FD), high, strict=True):
        os.dup2(fd, target, inheritable=target != _CHANNEL_FD)
    os.dup2(0, REQUEST_FD)
    linux.close_range(_CHANNEL_FD + 1)


def _tell_failure(error: BaseException) -> None:
    try:
        end = socket.socket(fileno=_CHANNEL_FD)
        channel.send(end, {"state": "failed", "detail": f"{type(error).__name__}: {error}"})
    except OSError:
        os._exit(_FAILED)


def _live(plan: Plan, message: dict[str, Any], end: socket.socket) -> None:
    if plan.level == "namespaces":
        place = sandbox.build(plan, message["diskBytes"])
    else:
        os.setsid()
        os.chdir(message["work"])
        place = Place(message["work"], message.get("uid"))
    if message["language"] == "typescript" and plan.level == "namespaces":
        from berth_runner import node_keeper

        node_keeper.keep(plan, message, place, end)
    _announce(end, [])
    request = _await_request(plan, message, end)
    if message["language"] == "typescript":
        _become_node(plan, message, place, request)
    sandbox.set_limits(request["limits"], address_space=True)
    sandbox.become(place.uid)
    _start_clock(end)
    end.close()
    sandbox.lock(plan, tuple(message["protected"]))
    _start(request)


def _announce(end: socket.socket, more_fds: list[int]) -> None:
    pidfd = os.pidfd_open(os.getpid())
    outputs = os.open("outputs", os.O_PATH | os.O_DIRECTORY)
    channel.send(end, {"state": "waiting"}, [pidfd, outputs, *more_fds])
    os.close(pidfd)
    os.close(outputs)


def _await_request(plan: Plan, message: dict[str, Any], end: socket.socket) -> dict[str, Any]:
    received = channel.receive(end)
    if received is None:
        os._exit(0)
    order, fds = received
    sandbox.deliver_files(order["files"], fds[1:])
    with os.fdopen(fds[0], "rb") as memory:
        memory.seek(0)
        request: dict[str, Any] = json.loads(memory.read())
    disk_bytes = request["limits"]["maxDiskBytes"]
    if plan.level == "namespaces" and disk_bytes != message["diskBytes"]:
        sandbox.resize(disk_bytes)
    return request


def _start_clock(end: socket.socket) -> None:
    channel.send(end, {"state": "started", "at": time.monotonic()})


def _start(request: dict[str, Any]) -> NoReturn:
    from berth_runner.child import python

    python.run(request, RESULT_FD)
    os._exit(0)
