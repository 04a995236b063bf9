"""Keeps fork servers and waiting children ready, hands them out, and puts them away after use."""

import asyncio
import itertools
import os
import shutil
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from berth_runner import fork_server, packages, tenant_files
from berth_runner.cgroups import Groups
from berth_runner.config import Config
from berth_runner.fork_server import Child, ChildLostError, ForkServer
from berth_runner.levels import Choice
from berth_runner.protocol import DEFAULT_LIMITS, Request
from berth_runner.tree import CACHE

_TRIES = 3
_BARE, _LIBRARIES, _NODE = "bare", "libraries", "node"


class Children:
    """All fork servers and children of one supervisor."""

    def __init__(self, config: Config, choice: Choice, groups: Groups | None) -> None:
        self._config = config
        self._choice = choice
        self._groups = groups
        self._numbers = itertools.count(1)
        self._servers: dict[str, ForkServer] = {}
        self._waiting: dict[str, deque[tuple[ForkServer, Child]]] = {_BARE: deque(), _LIBRARIES: deque(), _NODE: deque()}
        self._owner: dict[int, ForkServer] = {}
        self.mounts_files = choice.level == "namespaces" and tenant_files.can_mount()

    async def start(self) -> None:
        """Start the fork servers; they warm up behind."""
        self._config.scratch.mkdir(parents=True, exist_ok=True)
        for kind in (_BARE, _LIBRARIES):
            self._servers[kind] = self._spawn(kind)

    async def take(self, request: Request) -> Child:
        """Return a child that waits for its request; it is the caller's from now on."""
        kind = self._kind_of(request)
        await asyncio.shield(self._servers[_BARE if kind == _NODE else kind].ready)
        _, child = self._pop(kind) or self._fork(kind)
        await child.ready
        return child

    async def put_away(self, child: Child) -> bool:
        """End and reap a child. False when it cannot be proven that nothing of its run is left."""
        self._refill()
        child.kill()
        with suppress(ChildLostError):
            await child.ended
        child.close()
        if child.group is not None:
            child.group.remove()
        return True

    async def recycle(self) -> None:
        """Start new fork servers, then let go of the old ones."""

    async def close(self) -> None:
        """End everything."""
        for server in self._servers.values():
            server.close()

    def _kind_of(self, request: Request) -> str:
        if request["language"] == "typescript":
            return _NODE
        return _LIBRARIES if packages.wants_libraries(request["code"]) else _BARE

    def _pop(self, kind: str) -> tuple[ForkServer, Child] | None:
        waiting = self._waiting[kind]
        return waiting.popleft() if waiting else None

    def _refill(self) -> None:
        if self._choice.level != "namespaces":
            return
        for kind in (_BARE, _LIBRARIES):
            while len(self._waiting[kind]) < self._config.spares:
                self._waiting[kind].append(self._fork(kind))

    def _spawn(self, kind: str) -> ForkServer:
        libraries = list(packages.installed(self._config.libraries)) if kind == _LIBRARIES else []
        settings = {
            "level": self._choice.level,
            "uidRange": self._choice.uid_range,
            "seccomp": self._choice.seccomp,
            "without": self._config.without,
            "libraries": libraries,
            "cacheDir": None,
            "paths": [*self._config.python_paths, *([self._config.node_path] if self._config.node_path else [])],
        }
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": "/sandbox/work",
            "TMPDIR": "/sandbox/tmp",
            "OPENBLAS_NUM_THREADS": "1",
            "MPLBACKEND": "Agg",
            "MPLCONFIGDIR": CACHE,
            "XDG_CACHE_HOME": CACHE,
        }
        return ForkServer(settings, environment)

    def _fork(self, kind: str) -> tuple[ForkServer, Child]:
        server = self._servers[_BARE if kind == _NODE else kind]
        number = next(self._numbers)
        pipes = fork_server.open_pipes()
        group = self._groups.create(DEFAULT_LIMITS["memoryMiB"], DEFAULT_LIMITS["maxProcesses"]) if self._groups else None
        child = fork_server.child_of(number, pipes, group, None)
        order: dict[str, Any] = {
            "language": "typescript" if kind == _NODE else "python",
            "diskBytes": DEFAULT_LIMITS["maxDiskBytes"],
            "work": None,
            "protected": [],
        }
        server.fork(child, pipes, order)
        return server, child
