"""What a runner does over its life: it replaces fork servers, refuses when it is too old, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from berth_runner.nesting import MAX_DEPTH
from conftest import settings_of
from runner_process import NODE, PATIENCE_SECONDS, Runner, eventually, is_root, running

HASH = "hash('the same text') % 2**31"


def test_the_first_frame_describes_the_runner(runner: Runner, kind: str) -> None:
    ready = runner.ready

    assert ready["kind"] == "ready"
    assert ready["runner"]["level"] == settings_of(kind)["level"]
    assert ready["languages"][0]["language"] == "python"
    assert bool(ready["warnings"]) == (kind == "guard")
    assert ready["capabilities"]["maxConcurrency"] == (1 if kind == "guard" else 32)


def test_runs_of_one_fork_server_share_a_hash_seed_and_a_recycle_changes_it(kind: str) -> None:
    with running(**settings_of(kind)) as runner:
        before = [runner.value(HASH) for _ in range(2)]
        runner.send({"kind": "recycle"})
        assert runner.receive()["kind"] == "recycled"
        after = runner.value(HASH)

    assert before[0] == before[1]
    assert after != before[0]


def test_a_fork_server_is_recycled_after_its_count_of_runs(kind: str) -> None:
    with running(**settings_of(kind), recycle_runs=3) as runner:
        first = runner.value(HASH)

        assert eventually(lambda: runner.value(HASH) != first)


def test_runs_go_on_while_fork_servers_are_replaced(walled: Runner) -> None:
    slow = walled.request("import time\nprint('up', flush=True)\ntime.sleep(60)")
    walled.send(slow)
    assert [walled.receive()["kind"] for _ in range(2)] == ["started", "output"]
    walled.send({"kind": "recycle"})
    assert walled.receive()["kind"] == "recycled"

    assert walled.value("1") == 1
    walled.send({"kind": "cancel", "runId": slow["runId"]})
    reply = walled.finish(slow["runId"])
    assert (reply["outcome"]["status"], reply["logs"]["stdout"]) == ("canceled", "up\n")


def test_a_fork_server_that_dies_is_replaced(kind: str) -> None:
    with running(**settings_of(kind)) as runner:
        before = runner.value(HASH)
        below = _descendants_of(runner.process.pid)
        for pid in _children_of(runner.process.pid):
            os.kill(pid, signal.SIGKILL)
        # Until they are gone, a child of theirs may still take a run.
        assert eventually(lambda: not any(_is_running(pid) for pid in below))

        assert runner.value("1") == 1
        assert runner.value(HASH) != before


def test_a_run_whose_fork_server_dies_is_told_and_not_repeated(kind: str) -> None:
    with running(**settings_of(kind)) as runner:
        request = runner.request("import time\nprint('up', flush=True)\ntime.sleep(600)")
        runner.send(request)

        def kill(frame):
            if frame["kind"] == "output":
                for pid in _children_of(runner.process.pid):
                    os.kill(pid, signal.SIGKILL)

        reply = runner.finish(request["runId"], kill)

        assert reply["outcome"]["code"] == "runner_failed"
        assert reply["logs"]["stdout"] == "up\n"


def test_an_older_runner_than_the_fence_refuses_and_ends() -> None:
    runner = Runner(**settings_of("namespaces"))
    version = runner.ready["runner"]["version"]
    try:
        assert runner.value("1", minRunnerVersion=version) == 1
        refusal = runner.run("print('ran')", minRunnerVersion=version + 1)

        assert (refusal["kind"], refusal["code"]) == ("refusal", "runner_outdated")
        assert refusal["runnerVersion"] == version
        assert runner.process.wait(PATIENCE_SECONDS) == 0
    finally:
        runner.close()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"runId": ""}, "runId"),
        ({"code": None}, "code"),
        ({"language": "ruby"}, "language"),
        ({"files": ["../x"]}, "files"),
        ({"files": [".hidden"]}, "files"),
        ({"files": ["a", "a"]}, "files"),
        ({"variables": []}, "variables"),
        ({"profile": "x"}, "profile"),
        ({"limits": {"timeoutMs": 0}}, "limits.timeoutMs"),
        ({"limits": {"memoryMiB": 1e9}}, "limits.memoryMiB"),
        ({"limits": {"maxProcesses": True}}, "limits.maxProcesses"),
        ({"prefix": {"kind": "folder", "files": "relative", "run": "/x"}}, "prefix.files"),
        ({"prefix": {"kind": "s3", "bucket": "b", "files": "user1", "run": "runs/"}}, "prefix.files"),
        ({"protocol": 2}, "protocol"),
        ({"minRunnerVersion": -1}, "minRunnerVersion"),
    ],
)
def test_a_malformed_request_is_refused_by_the_name_of_its_field(walled: Runner, change: dict, named: str) -> None:
    request = walled.request("print('ran')")
    for key, value in change.items():
        request[key] = {**request[key], **value} if key == "limits" else value
    walled.send(request)

    refusal = walled.finish(request["runId"])

    assert refusal["code"] == "malformed_request"
    assert refusal["detail"].startswith(f"{named}: expected ")
    assert ", got " in refusal["detail"]


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def test_variables_at_the_limit_of_nesting_pass_and_one_level_more_does_not(walled: Runner) -> None:
    assert walled.value("variables", variables={"a": json.loads(nested(MAX_DEPTH - 1))})

    refusal = walled.run("1", variables={"a": json.loads(nested(MAX_DEPTH))})

    assert (refusal["kind"], refusal["code"]) == ("refusal", "malformed_request")
    assert "variables" in refusal["detail"]


def test_a_request_too_deep_to_be_read_ends_no_other_run(walled: Runner) -> None:
    other = walled.request("import time\nprint('up', flush=True)\ntime.sleep(0.2)\n2")
    walled.send(other)
    request = walled.request("1")
    walled.send_text(json.dumps(request).replace('"variables": {}', f'"variables": {{"a": {nested(20_000)}}}'))

    frames = {frame["runId"]: frame for frame in (walled.next_end(), walled.next_end())}

    assert frames[request["runId"]]["code"] == "malformed_request"
    assert frames[other["runId"]]["outcome"]["status"] == "succeeded"


def test_source_at_its_limit_passes_and_one_byte_more_does_not(walled: Runner) -> None:
    code = "'é'" + " " * 96

    assert walled.value(code, limits={"maxSourceBytes": 100}) == "é"
    assert walled.run(code, limits={"maxSourceBytes": 99})["code"] == "malformed_request"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_runner_is_killed(kind: str, number: int) -> None:
    runner = Runner(**settings_of(kind))
    request = runner.request("import time\nprint('up', flush=True)\ntime.sleep(60)")
    runner.send(request)
    while runner.receive()["kind"] != "output":
        pass
    below = _descendants_of(runner.process.pid)
    assert len(below) >= 2

    runner.process.send_signal(number)
    runner.process.wait(PATIENCE_SECONDS)

    assert eventually(lambda: not any(_is_running(pid) for pid in below))


def test_nothing_is_left_when_the_parent_of_the_runner_is_killed() -> None:
    code = (
        "import json, os, sys, time\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from runner_process import Runner\n"
        "runner = Runner(**json.loads(sys.argv[2]))\n"
        "runner.send(runner.request('import time\\nprint(1, flush=True)\\ntime.sleep(60)'))\n"
        "while runner.receive()['kind'] != 'output': pass\n"
        "print(runner.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    settings = json.dumps(settings_of("namespaces"))
    arguments = [sys.executable, "-c", code, str(Path(__file__).parent), settings]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        supervisor = int(parent.stdout.readline())
        groups = _groups_of(supervisor)
        below = [supervisor, *_descendants_of(supervisor)]
        parent.kill()

    assert eventually(lambda: not any(_is_running(pid) for pid in below))
    assert not is_root() or groups, "root makes control groups here"
    assert eventually(lambda: not any(folder.exists() for folder in groups))


def test_control_groups_of_a_killed_runner_are_cleared_by_the_next() -> None:
    killed = Runner(**settings_of("namespaces"))
    killed.value("1")
    groups = _groups_of(killed.process.pid)
    killed.process.kill()
    killed.process.wait(PATIENCE_SECONDS)

    # Nobody but another runner clears them now; one that starts in another test may be the first.
    assert not is_root() or groups
    with running(**settings_of("namespaces")):
        assert eventually(lambda: not any(folder.exists() for folder in groups))


def test_a_machine_without_a_sandbox_is_told_what_to_do() -> None:
    command = [sys.executable, "-m", "berth_runner.local", json.dumps({"level": "guard"})]
    folder = Path(__file__).resolve().parent.parent.parent / "runner-image"
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, input="", check=False)

    assert done.returncode == 78
    assert json.loads(done.stderr)["code"] == "sandbox_unavailable"
    assert "BERTH_LOCAL_UNSAFE" in json.loads(done.stderr)["detail"]


def test_a_setting_that_does_not_exist_is_named() -> None:
    command = [sys.executable, "-m", "berth_runner.local", json.dumps({"spare": 2})]
    folder = Path(__file__).resolve().parent.parent.parent / "runner-image"
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, input="", check=False)

    assert done.returncode == 78
    assert "spare: expected one of" in json.loads(done.stderr)["detail"]


@pytest.mark.skipif(not NODE.exists(), reason="Node is not installed here")
def test_every_level_says_whether_it_works() -> None:
    folder = Path(__file__).resolve().parent.parent.parent / "runner-image"
    command = [sys.executable, "-m", "berth_runner.levels", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=True)

    probes = json.loads(done.stdout)
    assert [probe["level"] for probe in probes] == ["namespaces", "bubblewrap", "guard"]
    assert all(probe["ok"] or probe["remedy"] for probe in probes)


def _children_of(pid: int) -> list[int]:
    try:
        text = "".join(task.joinpath("children").read_text() for task in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []  # it has ended meanwhile
    return [int(child) for child in text.split()]


def _descendants_of(pid: int) -> list[int]:
    found = _children_of(pid)
    return found + [below for child in found for below in _descendants_of(child)]


def _is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _groups_of(supervisor: int) -> list[Path]:
    # Other runners of this machine make and remove groups meanwhile, which only `walk` does not mind.
    return [
        Path(parent, name)
        for parent, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if name.startswith(f"berth-{supervisor}-")
    ]


def test_artifacts_that_cannot_be_kept_are_no_refusal(walled: Runner) -> None:
    request = walled.request(
        "open('outputs/a.txt', 'w').write('x')\nprint('ran')", limits={"maxInlineArtifactBytes": 0}
    )
    request["prefix"]["run"] = "/proc/no-such-folder/run"
    walled.send(request)

    reply = walled.finish(request["runId"])

    assert reply["kind"] == "reply"
    assert (reply["outcome"]["status"], reply["logs"]["stdout"]) == ("failed", "ran\n"), reply
    assert walled.value("1") == 1
