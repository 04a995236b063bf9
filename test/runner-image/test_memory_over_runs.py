"""Fork servers and supervisor live for a thousand runs: what they hold must not grow with them."""

from pathlib import Path

import pytest
from berth_runner.sweep import descendants
from conftest import settings_of
from runner_process import Runner, running

WARM, MORE = 50, 300
# What malloc keeps of a first peak is no growth; a leak of 1 KiB a run would be.
MOST_GROWTH = 1.2


def held_kib(runner: Runner) -> dict[str, int]:
    """Return what the supervisor and the oldest processes below it, its fork servers, hold privately."""
    servers = [pid for pid in descendants(runner.process.pid) if is_server(pid)]
    return {f"{index}": private_kib(pid) for index, pid in enumerate([runner.process.pid, *servers])}


def is_server(pid: int) -> bool:
    """A fork server was started with a command line of its own and is no fork of one."""
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"zygote" in line and Path(f"/proc/{parent}/cmdline").read_bytes() != line
    except OSError:
        return False  # a run's process that has ended meanwhile


def private_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Anonymous:", "Swap:")))


@pytest.mark.parametrize("kind", ["namespaces", "guard"])
def test_hundreds_of_runs_leave_the_memory_of_the_runner_as_it_was(kind):
    with running(**settings_of(kind)) as runner:
        for number in range(WARM):
            assert runner.value(f"print('x' * 1000)\n{number}") == number
        before = held_kib(runner)
        for number in range(MORE):
            assert runner.value(f"print('x' * 1000)\n{number}") == number
        after = held_kib(runner)

    assert len(before) >= 2
    assert before.keys() == after.keys()
    assert {
        name: round(after[name] / before[name], 2) for name in before if after[name] > before[name] * MOST_GROWTH
    } == {}
