"""The runner under awslambdaric and AWS's own emulator behaves as in this repository's own supervisor."""

import base64
import json
import subprocess
import sys
import tempfile
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
from lambda_environment import SECRET, Environment, environment, run_event, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def berth() -> Iterator[Environment]:
    with environment() as started:
        yield started


def main_of(reply: dict) -> object:
    assert reply["kind"] == "reply", reply
    assert reply.get("outcome", {}).get("status") == "succeeded", reply
    return next(result.get("json") for result in reply["results"] if result["isMain"])


def test_python_answers_with_result_logs_and_level(berth):
    reply = berth.run("print('hello')\n{'sum': 1 + 1}")

    assert main_of(reply) == {"sum": 2}
    assert reply["logs"]["stdout"] == "hello\n"
    assert reply["runner"]["level"] == "guard"
    assert reply["usage"]["peakMemoryMiB"] > 0


def test_typescript_answers(berth):
    assert main_of(berth.run("const x: number = 6\nexport default (v: any) => x * 7", "typescript")) == 42


def test_a_table_and_a_chart_come_back(berth):
    code = (
        "import pandas as pd\nimport matplotlib.pyplot as plt\n"
        "df = pd.DataFrame({'a': [1, 2]})\ndf.plot()\nplt.show()\ndf"
    )

    reply = berth.run(code)

    assert reply.get("outcome", {}).get("status") == "succeeded", reply
    assert reply["results"][0]["table"]["rows"] == [[1], [2]]
    (chart,) = reply["artifacts"]
    assert chart["name"] == "figure-1.png"
    assert base64.b64decode(chart["content"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("while True: pass", "timed_out", "timeout"),
        ("import sys\nsys.exit(3)", "failed", "exited"),
        ("import os\nos._exit(3)", "failed", "exited"),
        ("import ctypes\nctypes.string_at(0)", "crashed", "crashed"),
        ("x = []\nwhile True: x.append(bytes(10_000_000))", "crashed", "out_of_memory"),
        ("while True: print('x' * 10_000)", "failed", "output_limit"),
        ("1 / 0", "failed", "code_raised"),
        ("(", "failed", "invalid_source"),
    ],
)
def test_every_end_is_typed_and_the_next_run_is_clean(berth, code, status, error):
    time = {"timeoutMs": 1500} if error == "timeout" else {}
    reply = berth.run(code, limits={"memoryMiB": 128, **time})

    assert (reply["outcome"]["status"], reply["outcome"]["code"]) == (status, error), reply["outcome"]
    assert main_of(berth.run("1 + 1")) == 2


def test_a_full_heap_of_node_is_typed(berth):
    code = "const a = []\nwhile (true) a.push(new Array(100_000).fill(1.5))"

    reply = berth.run(code, "typescript", limits={"memoryMiB": 128})

    assert reply["outcome"]["status"] == "crashed", reply
    assert reply["outcome"]["code"] == "out_of_memory", reply
    assert main_of(berth.run("export default 1", "typescript")) == 1


def test_files_of_one_run_are_gone_in_the_next(berth):
    leave = (
        "import os\nopen('/tmp/left', 'w').write('x')\nopen('here', 'w').write('x')\n"
        "os.makedirs('/tmp/deep/er')\nos.getcwd()"
    )

    folder = main_of(berth.run(leave))
    look = f"import os\n[os.path.exists(p) for p in ('/tmp/left', '/tmp/deep', {folder!r})]"

    assert main_of(berth.run(look))[:2] == [False, False]


def test_processes_of_one_run_are_gone_in_the_next(berth):
    spawn = "import subprocess\nsubprocess.Popen(['sleep', '1234'], start_new_session=True).pid"
    look = (
        "import os\ndef line(p):\n    try: return open(f'/proc/{p}/cmdline').read()\n    except OSError: return ''\n"
        "any('1234' in line(p) and 'sleep' in line(p) for p in os.listdir('/proc') if p.isdigit())"
    )

    assert main_of(berth.run(spawn)) > 0
    assert main_of(berth.run(look)) is False


def test_the_credentials_of_the_role_cannot_be_read_from_a_run(berth):
    look = f"""
import os
found = [k for k in os.environ if k.startswith("AWS_")]
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "mem", "maps"):
        try:
            with open(f"/proc/{{pid}}/{{name}}", "rb") as f:
                if {SECRET[:10]!r}.encode() + {SECRET[10:]!r}.encode() in f.read(200_000):
                    found.append(f"{{pid}}/{{name}}")
        except (OSError, ValueError, OverflowError):
            pass
found"""

    assert main_of(berth.run(look)) == []
    assert SECRET not in json.dumps(berth.run("import os\ndict(os.environ)"))


def test_a_control_shows_that_the_emulator_hands_the_credentials_over(berth):
    # The emulator's own environment is not protected: there the same search finds them.
    processes = [Path(f"/proc/{pid}/environ") for pid in children_of(berth._process.pid)]
    assert any(SECRET.encode() in path.read_bytes() for path in processes)


def children_of(pid: int) -> list[int]:
    from berth_runner.sweep import descendants

    return [pid, *descendants(pid)]


def test_a_run_reaches_neither_the_internet_nor_the_runtime_api(berth):
    code = """
import socket
seen = []
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
    except OSError as error:
        seen.append(error.errno)
seen"""

    assert main_of(berth.run(code)) == [1, 1, 1]


def test_the_self_test_passes(berth):
    report = berth.invoke({"kind": "self_test"})

    assert report["passed"], report
    assert report["runnerVersion"] >= 1
    assert {check["name"] for check in report["checks"]} >= {"python", "typescript", "no_egress", "nothing_left"}


@pytest.mark.parametrize("event", [{}, [], "x", None, {"kind": "run"}, {**run_event("1"), "language": "ruby"}])
def test_an_event_that_is_no_request_is_refused_and_raises_nothing(berth, event):
    refusal = berth.invoke(event)

    assert (refusal["kind"], refusal["code"]) == ("refusal", "malformed_request")


def test_a_function_that_tenants_share_refuses_files(berth):
    refusal = berth.run("1", files=["a.csv"])

    assert refusal["code"] == "malformed_request"
    assert refusal["detail"].startswith("files: expected none")


def test_a_ping_says_which_runner_answers(berth):
    pong = berth.invoke({"protocol": 1, "kind": "ping"})

    version = berth.run("1")["runner"]["version"]
    told = {"protocol": 1, "kind": "pong", "runnerVersion": version, "image": "local"}
    assert pong.items() >= told.items()
    assert [language["language"] for language in pong["languages"]] == ["python", "typescript"]


def test_nobody_is_warned_that_there_is_no_sandbox_where_the_function_is_one(berth):
    assert berth.invoke({"protocol": 1, "kind": "ping"})["warnings"] == []


def test_a_reply_stays_below_what_lambda_takes(berth):
    code = "open('outputs/a', 'wb').write(b'x' * 4_000_000)\nprint('\\0' * 900_000)\n'\\0' * 30_000"

    reply = berth.run(code)

    assert reply["kind"] == "reply"
    assert len(json.dumps(reply)) <= 5_767_168
    assert reply["outcome"]["code"] == "artifacts_too_large"
    assert "do not fit into the reply" in reply["outcome"]["detail"]


def test_an_outdated_runner_refuses_and_its_environment_is_never_used_again():
    with environment() as old:
        before = main_of(old.run("import os\nos.getppid()"))
        refusal = old.run("1", minRunnerVersion=1_000_000)
        after = main_of(first_answer(old, "import os\nos.getppid()"))

    assert (refusal["kind"], refusal["code"]) == ("refusal", "runner_outdated")
    assert refusal["runnerVersion"] < 1_000_000
    assert before != after, "the runtime was started anew"


def test_an_environment_that_a_run_left_unclean_refuses_the_next_event_and_goes():
    put_away = "clean = await self._started_children().put_away(child)"
    never_sure = ("supervisor.py", put_away, f"{put_away}\n            clean = False")
    with environment(change=never_sure) as unclean:
        run = unclean.run("import os\nos.getppid()")
        refusal = unclean.run("1 + 1")
        after = main_of(first_answer(unclean, "import os\nos.getppid()"))

    # The run itself went well, and what comes next is told that it has not started, so it may be sent again.
    assert main_of(run) != after, "the runtime was started anew"
    assert (refusal["kind"], refusal["code"]) == ("refusal", "runner_failed")


def first_answer(berth: Environment, code: str) -> dict:
    """The emulator notices only at the next event that its runtime is gone: it answers 502 and starts a new one."""
    try:
        return berth.run(code)
    except urllib.error.HTTPError as error:
        assert error.code == 502
        return berth.run(code)


def test_a_control_shows_that_an_environment_is_otherwise_used_again(berth):
    first, second = (main_of(berth.run("import os\nos.getppid()")) for _ in range(2))

    assert first == second


def test_a_runner_as_new_as_the_fence_runs():
    with environment(version=7) as fresh:
        reply = fresh.run("1 + 1", minRunnerVersion=7)
        refusal = fresh.run("1 + 1", minRunnerVersion=8)

    assert main_of(reply) == 2
    assert reply["runner"]["version"] == 7
    assert refusal["code"] == "runner_outdated"


def test_the_first_run_of_an_environment_waits_for_what_would_pass_for_its_own_work():
    look = "import glob, os\nglob.glob(os.getcwd() + '/../../fonts-*/fontlist-*.json') != []"

    with environment() as fresh:
        first, second = fresh.run(f"{look}, os.getppid()"), fresh.run(f"{look}, os.getppid()")

    assert main_of(first)[0]
    assert main_of(first) == main_of(second), "the runtime is the same: the first run has left it clean"


def test_the_list_of_fonts_that_the_image_brings_is_the_one_that_matplotlib_uses():
    """It takes no folder that it may not write to, and would look for all fonts again at every cold start."""
    look = (
        "import glob, matplotlib.font_manager\n"
        "names = {font.name for font in matplotlib.font_manager.fontManager.ttflist}\n"
        "'Baked Sans' in names, len(names) > 1, glob.glob('/tmp/matplotlib-*')"
    )
    with tempfile.TemporaryDirectory(dir="/var") as folder:
        bake_fonts(Path(folder))
        with environment(MPLCONFIGDIR=folder) as fresh:
            first, second = (main_of(fresh.run(look)) for _ in range(2))

    assert first == second == [True, True, []]


def bake_fonts(folder: Path) -> None:
    """As the Dockerfile does, and one font more by which the list is known again."""
    folder.chmod(0o755)
    subprocess.run(
        [sys.executable, "-c", "import matplotlib.font_manager"], env={"MPLCONFIGDIR": str(folder)}, check=True
    )
    (fonts,) = folder.glob("fontlist-*.json")
    listed = json.loads(fonts.read_text())
    listed["ttflist"].append({**listed["ttflist"][0], "name": "Baked Sans"})
    fonts.write_text(json.dumps(listed))


def test_an_environment_serves_one_tenant_only():
    with environment() as shared:
        own = shared.invoke({**run_event("1 + 1"), "tenant": "acme"}, tenant="acme")
        another = shared.invoke(run_event("1 + 1"), tenant="other")

    assert main_of(own) == 2
    assert (another["kind"], another["code"]) == ("refusal", "runner_failed")


def test_an_event_for_another_tenant_than_the_environments_is_refused():
    with environment() as shared:
        refusals = [
            shared.invoke({**run_event("1 + 1"), "tenant": tenant}, tenant="acme")
            for tenant in ("other", "", None, 7, {"$ne": ""})
        ]
        own = shared.invoke({**run_event("1 + 1"), "tenant": "acme"}, tenant="acme")

    assert {(refusal["kind"], refusal["code"]) for refusal in refusals} == {("refusal", "malformed_request")}
    assert all(refusal["detail"].startswith("tenant: expected") for refusal in refusals)
    assert main_of(own) == 2


def test_an_event_with_a_tenant_is_refused_where_lambda_keeps_none_apart(berth):
    refusal = berth.invoke({**run_event("1 + 1"), "tenant": "acme"})

    assert (refusal["kind"], refusal["code"]) == ("refusal", "malformed_request")


@pytest.mark.parametrize(
    ("hide", "end"),
    [
        # A file without a name is gone with the process that holds it, so this one stays until it is ended.
        ("f = open('/tmp/f', 'wb')\n    os.unlink('/tmp/f')", "time.sleep(60)"),
        ("f = open(f'/tmp/{i}', 'wb')", "'done'"),
        ("f = open(f'locked/{i}', 'wb')", "'done'"),
    ],
)
def test_files_out_of_sight_count_against_the_disk_limit_too(berth, hide, end):
    code = (
        f"import os, time\nos.mkdir('locked')\nkept = []\nfor i in range(5):\n    {hide}\n"
        f"    f.write(bytes(4_000_000))\n    f.flush()\n    kept.append(f)\nos.chmod('locked', 0)\n{end}"
    )

    assert berth.run(code)["outcome"]["code"] == "disk_limit"
    assert main_of(berth.run("1 + 1")) == 2
