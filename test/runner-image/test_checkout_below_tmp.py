"""A checkout may lie below /tmp: a run still has a /tmp of its own, and nobody else's."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from runner_process import PACKAGE_ROOT, ROOT, Runner, running

WRITE = """
import os
places = ["/tmp", "/var/tmp"]
before = [os.listdir(place) for place in places]
for place in places:
    open(f"{place}/left", "w").write("x")
[before, [sorted(os.listdir(place)) for place in places]]
"""


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        # The sandbox shows the package to a user of its own, who must be able to walk there.
        Path(folder).chmod(0o755)
        shutil.copytree(
            PACKAGE_ROOT / "berth_runner",
            Path(folder, "package/berth_runner"),
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        shutil.copy(PACKAGE_ROOT / "VERSION", Path(folder, "package/VERSION"))
        yield Path(folder)


@pytest.fixture(scope="module")
def runner(checkout: Path) -> Iterator[Runner]:
    with running(level="namespaces", package=checkout / "package") as runner:
        yield runner


def test_both_folders_can_be_written_and_are_empty_again_in_the_next_run(runner: Runner, checkout: Path) -> None:
    # This very checkout may lie below /tmp as well.
    shown = {checkout.name, *(ROOT.relative_to("/tmp").parts[:1] if ROOT.is_relative_to("/tmp") else ())}
    for _ in range(2):
        before, after = runner.value(WRITE)
        assert set(before[0]) <= shown
        assert checkout.name in before[0]
        assert "left" in after[0]
        assert "left" in after[1]


def test_nothing_else_of_the_machines_folder_is_shown(runner: Runner) -> None:
    with tempfile.NamedTemporaryFile(dir="/tmp", prefix="of-the-machine-") as file:
        assert runner.value(f"import os\nos.path.exists({file.name!r})") is False
        assert Path(file.name).exists()


def test_the_code_that_is_shown_cannot_be_changed(runner: Runner, checkout: Path) -> None:
    path = checkout / "package/berth_runner/supervisor.py"
    before = path.read_bytes()
    run = runner.run(f"open({str(path)!r}, 'a').write('x')")
    assert run["error"]["name"] in ("OSError", "PermissionError")
    assert path.read_bytes() == before
