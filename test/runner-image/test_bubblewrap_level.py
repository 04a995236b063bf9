"""The second level of the ladder: bubblewrap around a fresh interpreter, with the same promises."""

import shutil
import socket

import pytest
from conftest import settings_of
from runner_process import Runner, eventually, processes_named, run_until_seen, running

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed here")


@pytest.fixture(scope="module", params=["namespaces", "namespaces-unprivileged"])
def runner(request: pytest.FixtureRequest):
    with running(**settings_of(request.param) | {"level": "bubblewrap"}) as started:
        yield started


@pytest.mark.parametrize(
    ("code", "status", "failure"),
    [
        ("1", "succeeded", None),
        ("import os; os._exit(3)", "failed", "exited"),
        ("import ctypes; ctypes.string_at(0)", "crashed", "crashed"),
        ("while True: pass", "timed_out", "timeout"),
        ("while True: print('x' * 1000)", "failed", "output_limit"),
        ("x = bytearray(700 * 1024 * 1024)\nx[::4096] = b'x' * len(x[::4096])", "crashed", "out_of_memory"),
    ],
)
def test_an_end_has_its_own_outcome(runner: Runner, code: str, status: str, failure: str) -> None:
    reply = runner.run(code, limits={"timeoutMs": 3000} if failure == "timeout" else {})

    assert (reply["outcome"]["status"], reply["outcome"]["code"]) == (status, failure), reply["outcome"]


def test_a_run_sees_neither_machine_nor_network(runner: Runner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"""
import os, socket
try:
    socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)
    network = 'connected'
except OSError:
    network = 'refused'
[network, os.path.exists({str(runner.files)!r}), len([f for f in os.listdir('/proc') if f.isdigit()]) < 4]
"""
        assert runner.value(code) == ["refused", False, True]


def test_named_files_are_there_and_artifacts_come_back(runner: Runner) -> None:
    (runner.files / "a.txt").write_text("text")
    (runner.files / "a.txt").chmod(0o644)

    reply = runner.run("open('outputs/b.txt', 'w').write(open('a.txt').read())", files=["a.txt"])

    assert [(each["name"], each["bytes"]) for each in reply["artifacts"]] == [("b.txt", 4)]


def test_no_process_survives(runner: Runner) -> None:
    code = """
import ctypes, os, time
if os.fork() == 0:
    os.setsid()
    ctypes.CDLL(None).prctl(15, b'bwrap-daemon', 0, 0, 0)
    os.write(1, b'up')
    time.sleep(60)
time.sleep(0.3)
"""
    run_until_seen(runner, code, lambda: processes_named("bwrap-daemon"))

    assert eventually(lambda: not processes_named("bwrap-daemon"))
