"""What a trusted child says to the supervisor before it lets code of a tenant in, and what it gets from it."""

import json
import os
import socket
import time
from typing import Any

from berth_runner import channel, sandbox
from berth_runner.sandbox import Plan

RESULT_FD = 3
REQUEST_FD = 4
FAILED = 70


def announce(end: socket.socket, more_fds: list[int]) -> None:
    """Say that the sandbox stands, and hand over what the supervisor watches it by."""
    pidfd = os.pidfd_open(os.getpid())
    outputs = os.open("outputs", os.O_PATH | os.O_DIRECTORY)
    channel.send(end, {"state": "waiting"}, [pidfd, outputs, *more_fds])
    os.close(pidfd)
    os.close(outputs)


def await_request(plan: Plan, message: dict[str, Any], end: socket.socket) -> dict[str, Any]:
    """Wait for the request and put its files in place."""
    received = channel.receive(end)
    if received is None:
        os._exit(0)
    order, fds = received
    sandbox.deliver_files(order["files"], fds[1:])
    with os.fdopen(fds[0], "rb") as memory:
        memory.seek(0)
        request: dict[str, Any] = json.loads(memory.read())
    disk_bytes = request["limits"]["maxDiskBytes"]
    if plan.level == "namespaces" and disk_bytes != message["limits"]["maxDiskBytes"]:
        sandbox.resize(disk_bytes)
    return request


def start_clock(end: socket.socket) -> None:
    """Say when the code starts; the deadline counts from here."""
    channel.send(end, {"state": "started", "at": time.monotonic()})
