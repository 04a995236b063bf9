"""Runners of every kind that this machine can start, shared by all tests of a module."""

from collections.abc import Iterator
from typing import Any

import pytest
from runner_process import Runner, common_python, is_root, running

# Kinds of walls: the level, and whether the runner itself has any right.
KINDS: dict[str, dict[str, Any]] = {
    "namespaces": {"level": "namespaces"},
    "namespaces-unprivileged": {"level": "namespaces", "unprivileged": True},
    # As in Lambda: no rights, and no user namespace that would keep strangers' processes out of reach by itself.
    "guard": {"level": "guard", "unprivileged": True, "allow_unsafe": True, "without": ("own-mounts",)},
    # As where even prctl and seccomp are refused: then the sweep alone keeps runs apart in time.
    "bare": {
        "level": "guard",
        "unprivileged": True,
        "allow_unsafe": True,
        "without": ("own-mounts", "prctl", "seccomp"),
    },
}


def settings_of(kind: str) -> dict[str, Any]:
    if KINDS[kind].get("unprivileged") and is_root() and common_python() is None:
        pytest.skip("no Python here that a user without rights may start")
    return {**KINDS[kind], "libraries": (), "spares": 1, "node_spares": 0}


@pytest.fixture(scope="module", params=[kind for kind in KINDS if kind != "bare"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def runner(kind: str) -> Iterator[Runner]:
    """A runner with every protection."""
    with running(**settings_of(kind)) as started:
        yield started


@pytest.fixture(scope="module")
def unfiltered(kind: str) -> Iterator[Runner]:
    """The control: the same runner without the filter and open to tracing."""
    settings = settings_of(kind)
    missing = [*settings.pop("without", ()), "seccomp", "dumpable"]
    with running(**settings, without=missing) as started:
        yield started


@pytest.fixture(scope="module")
def walled() -> Iterator[Runner]:
    """A runner of the namespaces level."""
    with running(**settings_of("namespaces")) as started:
        yield started


@pytest.fixture(scope="module")
def walled_unprivileged() -> Iterator[Runner]:
    """A runner of the namespaces level where all runs share one user of the machine."""
    with running(**settings_of("namespaces-unprivileged")) as started:
        yield started


@pytest.fixture(scope="module")
def bare() -> Iterator[Runner]:
    """A runner where the kernel refuses nearly everything."""
    if not is_root():
        pytest.skip("only root can give the runner a user of its own, whose processes it may all end")
    with running(**settings_of("bare")) as started:
        yield started
