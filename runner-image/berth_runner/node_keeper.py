"""Pid 1 of a Node sandbox: trusted, another user than Node, it waits for the request while Node warms up."""

import json
import os
import socket
import struct
from typing import Any, NoReturn

from berth_runner import channel, handover, linux, sandbox
from berth_runner.child.node_launch import node_argv
from berth_runner.sandbox import Place, Plan

# Threads that Node starts for itself: they count as processes.
NODE_THREADS = 24
_ENVIRONMENT = ("PATH", "LANG", "HOME", "TMPDIR")


def keep(plan: Plan, message: dict[str, Any], place: Place, end: socket.socket) -> NoReturn:
    """Start Node, hand it the request when that comes, and tell how it ended."""
    request_read, request_write = os.pipe2(os.O_CLOEXEC)
    node = os.fork()
    if node == 0:
        _become_waiting_node(plan, message, place, request_read)
    os.close(request_read)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    for fd in (1, 2, handover.RESULT_FD):
        os.dup2(0, fd)
    pidfd = os.pidfd_open(node)
    handover.announce(end, [pidfd])
    os.close(pidfd)
    request = handover.await_request(plan, message, end)
    handover.start_clock(end)
    _forward(request, request_write)
    channel.send(end, {"state": "worker-ended", "status": _wait_for(node)})
    os._exit(0)


def become_node(plan: Plan, message: dict[str, Any], place: Place, request: dict[str, Any]) -> NoReturn:
    """Become Node with its request waiting: where no keeper can stand between it and other runs."""
    memory = os.memfd_create("request", 0)
    with os.fdopen(os.dup(memory), "wb") as file:
        file.write(_frame(request))
    os.lseek(memory, 0, os.SEEK_SET)
    _become_node(plan, message | {"limits": request["limits"]}, place, memory)


def _become_waiting_node(plan: Plan, message: dict[str, Any], place: Place, request_fd: int) -> NoReturn:
    try:
        _become_node(plan, message, place, request_fd)
    finally:
        os._exit(handover.FAILED)


def _become_node(plan: Plan, message: dict[str, Any], place: Place, request_fd: int) -> NoReturn:
    os.dup2(request_fd, handover.REQUEST_FD)
    limits = message["limits"]
    sandbox.become(plan, place.uid)
    # V8 reserves tens of gigabytes of address space; its heap limit and the control group hold it instead.
    sandbox.set_limits(limits, address_factor=0, is_counted=message["isCounted"], extra_processes=NODE_THREADS)
    sandbox.lock(plan, tuple(message["protected"]))
    arguments = node_argv(limits, message["node"])
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    os.execve(arguments[0], arguments, environment)


def _forward(request: dict[str, Any], fd: int) -> None:
    try:
        left = memoryview(_frame(request))
        while left:
            left = left[os.write(fd, left) :]
    except BrokenPipeError:
        pass  # Node is gone already; how it ended is told below
    finally:
        os.close(fd)


def _frame(request: dict[str, Any]) -> bytes:
    body = json.dumps(request).encode()
    return struct.pack(">I", len(body)) + body


def _wait_for(node: int) -> int:
    """Reap whatever ends in the sandbox until it is Node."""
    while True:
        pid, status = os.wait()
        if pid == node:
            return status
