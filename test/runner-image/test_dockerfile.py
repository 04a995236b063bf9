"""The image is not built here; these checks copy what it copies and start what it starts."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONTEXT = Path(__file__).resolve().parents[2] / "runner-image"


def instructions() -> list[tuple[str, str]]:
    lines = [line for line in (CONTEXT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    return [
        (name.upper(), rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)
    ]


def copies() -> list[tuple[list[str], str]]:
    """Return what comes from the build context: sources and target."""
    found = []
    for name, rest in instructions():
        words = shlex.split(rest)
        if name == "COPY" and not any(word.startswith("--from") for word in words):
            found.append((words[:-1], words[-1]))
    return found


def only(name: str) -> str:
    (rest,) = [rest for each, rest in instructions() if each == name]
    return rest


@pytest.fixture
def image(tmp_path) -> Path:
    """The copied files as they lie in the image."""
    for sources, target in copies():
        place = tmp_path / target.replace("${LAMBDA_TASK_ROOT}", "/var/task").lstrip("/")
        for source in sources:
            place.parent.mkdir(parents=True, exist_ok=True)
            if (CONTEXT / source).is_dir():
                shutil.copytree(CONTEXT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(CONTEXT / source, place)
    return tmp_path


def start(image: Path, code: str) -> str:
    """Run Python that sees the image's task folder and the installed packages, as the image's does."""
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=image / "var" / "task",
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(image / "var" / "task")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


def test_every_source_of_a_copy_exists_and_is_let_through():
    ignore = (CONTEXT / ".dockerignore").read_text().splitlines()
    sources = [source for group, _ in copies() for source in group]

    assert sources
    for source in sources:
        assert (CONTEXT / source).exists(), source
        assert f"!{source}" in ignore, source


def test_the_command_names_a_handler_that_the_copied_files_contain(image):
    (command,) = json.loads(only("CMD"))
    module, _, name = command.rpartition(".")

    assert start(image, f"import {module} as m; print(callable(m.{name}), m.__file__)") == (
        f"True {image}/var/task/berth_runner/handler.py"
    )


def test_importing_the_handler_starts_nothing(image):
    assert start(image, "import berth_runner.handler as h; print(h._runner)") == "None"


def test_the_version_lies_where_the_runner_reads_it(image):
    told = start(image, "from berth_runner import protocol; print(protocol.VERSION)")

    assert told == (CONTEXT / "VERSION").read_text().strip()
    assert int(told) >= 1


def test_the_node_harness_is_in_the_image(image):
    told = start(image, "from berth_runner.child.node_launch import HARNESS; print(HARNESS.exists(), HARNESS)")

    assert told.startswith("True ")
    for module in (image / "var/task/berth_runner/node").glob("*.mjs"):
        for target in re.findall(r"from '(\./[^']+)'", module.read_text()):
            assert (module.parent / target).exists(), f"{module.name} imports {target}"


def test_the_entry_point_is_the_awslambdaric_that_is_pinned():
    words = json.loads(only("ENTRYPOINT"))

    assert words[1:] == ["-m", "awslambdaric"]
    assert re.search(r"^awslambdaric==\S+ ", (CONTEXT / "requirements.txt").read_text(), re.MULTILINE)


def test_every_package_is_pinned_by_hash_and_the_install_demands_it():
    requirements = (CONTEXT / "requirements.txt").read_text().replace("\\\n", " ")
    entries = [line for line in requirements.splitlines() if line and not line.lstrip().startswith("#")]
    installs = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]

    assert len(entries) > 5
    assert all(re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry) for entry in entries), entries
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]


def test_what_starts_threads_before_the_fork_is_not_in_the_image():
    assert not re.search(r"^pyarrow\b", (CONTEXT / "requirements.txt").read_text(), re.MULTILINE)


def test_both_bases_can_be_pinned_from_outside():
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    arguments = {rest.partition("=")[0] for name, rest in instructions() if name == "ARG"}

    assert bases
    assert {base.strip("${}") for base in bases} == arguments


def test_the_font_cache_is_made_where_the_runner_looks_for_it():
    steps = instructions()
    environment = next(i for i, (name, rest) in enumerate(steps) if name == "ENV" and "MPLCONFIGDIR=" in rest)
    made = next(i for i, (name, rest) in enumerate(steps) if name == "RUN" and "font_manager" in rest)
    installed = next(i for i, (name, rest) in enumerate(steps) if name == "RUN" and "pip install" in rest)

    assert environment < made
    assert installed < made
