"""At the level without a sandbox code never runs as root: each run gets a user of its own, or nothing starts."""

import os
import subprocess
from pathlib import Path

import pytest
from berth_runner import levels
from berth_runner.config import Config
from runner_process import PACKAGE_ROOT, common_python, is_root, running

pytestmark = pytest.mark.skipif(not is_root(), reason="only root can give its runs users of their own")


def test_a_private_python_is_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir(mode=0o700)
    monkeypatch.setattr("sys.prefix", str(tmp_path / "bin"))

    with pytest.raises(levels.NoLevelError, match="another user than root"):
        levels.choose(Config(level="guard", allow_unsafe=True))


def test_a_python_that_all_may_read_gives_every_run_a_user_of_its_own() -> None:
    python = common_python()
    if python is None or not python.startswith("/usr/"):
        pytest.skip("no Python here that a user without rights may start")
    settings = {"level": "guard", "allow_unsafe": True, "libraries": (), "spares": 0, "node": "/bin/false"}

    with running(program=python, **settings) as runner:
        first, second = (runner.value("import os\n[os.getuid(), os.getgid(), os.getgroups()]") for _ in range(2))
        secret = runner.folder / "secret"
        secret.write_text("of the server")
        secret.chmod(0o600)
        stolen = runner.run(f"open({str(secret)!r}).read()")

    assert first[0] != 0
    assert second[0] != 0
    assert first[0] != second[0]
    assert first[2] == second[2] == []
    assert stolen["error"]["name"] == "PermissionError"


def test_a_user_without_rights_may_still_ask_for_it() -> None:
    python = common_python()
    if python is None:
        pytest.skip("no Python here that a user without rights may start")
    code = "import sys; sys.path.insert(0, sys.argv[1]); from berth_runner import levels; levels.main([])"
    command = ["setpriv", "--reuid=60001", "--regid=60001", "--clear-groups", python, "-c", code, str(PACKAGE_ROOT)]

    said = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})

    assert "guard: works" in said.stdout, said
