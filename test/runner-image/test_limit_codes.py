"""Limits of processes and of disk have codes of their own, where the kernel itself has counted the refusal."""

import pytest
from runner_process import KIB, Runner

THREADS = """
import threading, time
for _ in range({count}):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
"""
FORKS = """
import os, time
for _ in range({count}):
    if os.fork() == 0:
        time.sleep(600); os._exit(0)
"""
LIMITS = {"maxProcesses": 8, "maxDiskBytes": 1024 * KIB}


def code_of(reply):
    return reply["outcome"]["status"], reply["outcome"]["code"]


@pytest.fixture
def counted(runner: Runner) -> Runner:
    if runner.ready["capabilities"]["cgroup"] is None:
        pytest.skip("no control group here that counts processes")
    return runner


@pytest.fixture
def with_tmpfs(runner: Runner) -> Runner:
    if runner.ready["runner"]["level"] == "guard":
        pytest.skip("a run has no disk of its own here whose room could be measured")
    return runner


@pytest.mark.parametrize("source", [THREADS, FORKS])
def test_processes_at_their_limit_pass_and_one_more_is_named(counted: Runner, source: str) -> None:
    within, beyond = (counted.run(source.format(count=count), limits=LIMITS) for count in (7, 8))

    assert code_of(within) == ("succeeded", None)
    assert code_of(beyond) == ("failed", "process_limit")
    assert beyond["error"]["name"] in ("BlockingIOError", "RuntimeError")


def test_a_made_up_lack_of_processes_is_an_error_of_the_code(runner: Runner) -> None:
    assert code_of(runner.run("raise BlockingIOError(11, 'no more')")) == ("failed", "code_raised")


@pytest.mark.parametrize(
    "source",
    [
        "open('big', 'wb', 0).write(b'x' * {size})\nopen('more', 'wb', 0).write(b'x' * {size})",
        "with open('big', 'wb') as file:\n  for _ in range({size} // 50_000): file.write(b'x' * 100_000)",
        "for i in range({size} // 50): open(f'f{{i}}', 'w').close()",
    ],
)
def test_a_full_disk_is_named(with_tmpfs: Runner, source: str) -> None:
    within, beyond = (with_tmpfs.run(source.format(size=size), limits=LIMITS) for size in (400 * KIB, 1025 * KIB))

    assert code_of(within) == ("succeeded", None)
    assert code_of(beyond) == ("failed", "disk_limit")


def test_a_file_of_exactly_the_limit_passes(with_tmpfs: Runner) -> None:
    assert code_of(with_tmpfs.run("open('big', 'wb').write(b'x' * 1024 * 1024)", limits=LIMITS)) == ("succeeded", None)


def test_a_made_up_full_disk_is_an_error_of_the_code(runner: Runner) -> None:
    assert code_of(runner.run("raise OSError(28, 'no room')")) == ("failed", "code_raised")


def test_typescript_names_a_full_disk_too(with_tmpfs: Runner) -> None:
    code = "import { writeFileSync } from 'node:fs'\nwriteFileSync('big', Buffer.alloc(1100 * 1024))"

    assert code_of(with_tmpfs.run(code, language="typescript", limits=LIMITS)) == ("failed", "disk_limit")
