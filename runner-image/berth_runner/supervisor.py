"""The supervisor: takes requests, finds each a fresh child, and answers. It alone may be trusted with a reply."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from berth_runner import cgroups, levels, linux, namespaces, packages, protocol
from berth_runner.capture import Capture, OnOutput
from berth_runner.children import Children
from berth_runner.config import Config
from berth_runner.fork_server import Child, ChildLostError
from berth_runner.limit_proof import blame_limit
from berth_runner.outcome import judge, outcome
from berth_runner.outputs import collect
from berth_runner.protocol import Refusal, check_request, milliseconds, refusal
from berth_runner.result_frame import Result
from berth_runner.running import Ending, Running
from berth_runner.s3_files import FilesTooLargeError
from berth_runner.tenant_files import Delivery, Means, deliver

_TRIES = 3


class Supervisor:
    """Executes runs on this machine; one object per process."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        # Set when this process must not be used again: an older runner than the fence, or one not proven clean.
        self.must_exit = False
        self.level = ""
        self.warnings: list[str] = []
        self._running: dict[str, Running | None] = {}
        self._canceled: set[str] = set()
        self._behind: set[asyncio.Task[None]] = set()
        self._children: Children | None = None
        self._gate = asyncio.Semaphore(1)
        self._groups: cgroups.Groups | None = None

    async def start(self) -> None:
        """Choose the level and start the fork servers. They warm up behind; runs that need them wait."""
        if os.geteuid() != 0 and "own-mounts" not in self.config.without:
            _enter_own_mounts()
        with suppress(OSError):
            linux.prctl(linux.PR_SET_DUMPABLE, int("dumpable" in self.config.without))
            linux.prctl(linux.PR_SET_CHILD_SUBREAPER, int("prctl" not in self.config.without))
        choice = levels.choose(self.config)
        self.level, self.warnings = choice.level, choice.warnings
        self._groups = cgroups.open_groups() if "cgroup" not in self.config.without else None
        self._children = Children(self.config, choice, self._groups)
        # Without namespaces two runs at once could not be told apart when what they left behind is swept.
        self._gate = asyncio.Semaphore(self.max_concurrency)
        self._children.start()

    @property
    def max_concurrency(self) -> int:
        """Return how many runs execute at once."""
        return 1 if self.level == "guard" else self.config.max_concurrency

    def describe(self) -> dict[str, Any]:
        """Return what the first frame says about this runner."""
        return {
            "protocol": protocol.PROTOCOL,
            "runner": self._runner(),
            "languages": packages.languages(self.config),
            "capabilities": {
                "cgroup": self._groups.version if self._groups else None,
                "maxConcurrency": self.max_concurrency,
            },
            "warnings": self.warnings,
        }

    async def execute(
        self,
        request: object,
        on_output: OnOutput | None = None,
        on_start: Callable[[], None] | None = None,
    ) -> dict[str, Any]:
        """Run one request and return the reply or the refusal."""
        run_id = request.get("runId") if isinstance(request, dict) else None
        try:
            checked = check_request(request)
            if run_id in self._running:
                raise Refusal("malformed_request", f"runId: expected a new one, got {run_id!r}, which is running")
            self._check_language(checked["language"])
            self._running[checked["runId"]] = None
        except Refusal as why:
            self.must_exit = self.must_exit or why.code == "runner_outdated"
            return refusal(run_id, why.code, why.detail)
        try:
            async with self._gate:
                return await self._execute(checked, on_output, on_start)
        except Refusal as why:
            return refusal(run_id, why.code, why.detail)
        finally:
            self._running.pop(checked["runId"], None)
            self._canceled.discard(checked["runId"])

    async def cancel(self, run_id: str) -> bool:
        """End a run; its `execute` answers `canceled` with what was captured. False when there is no such run."""
        if run_id not in self._running:
            return False
        running = self._running[run_id]
        if running is None:
            self._canceled.add(run_id)
        else:
            running.end("canceled")
        return True

    async def recycle(self) -> None:
        """Replace the fork servers by new ones, which have another address layout and hash seed."""
        await self._started_children().recycle()

    async def settle(self) -> None:
        """Wait until everything behind the answers is done: children reaped, folders emptied."""
        while self._behind:
            await asyncio.wait(self._behind)

    async def close(self) -> None:
        """End every run and every process of ours."""
        for running in self._running.values():
            if running is not None:
                running.end("canceled")
        await self.settle()
        if self._children is not None:
            await self._children.close()
        if self._groups is not None:
            self._groups.close()

    async def _execute(
        self, request: protocol.Request, on_output: OnOutput | None, on_start: Callable[[], None] | None
    ) -> dict[str, Any]:
        means = Means(self._started_children().mounts_files, self.config.scratch)
        try:
            delivery = await deliver(request, means)
        except FilesTooLargeError as error:
            return self._reply_of_none(request, str(error))
        try:
            for attempt in range(_TRIES):
                try:
                    return await self._try(request, delivery, on_output, on_start)
                except ChildLostError as error:
                    if attempt == _TRIES - 1:
                        raise Refusal("runner_failed", str(error)) from error
        finally:
            delivery.close()
        raise AssertionError("the loop returns or raises")

    async def _try(
        self,
        request: protocol.Request,
        delivery: Delivery,
        on_output: OnOutput | None,
        on_start: Callable[[], None] | None,
    ) -> dict[str, Any]:
        began = time.monotonic()
        child = await self._started_children().take(request)
        waited = time.monotonic() - began
        running = Running(child, request["limits"], on_output)
        self._running[request["runId"]] = running
        if request["runId"] in self._canceled:
            running.end("canceled")
        memory = _memory_file(request)
        try:
            if on_start is not None:
                on_start()
            ending = await running.run({"files": delivery.files}, [memory, *delivery.fds])
            if not ending.is_started and ending.reason == "exit":
                raise ChildLostError(ending.detail or "the child ended before the code started")
            return await self._reply(request, child, running, (ending, waited))
        finally:
            os.close(memory)
            await self._clear(child)

    async def _clear(self, child: Child) -> None:
        task = asyncio.get_running_loop().create_task(self._put_away(child))
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)
        if self.level == "guard":
            await asyncio.wait([task])

    async def _put_away(self, child: Child) -> None:
        clean = False
        try:
            clean = await self._started_children().put_away(child)
        finally:
            self.must_exit = self.must_exit or not clean

    def _check_language(self, language: str) -> None:
        if language == "typescript" and packages.node_version(self.config.node_path) is None:
            raise Refusal(
                "malformed_request", "language: expected python, for this machine has no Node 24; got typescript"
            )

    def _started_children(self) -> Children:
        if self._children is None:
            raise RuntimeError("start() was not called")
        return self._children

    async def _reply(
        self, request: protocol.Request, child: Child, running: Running, measured: tuple[Ending, float]
    ) -> dict[str, Any]:
        ending, waited = measured
        verdict, result = judge(ending, request["limits"], str(running.capture.logs()["stderr"]))
        tmpfs = child.outputs if child.folder is None else None
        verdict = blame_limit(verdict, request["limits"], child.group, tmpfs)
        artifacts, problem, left_out = await _collect(request, child)
        if problem is not None and verdict["status"] == "succeeded":
            verdict = {"status": "failed", "code": problem, "detail": left_out}
        elif left_out:
            verdict = {**verdict, "detail": "; ".join(filter(None, [verdict["detail"], left_out]))}
        exec_ms = milliseconds(ending.exec_seconds)
        return {
            "protocol": protocol.PROTOCOL,
            "kind": "reply",
            "runId": request["runId"],
            "outcome": verdict,
            "results": result.results if result else [],
            "logs": running.capture.logs(),
            "error": _error_of(result),
            "artifacts": artifacts,
            "usage": {
                "wallMs": exec_ms,
                "cpuMs": milliseconds(ending.cpu_seconds),
                "peakMemoryMiB": round(ending.peak_bytes / (1024 * 1024), 3),
            },
            "timings": {"coldStartMs": milliseconds(waited), "execMs": exec_ms},
            "runner": self._runner(),
        }

    def _reply_of_none(self, request: protocol.Request, detail: str) -> dict[str, Any]:
        """Return the reply of a run that its limit keeps from starting: the caller can do something about it."""
        return {
            "protocol": protocol.PROTOCOL,
            "kind": "reply",
            "runId": request["runId"],
            "outcome": outcome("failed", "disk_limit", detail),
            "results": [],
            "logs": Capture(0, None).logs(),
            "error": None,
            "artifacts": [],
            "usage": {"wallMs": 0, "cpuMs": 0, "peakMemoryMiB": 0},
            "timings": {"coldStartMs": 0, "execMs": 0},
            "runner": self._runner(),
        }

    def _runner(self) -> dict[str, Any]:
        return {"version": protocol.VERSION, "image": protocol.IMAGE, "level": self.level}


def _enter_own_mounts() -> None:
    """Become able to make detached mounts of tenants' files without root. Where it fails, files are copied."""
    uid, gid = os.getuid(), os.getgid()
    with suppress(OSError):
        linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
        namespaces.map_one_user(uid, gid, inside=None)


def _error_of(result: Result | None) -> dict[str, Any] | None:
    return result.error if result else None


async def _collect(request: protocol.Request, child: Child) -> tuple[list[dict[str, Any]], str | None, str]:
    # Where no namespaces are, the code can take the rights to the folder from us too; `collect` then says so.
    with suppress(OSError), os.scandir(f"/proc/self/fd/{child.outputs}") as entries:
        if next(entries, None) is None:
            return [], None, ""
    # Storing them takes long enough to hold up other runs.
    try:
        return await asyncio.to_thread(collect, child.outputs, request["prefix"], request["limits"])
    except OSError as error:
        # The code has run, so this is no refusal: the answer says what is missing.
        return [], "runner_failed", f"the files under outputs/ could not be kept: {error}"


def _memory_file(request: protocol.Request) -> int:
    """Put the request where the child reads it at its leisure: it may be larger than any socket takes at once."""
    fd = os.memfd_create("request", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(json.dumps(request).encode())
    return fd
