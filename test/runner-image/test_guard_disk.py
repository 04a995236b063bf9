"""Where a run has no disk of its own, the supervisor counts all of its files together and ends it at the limit."""

import os
from collections.abc import Iterator

import pytest
from berth_runner.disk_usage import MAX_ENTRIES, bytes_below
from conftest import settings_of
from runner_process import MIB, Runner, running

# Each file is far below the limit for one.
MANY = "for i in range(5): open(f'f{i}', 'wb').write(bytes(4_000_000))\n"


@pytest.fixture(scope="module")
def guard() -> Iterator[Runner]:
    with running(**settings_of("guard")) as started:
        yield started


def code_of(reply: dict) -> tuple[str, str | None]:
    return reply["outcome"]["status"], reply["outcome"]["code"]


@pytest.mark.parametrize(
    "end", ["'done'", "while True: pass", "1 / 0", "import os\nos.makedirs('a/b')\nos.rename('f0', 'a/b/f')"]
)
def test_files_beyond_the_limit_together_end_the_run(guard, end):
    assert code_of(guard.run(MANY + end)) == ("failed", "disk_limit")
    assert guard.value("1 + 1") == 2


def test_typescript_is_counted_too(guard):
    code = (
        "import { writeFileSync } from 'node:fs'\n"
        "for (let i = 0; i < 5; i++) writeFileSync(`outputs/f${i}`, Buffer.alloc(4_000_000, 1))\nexport default 1"
    )

    reply = guard.run(code, language="typescript")

    assert code_of(reply) == ("failed", "disk_limit")


def test_too_many_files_end_the_run(guard):
    assert code_of(guard.run(f"for i in range({MAX_ENTRIES + 1}): open(f'f{{i}}', 'w').close()")) == (
        "failed",
        "disk_limit",
    )


def test_a_control_shows_that_less_may_be_written_and_written_again(guard):
    code = "import os\nfor i in range(9):\n    open('f', 'wb').write(bytes(4_000_000))\n    os.unlink('f')\n'done'"

    assert guard.value(code) == "done"
    assert guard.value("for i in range(3): open(f'f{i}', 'wb').write(bytes(4_000_000))\n'done'") == "done"


def test_a_file_with_many_names_counts_once(tmp_path):
    (tmp_path / "f").write_bytes(os.urandom(MIB))
    for number in range(5):
        os.link(tmp_path / "f", tmp_path / str(number))
    (tmp_path / "away").symlink_to("/usr")

    assert MIB <= (bytes_below(tmp_path) or 0) < 2 * MIB


def test_what_other_programs_write_on_the_same_disk_is_not_the_runs(guard):
    """Where the disk is the run's own, it is counted whole: see test_lambda_rie.py, out of sight."""
    neighbour = guard.folder / "neighbour"
    code = f"import os\nprint('on')\nwhile not os.path.exists({str(neighbour)!r}): pass\n'done'"

    def write(frame: dict) -> None:
        if frame["kind"] == "output" and not neighbour.exists():
            (guard.folder / "growing").write_bytes(os.urandom(40 * MIB))
            (guard.folder / "growing").rename(neighbour)

    reply = guard.run(code, write, limits={"timeoutMs": 60_000})

    assert code_of(reply) == ("succeeded", None)
