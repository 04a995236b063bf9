"""One run from the order to start until the supervisor knows how it ended."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from berth_runner import channel, usage
from berth_runner.capture import Capture, OnOutput
from berth_runner.fork_server import Child, ChildLostError, Exit
from berth_runner.result_frame import FrameReader

_CHUNK = 65_536
# How long the exit of a killed child may take before we answer without its status.
_EXIT_PATIENCE_SECONDS = 5.0
_MEMORY_PERIOD_SECONDS = 0.05
_DISK_PERIOD_SECONDS = 0.05
# Counting many files takes a while; it may take this part of our time.
_DISK_SHARE = 0.05
_SMALL_BYTES = 4096
_GATHER_SECONDS = 0.005


@dataclass
class Ending:
    """All that the supervisor knows about the end of a run, from its own sources."""

    # result: a whole frame is there; exit: the process ended; others: we ended it.
    reason: str
    body: bytes | None
    exit: Exit | None
    is_started: bool
    detail: str
    exec_seconds: float
    cpu_seconds: float
    peak_bytes: int
    oom_kills: int


class Running:
    """Feeds one child its request, collects what it says, ends it."""

    def __init__(self, child: Child, limits: dict[str, Any], on_output: OnOutput | None) -> None:
        self.capture = Capture(limits["maxOutputBytes"], on_output)
        self._child = child
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._frame = FrameReader(limits["maxResultBytes"])
        self._reason: asyncio.Future[str] = self._loop.create_future()
        self._timers: list[asyncio.TimerHandle] = []
        self._gathering: dict[str, asyncio.TimerHandle] = {}
        self._open: dict[str, int] = {"stdout": child.stdout, "stderr": child.stderr}
        self._started_at: float | None = None
        self._ordered_at = time.monotonic()
        self._cpu_before = 0.0
        self._failure = ""
        self._is_silent = False
        self._worker_status: int | None = None

    async def run(self, order: dict[str, Any], fds: list[int]) -> Ending:
        """Start the code and return when it has ended, one way or the other. The child may still have to be reaped."""
        try:
            channel.send(self._child.control, order, fds)
        except OSError as error:
            raise ChildLostError(f"the child does not take its request: {error}") from error
        self._cpu_before = usage.cpu_seconds(self._child.worker_pid) or 0.0
        self._ordered_at = time.monotonic()
        self._listen()
        try:
            reason = await self._reason
        finally:
            self._stop_listening()
        return await self._conclude(reason)

    def end(self, reason: str) -> None:
        """End the run from outside: `canceled`, `timeout` and the like. The first reason stays."""
        if not self._reason.done():
            self._reason.set_result(reason)

    def _listen(self) -> None:
        for stream, fd in self._open.items():
            self._loop.add_reader(fd, self._on_output_ready, stream, fd)
        self._loop.add_reader(self._child.result, self._on_result_ready)
        self._child.ended.add_done_callback(self._on_exit)
        self._later(self._limits["timeoutMs"] / 1000, self._on_deadline)
        if self._child.group is None:
            self._later(_MEMORY_PERIOD_SECONDS, self._check_memory)
        if self._child.disk is not None:
            self._later(_DISK_PERIOD_SECONDS, self._check_disk)

    def _later(self, seconds: float, callback: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(seconds, callback))

    def _stop_listening(self) -> None:
        for timer in [*self._timers, *self._gathering.values()]:
            timer.cancel()
        for fd in (self._child.stdout, self._child.stderr, self._child.result):
            self._loop.remove_reader(fd)
        self._child.ended.remove_done_callback(self._on_exit)

    def _on_output_ready(self, stream: str, fd: int) -> None:
        before = self.capture.taken_bytes
        if not self.capture.read(stream, fd):
            self._loop.remove_reader(fd)
        elif self.capture.taken_bytes - before < _SMALL_BYTES:
            # Code that writes byte by byte must not keep us busy byte by byte; the pipe gathers meanwhile.
            self._loop.remove_reader(fd)
            again = self._loop.call_later(_GATHER_SECONDS, self._loop.add_reader, fd, self._on_output_ready, stream, fd)
            self._gathering[stream] = again
        if self.capture.is_over:
            self.end("output_limit")

    def _on_result_ready(self) -> None:
        chunk = _read(self._child.result)
        if chunk is None:
            return
        self._frame.take(chunk)
        if not chunk:
            # Closed without a whole frame: the code may go on, and only its end or the deadline decides.
            self._loop.remove_reader(self._child.result)
        elif self._frame.is_too_large:
            self.end("result_too_large")
        elif self._frame.is_complete:
            self.end("result")

    def _on_exit(self, _: asyncio.Future[Exit]) -> None:
        while not self._frame.is_too_large and (chunk := _read(self._child.result)):
            self._frame.take(chunk)
        self.end("result" if self._frame.is_complete and not self._frame.is_too_large else "exit")

    def _on_deadline(self) -> None:
        self._hear_child()
        begun = self._started_at if self._started_at is not None else self._ordered_at
        left = begun + self._limits["timeoutMs"] / 1000 - time.monotonic()
        if left > 0:
            self._later(left, self._on_deadline)
        else:
            self.end("timeout")

    def _check_memory(self) -> None:
        # Files of a run are memory only where a tmpfs holds them.
        tmpfs = self._child.outputs if self._child.folder is None else None
        if usage.tree_bytes(self._child.pid, tmpfs) > self._limits["memoryMiB"] * 1024 * 1024:
            self.end("out_of_memory")
        else:
            self._later(_MEMORY_PERIOD_SECONDS, self._check_memory)

    def _check_disk(self) -> None:
        began = time.monotonic()
        if self._is_disk_over():
            self.end("disk_limit")
        else:
            spent = time.monotonic() - began
            self._later(max(_DISK_PERIOD_SECONDS, spent / _DISK_SHARE), self._check_disk)

    def _is_disk_over(self) -> bool:
        return self._child.disk is not None and self._child.disk.is_over(self._limits["maxDiskBytes"])

    def _hear_child(self) -> None:
        """Take what the trusted part of the child has said. Its end is closed before code of a tenant runs there."""
        while not self._is_silent:
            try:
                received = channel.receive(self._child.control)
            except BlockingIOError:
                return
            except OSError:
                received = None
            if received is None:
                self._is_silent = True
            else:
                self._note(received[0])

    def _note(self, message: channel.Message) -> None:
        if message["state"] == "started":
            self._started_at = message["at"]
        elif message["state"] == "worker-ended":
            self._worker_status = message["status"]
        else:
            self._failure = message["detail"]

    async def _conclude(self, reason: str) -> Ending:
        ended_at = time.monotonic()
        self._hear_child()
        self.capture.drain(self._open)
        if self.capture.is_over and reason == "result":
            reason = "output_limit"
        if reason == "result" and self._is_disk_over():
            reason = "disk_limit"
        peak, cpu = self._measure()
        if cpu is None or not peak:
            # The child has ended already, so what wait4 says about it is on its way.
            await self._wait_for_exit()
        self._child.kill()
        if reason != "result":
            await self._wait_for_exit()
            self.capture.drop_rest(self._open)
        self.capture.finish()
        exit_ = self._exit()
        return Ending(
            reason=reason,
            body=self._frame.body() if reason == "result" else None,
            exit=exit_,
            is_started=self._started_at is not None,
            detail=self._failure,
            exec_seconds=ended_at - (self._started_at or self._ordered_at),
            cpu_seconds=cpu if cpu is not None else (exit_.cpu_seconds if exit_ else 0.0),
            peak_bytes=peak or (exit_.peak_bytes if exit_ else 0),
            oom_kills=self._child.group.oom_kills() if self._child.group and reason != "result" else 0,
        )

    def _measure(self) -> tuple[int, float | None]:
        group = self._child.group
        peak = group.peak_bytes() if group is not None else usage.peak_bytes(self._child.worker_pid)
        cpu = usage.cpu_seconds(self._child.worker_pid)
        return peak, None if cpu is None else cpu - self._cpu_before

    async def _wait_for_exit(self) -> None:
        await asyncio.wait([self._child.ended], timeout=_EXIT_PATIENCE_SECONDS)

    def _exit(self) -> Exit | None:
        ended = self._child.ended
        if not ended.done() or ended.exception() is not None:
            return None
        exit_ = ended.result()
        return exit_ if self._worker_status is None else Exit(self._worker_status, exit_.cpu_seconds, exit_.peak_bytes)


def _read(fd: int) -> bytes | None:
    """Return what is there; None when nothing is, b"" at the end."""
    try:
        return os.read(fd, _CHUNK)
    except BlockingIOError:
        return None
