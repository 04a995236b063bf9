"""The supervisor's half of a fork server: starts it, asks for children, hears how they end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from berth_runner import channel, namespaces
from berth_runner.cgroups import Group
from berth_runner.disk_usage import DiskUsage

PACKAGE_ROOT = str(Path(__file__).resolve().parent.parent)


_PATIENCE_SECONDS = 10.0


class ChildLostError(Exception):
    """A child ended, or its fork server did, before any code of a tenant had started."""


@dataclass(frozen=True)
class Exit:
    """How a child ended, by wait4 of its trusted parent."""

    status: int
    cpu_seconds: float
    peak_bytes: int


@dataclass
class Child:
    """One child, from the order to fork it until it is reaped. Used for one run at most."""

    number: int
    stdout: int
    stderr: int
    result: int
    control: socket.socket
    group: Group | None
    ready: asyncio.Future[None]
    ended: asyncio.Future[Exit]
    pidfd: int = -1
    outputs: int = -1
    pid: int = 0
    # The process that executes the code, when it is not the child itself (Node below its keeper).
    worker_pid: int = 0
    # Its folder and user where there is no sandbox that brings them.
    folder: Path | None = None
    uid: int | None = None
    disk: DiskUsage | None = None
    on_closed: list[Callable[[], None]] = field(default_factory=list)

    def kill(self) -> None:
        """End the child at once; in a pid namespace this ends everything in it."""
        if self.pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Close every descriptor of ours."""
        if self.control.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.control)
            self.control.close()
        for fd in (self.stdout, self.stderr, self.result, self.pidfd, self.outputs):
            if fd >= 0:
                os.close(fd)
        self.stdout = self.stderr = self.result = self.pidfd = self.outputs = -1
        for callback in self.on_closed:
            callback()


@dataclass
class Pipes:
    """Both ends of what connects a child with us; the child's ends are closed here once it has them."""

    ours: tuple[int, int, int]
    theirs: tuple[int, int, int]
    control: socket.socket
    their_control: socket.socket

    def close_theirs(self) -> None:
        """Close the child's ends, so that EOF can come."""
        for fd in self.theirs:
            os.close(fd)
        self.their_control.close()


def open_pipes() -> Pipes:
    """Make stdout, stderr, the result pipe and the channel of one child."""
    pairs = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
    ours = (pairs[0][0], pairs[1][0], pairs[2][0])
    for fd in ours:
        os.set_blocking(fd, False)
    control, their_control = channel.pair()
    control.setblocking(False)
    return Pipes(ours, (pairs[0][1], pairs[1][1], pairs[2][1]), control, their_control)


def child_of(number: int, pipes: Pipes, group: Group | None) -> Child:
    """Return our record of a child that is about to exist, and listen for its first word."""
    loop = asyncio.get_running_loop()
    child = Child(number, *pipes.ours, pipes.control, group, loop.create_future(), loop.create_future())
    loop.add_reader(pipes.control, _hear, child)
    return child


def _hear(child: Child) -> None:
    """Take the first message of a child: it waits, or it failed."""
    asyncio.get_running_loop().remove_reader(child.control)
    try:
        received = channel.receive(child.control)
    except OSError:
        received = None
    message, fds = received or ({"state": "failed", "detail": "the child ended before its sandbox stood"}, [])
    if child.group is not None:
        child.group.close_joins()
    if message["state"] != "waiting":
        lose(child, message["detail"])
        return
    child.pidfd, child.outputs = fds[:2]
    child.pid = child.worker_pid = _pid_of(child.pidfd)
    if len(fds) > 2:
        child.worker_pid = _pid_of(fds[2])
        os.close(fds[2])
    if not child.ready.done():
        child.ready.set_result(None)


def lose(child: Child, detail: str) -> None:
    """Mark a child that will never run anything."""
    if not child.ready.done():
        child.ready.set_exception(ChildLostError(detail))
        child.ready.exception()  # nobody may be waiting for a spare: then asyncio must not complain
    if not child.ended.done():
        child.ended.set_exception(ChildLostError(detail))
        child.ended.exception()


def _pid_of(pidfd: int) -> int:
    """Return the pid in our own numbering; the child knows only its number inside its namespace."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    return 0


class ForkServer:
    """One fork server process."""

    def __init__(self, config: dict[str, Any], environment: dict[str, str]) -> None:
        self.ready: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self.forks = 0
        self.started_at = time.monotonic()
        self.children: dict[int, Child] = {}
        self.is_retired = False
        self.is_dead = False
        self.pid = 0
        self._config = config
        self._sweeps: dict[int, asyncio.Future[bool]] = {}
        self._control, theirs = channel.pair()
        config = {**config, "controlFd": theirs.fileno()}
        code = "import sys; sys.path.append(sys.argv[1]); from berth_runner.zygote import main; main(sys.argv[2])"
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", "-c", code, PACKAGE_ROOT, json.dumps(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env=environment,
            cwd="/",
        )
        theirs.close()
        # Until it is ready; then its own word tells the process that serves.
        self.pid = self._process.pid
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._control.setblocking(False)
        asyncio.get_running_loop().add_reader(self._control, self._hear)

    def fork(self, child: Child, pipes: Pipes, order: dict[str, Any]) -> None:
        """Ask for a child; `child.ready` tells when it waits for a request."""
        self.forks += 1
        self.children[child.number] = child
        fds = [*pipes.theirs, pipes.their_control.fileno(), *(child.group.join_fds if child.group else [])]
        try:
            channel.send(self._control, {"do": "fork", "run": child.number, **order}, fds)
        except OSError as error:
            lose(child, f"the fork server does not answer: {error}")
        finally:
            pipes.close_theirs()

    async def sweep(self, number: int, protected: list[int]) -> bool:
        """Let the server end everything below it; False when it cannot prove that nothing is left."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._sweeps[number] = done
        try:
            channel.send(self._control, {"do": "sweep", "run": number, "protected": protected})
        except OSError:
            return False
        return await done

    def retire(self) -> None:
        """End as soon as the last child is put away."""
        self.is_retired = True
        if not self.children and not self.is_dead:
            self._die()

    def release(self, number: int) -> None:
        """Forget a child that is put away."""
        self.children.pop(number, None)
        if self.is_retired:
            self.retire()

    async def close(self) -> None:
        """Close the channel: the server ends itself and all its children. Return when it is gone."""
        if not self.is_dead:
            self._die()
        await asyncio.wait([self._gone], timeout=_PATIENCE_SECONDS)

    def _hear(self) -> None:
        while not self.is_dead:
            try:
                received = channel.receive(self._control)
            except BlockingIOError:
                return
            except OSError:
                received = None
            if received is None:
                self._die()
                return
            self._obey(*received)

    def _obey(self, message: dict[str, Any], fds: list[int]) -> None:
        state = message["state"]
        if state == "map-me":
            self._map_users()
        elif state == "ready":
            self._watch(fds[0])
            self.ready.set_result(message["packages"])
        elif state == "swept":
            self._sweeps.pop(message["run"]).set_result(message["clean"])
        else:
            self._hear_child(state, message)

    def _hear_child(self, state: str, message: dict[str, Any]) -> None:
        child = self.children.get(message["run"])
        if child is None:
            return  # one that waited in vain and is put away already
        if state == "fork-failed":
            asyncio.get_running_loop().remove_reader(child.control)
            lose(child, message["detail"])
        elif not child.ended.done():
            child.ended.set_result(Exit(message["status"], message["cpu"], message["peak"]))

    def _map_users(self) -> None:
        namespaces.map_range(self.pid)
        channel.send(self._control, {"do": "go"})

    def _watch(self, pidfd: int) -> None:
        """Reap the process that serves: where it has namespaces, it is the orphan of the one that was started."""
        loop = asyncio.get_running_loop()
        self.pid = _pid_of(pidfd)
        self._process.poll()

        def on_exit() -> None:
            loop.remove_reader(pidfd)
            with suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
            os.close(pidfd)
            self._process.poll()
            self._gone.set_result(None)

        loop.add_reader(pidfd, on_exit)

    def _die(self) -> None:
        self.is_dead = True
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        if not self.ready.done():
            self.ready.set_exception(ChildLostError("the fork server ended while it started"))
            self.ready.exception()
            self._process.kill()
            self._process.wait()
            self._gone.set_result(None)
        for child in self.children.values():
            lose(child, "the fork server ended")
        for done in self._sweeps.values():
            done.set_result(False)
        self.children = {}
        self._sweeps = {}
