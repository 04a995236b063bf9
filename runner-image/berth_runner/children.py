"""Keeps fork servers and waiting children ready, hands them out, and puts them away after use."""

import asyncio
import itertools
import os
import time
from collections import deque
from contextlib import suppress
from typing import Any

from berth_runner import bubblewrap, fork_server, packages, scratch, sweep, tenant_files
from berth_runner.cgroups import Group, Groups, is_alive, start_time
from berth_runner.config import SHARED_FOLDERS, Config
from berth_runner.disk_usage import DiskUsage
from berth_runner.font_cache import build_font_cache, find_font_cache, needs_font_cache, own_folder
from berth_runner.fork_server import Child, ChildLostError, ForkServer
from berth_runner.levels import Choice
from berth_runner.namespaces import random_uid
from berth_runner.node_keeper import NODE_THREADS
from berth_runner.protocol import DEFAULT_LIMITS, Request
from berth_runner.tree import CACHE, SANDBOX

BARE, LIBRARIES, NODE = "bare", "libraries", "node"
_REAP_PATIENCE_SECONDS = 10.0


class Children:
    """All fork servers and children of one supervisor."""

    def __init__(self, config: Config, choice: Choice, groups: Groups | None) -> None:
        self.mounts_files = choice.level == "namespaces" and tenant_files.can_mount()
        self._config = config
        self._choice = choice
        self._groups = groups
        self._numbers = itertools.count(1)
        self._servers: dict[str, ForkServer] = {}
        self._owners: dict[int, ForkServer] = {}
        self._waiting: dict[str, deque[Child]] = {kind: deque() for kind in (BARE, LIBRARIES, NODE)}
        self._starting: asyncio.Task[None] | None = None
        self._recycling: asyncio.Task[None] | None = None
        self._is_closed = False
        self._entries: set[str] = set()
        self._signature: scratch.Signature = {}
        self._mark = f"{os.getpid()}-{start_time(os.getpid())}"

    def start(self) -> None:
        """Start the fork servers; they and their first children get ready behind."""
        self._config.scratch.mkdir(parents=True, exist_ok=True)
        self._remove_leftovers()
        if self._choice.level != "bubblewrap":
            self._begin(BARE)
            if self._config.libraries:
                self._starting = asyncio.get_running_loop().create_task(self._start_libraries())

    async def take(self, request: Request) -> Child:
        """Return a child that waits for its request; it is the caller's from now on. Raises ChildLostError."""
        kind = self._kind_of(request)
        if self._choice.level != "bubblewrap":
            # Without namespaces the list of fonts, while it is being written, would pass for the work of the run.
            if self._starting is not None and (kind == LIBRARIES or self._choice.level == "guard"):
                await asyncio.shield(self._starting)
            await asyncio.shield(self._server(kind).ready)
        child = self._pop(kind, request) or self._make(kind, request["limits"])
        try:
            await child.ready
        except ChildLostError:
            self._discard(child)
            raise
        if child.group is not None:
            child.group.limit(request["limits"]["memoryMiB"], _processes(kind, request["limits"]))
        return child

    async def put_away(self, child: Child) -> bool:
        """End and reap a child. False when it cannot be proven that nothing of its run is left."""
        self._recycle_when_due()
        self._refill()
        server = self._owners.get(child.number)
        child.kill()
        clean = True
        if child.folder is not None and server is not None:
            clean = await server.sweep(child.number, self._protected())
        with suppress(ChildLostError, TimeoutError):
            await asyncio.wait_for(asyncio.shield(child.ended), _REAP_PATIENCE_SECONDS)
        self._discard(child)
        if child.folder is not None:
            clean = scratch.remove_folder(child.folder) and clean
            clean = scratch.remove_new(self._shared_folders(child), self._entries, child.uid or os.getuid()) and clean
            if child.uid is None:
                # The code was the same user as we are, so the folder above its own was open to it too.
                clean = scratch.restore(self._config.scratch, self._signature) and clean
        return clean

    async def recycle(self) -> None:
        """Start new fork servers, swap them in when they are warm, and let the old ones end with their last run."""
        if self._choice.level == "bubblewrap":
            return
        if self._recycling is None or self._recycling.done():
            self._recycling = asyncio.get_running_loop().create_task(self._replace_servers())
        await asyncio.shield(self._recycling)

    async def close(self) -> None:
        """End everything."""
        self._is_closed = True
        for task in (self._starting, self._recycling):
            if task is not None:
                task.cancel()
        for kind in self._waiting:
            self._drop_waiting(kind)
        for server in self._servers.values():
            await server.close()

    def _remove_leftovers(self) -> None:
        """Remove the folders of runs whose supervisor was killed."""
        for folder in self._config.scratch.glob("run-*-*-*"):
            _, pid, started, _ = folder.name.split("-")
            if not is_alive(int(pid), started):
                scratch.remove_folder(folder)

    async def _start_libraries(self) -> None:
        if needs_font_cache(self._config):
            await asyncio.to_thread(build_font_cache, self._config)
        self._begin(LIBRARIES)

    def _begin(self, kind: str) -> None:
        self._servers[kind] = self._spawn(kind)
        self._servers[kind].ready.add_done_callback(lambda _: self._refill())

    def _kind_of(self, request: Request) -> str:
        if request["language"] == "typescript":
            return NODE
        wants = self._config.libraries and packages.wants_libraries(request["code"])
        return LIBRARIES if wants else BARE

    def _server(self, kind: str) -> ForkServer:
        name = BARE if kind == NODE else kind
        if self._servers[name].is_dead:
            self._drop_waiting(kind)
            self._servers[name] = self._spawn(name)
        return self._servers[name]

    def _pop(self, kind: str, request: Request) -> Child | None:
        # Node's heap limit is on its command line: a waiting one serves only runs that want the same.
        if kind == NODE and request["limits"]["memoryMiB"] != DEFAULT_LIMITS["memoryMiB"]:
            return None
        waiting = self._waiting[kind]
        while waiting:
            child = waiting.popleft()
            if not child.ended.done():
                return child
            self._discard(child)
        return None

    def _refill(self) -> None:
        if self._choice.level != "namespaces" or self._is_closed:
            return
        wanted = {BARE: self._config.spares, LIBRARIES: self._config.spares, NODE: self._node_spares()}
        for kind, count in wanted.items():
            server = self._servers.get(BARE if kind == NODE else kind)
            if server is not None and server.ready.done() and not server.is_dead:
                while len(self._waiting[kind]) < count:
                    self._waiting[kind].append(self._make(kind, DEFAULT_LIMITS))

    def _node_spares(self) -> int:
        return self._config.node_spares if packages.node_version(self._config.node_path) is not None else 0

    def _drop_waiting(self, kind: str) -> None:
        waiting = self._waiting[kind]
        while waiting:
            child = waiting.popleft()
            child.kill()
            self._discard(child)

    def _discard(self, child: Child) -> None:
        """Close what we hold of a child that is dead or dying."""
        owner = self._owners.pop(child.number, None)
        if owner is not None:
            owner.release(child.number)
        child.close()
        if child.group is not None:
            _remove_group(child.group)

    def _recycle_when_due(self) -> None:
        for server in self._servers.values():
            is_old = time.monotonic() - server.started_at >= self._config.recycle_seconds
            if (server.forks >= self._config.recycle_runs or is_old) and not self._is_closed:
                task = asyncio.get_running_loop().create_task(self.recycle())
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
                return

    async def _replace_servers(self) -> None:
        for kind in list(self._servers):
            fresh = self._spawn(kind)
            try:
                await fresh.ready
            except ChildLostError:
                continue  # the old one goes on; the next run asks again
            old, self._servers[kind] = self._servers[kind], fresh
            for served in (BARE, NODE) if kind == BARE else (kind,):
                self._drop_waiting(served)
            old.retire()
        self._refill()

    def _spawn(self, kind: str) -> ForkServer:
        libraries = list(packages.installed(self._config.libraries)) if kind == LIBRARIES else []
        fonts = find_font_cache(self._config) if libraries else None
        settings = {
            "level": self._choice.level,
            "uidRange": self._choice.uid_range,
            "seccomp": self._choice.seccomp,
            "without": self._config.without,
            "libraries": libraries,
            "cacheDir": None if fonts is None else str(fonts),
            "paths": [*self._config.python_paths, *([self._config.node_path] if self._config.node_path else [])],
        }
        # matplotlib takes no folder that it may not write to: it gets a copy.
        return ForkServer(settings, self._environment(None if fonts is None else str(own_folder(self._config))))

    def _environment(self, cache: str | None = None) -> dict[str, str]:
        """Return the whole environment of every process below us: nothing of our own passes."""
        confined = self._choice.level != "guard"
        folder = SANDBOX if confined else str(self._config.scratch)
        caches = CACHE if confined else (cache or folder)
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": f"{folder}/work",
            "TMPDIR": f"{folder}/tmp",
            "OPENBLAS_NUM_THREADS": "1",
            # Each arena reserves 64 MiB of the address space that a run's limit counts: a dozen threads would fill it.
            "MALLOC_ARENA_MAX": "2",
            "MPLBACKEND": "Agg",
            "MPLCONFIGDIR": caches,
            "XDG_CACHE_HOME": caches,
        }

    def _make(self, kind: str, limits: dict[str, Any]) -> Child:
        number = next(self._numbers)
        pipes = fork_server.open_pipes()
        group = self._groups.create(limits["memoryMiB"], _processes(kind, limits)) if self._groups else None
        child = fork_server.child_of(number, pipes, group)
        order: dict[str, Any] = {
            "language": "typescript" if kind == NODE else "python",
            "limits": limits,
            "node": self._config.node_path,
            "protected": [],
            "isCounted": group is not None,
            "seccomp": self._choice.seccomp,
        }
        if self._choice.level == "bubblewrap":
            bubblewrap.spawn(self._config, child, pipes, order | {"environment": self._environment()})
            return child
        server = self._server(kind)
        if self._choice.level == "guard":
            order |= self._make_folder(child, server)
        self._owners[number] = server
        server.fork(child, pipes, order)
        return child

    def _shared_folders(self, child: Child) -> tuple[str, ...]:
        if self._config.sweep_folders is not None:
            return self._config.sweep_folders
        return SHARED_FOLDERS if child.uid is not None else ()

    def _make_folder(self, child: Child, server: ForkServer) -> dict[str, Any]:
        child.folder = self._config.scratch / f"run-{self._mark}-{child.number}"
        child.uid = random_uid() if self._choice.own_users else None
        self._signature = scratch.sign(self._config.scratch)
        scratch.make_folder(child.folder, child.uid)
        child.disk = DiskUsage(child.folder, is_own_disk=self._config.enclosed)
        self._entries = scratch.list_entries(self._shared_folders(child))
        return {"folder": str(child.folder), "uid": child.uid, "protected": self._protected()}

    def _protected(self) -> list[int]:
        """Return the processes that no run may signal: ours, those above us, and the first of all."""
        ours = {1, os.getpid(), *(each.pid for each in self._servers.values())}
        return sorted(ours | set(sweep.ancestors(os.getpid())))


def _processes(kind: str, limits: dict[str, Any]) -> int:
    # Its own threads, and its keeper.
    extra = NODE_THREADS + 1 if kind == NODE else 0
    count: int = limits["maxProcesses"]
    return count + extra


def _remove_group(group: Group) -> None:
    """Remove a run's group; the kernel needs a moment after the last process has ended."""
    if not group.remove():
        asyncio.get_running_loop().call_later(0.05, _remove_group, group)
