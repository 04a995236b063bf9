"""A run reaches neither the supervisor, nor the fork server, nor other runs, nor the machine."""

import os
import socket
import subprocess
from pathlib import Path

import pytest
from conftest import settings_of
from runner_process import ROOT, UNPRIVILEGED, Runner, common_python, eventually, processes_named, running

SCAN = """
import os
needle = b'needle-in-the' + b'-supervisor'
found = [name for name, value in os.environb.items() if needle in value]
for folder in os.listdir('/proc'):
    if folder.isdigit():
        for kind in ('environ', 'cmdline'):
            try:
                if needle in open(f'/proc/{folder}/{kind}', 'rb').read():
                    found.append(f'{folder}/{kind}')
            except OSError:
                pass
found
"""
PARENTS = """
import os
def parent_of(pid):
    for line in open(f'/proc/{pid}/status'):
        if line.startswith('PPid:'):
            return int(line.split()[1])
zygote = os.getppid()
supervisor = parent_of(zygote) if zygote else 0
"""
OPENS = """
opened = []
for pid in {zygote, supervisor} - {0}:
    for kind in ('mem', 'environ', 'maps', 'fd/0', 'root', 'cwd'):
        try:
            path = f'/proc/{pid}/{kind}'
            os.stat(path) if kind in ('fd/0', 'root', 'cwd') else open(path, 'rb').close()
            opened.append(kind)
        except OSError:
            pass
opened
"""
HOLD = """
import os, time
count = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(600); os._exit(0)
        count += 1
except OSError:
    pass
count
"""


def test_no_secret_of_the_supervisor_is_anywhere(runner: Runner) -> None:
    assert runner.value(SCAN) == []


def test_the_scan_finds_what_is_open(kind: str, runner: Runner) -> None:
    """The control: a process of the same user that did not close itself to others. Only namespaces hide that."""
    command = [*(UNPRIVILEGED if os.geteuid() == 0 else []), "sleep", "30"]
    neighbour = subprocess.Popen(command, env={"PATH": os.environ["PATH"], "SECRET": "needle-in-a-neighbour"})
    try:
        assert eventually(lambda: processes_named("sleep"))
        found = runner.value(SCAN.replace("-supervisor", "-neighbour").replace("in-the", "in-a"))
    finally:
        neighbour.kill()
        neighbour.wait()

    assert found == ([f"{neighbour.pid}/environ"] if kind == "guard" else [])


def test_memory_of_supervisor_and_fork_server_is_closed(runner: Runner, unfiltered: Runner) -> None:
    assert runner.value(PARENTS + OPENS) == []
    if runner.ready["runner"]["level"] == "guard":
        assert "mem" in unfiltered.value(PARENTS + OPENS)


def test_the_fork_server_holds_no_request_of_earlier_runs(runner: Runner) -> None:
    runner.value("secret = 'needle-of-' + 'another-run'\n1")
    code = """
import ctypes, gc
needle = 'needle-of-' + 'another-run'
[o for o in gc.get_objects() if isinstance(o, str) and o == needle and o is not needle]
"""
    assert runner.value(code) == []


@pytest.mark.parametrize(
    "attack",
    [
        "os.kill(zygote or 1, 9)",
        "os.kill(supervisor or 1, 9)",
        "os.kill(-1, 9)",
        "os.kill(0, 9)",
        "signal.pidfd_send_signal(os.pidfd_open(zygote or 1), 9)",
        "signal.pidfd_send_signal(os.open(f'/proc/{zygote or 1}', os.O_RDONLY), 9)",
        "resource.prlimit(zygote or 1, resource.RLIMIT_NOFILE, (3, 3))",
        "resource.prlimit(supervisor or 1, resource.RLIMIT_NOFILE, (3, 3))",
        "os.setpriority(os.PRIO_PROCESS, zygote or 1, 19)",
        "fcntl.fcntl(socket.socketpair()[0], 8, zygote or 1)",
    ],
)
def test_no_attack_on_the_parents_lands(runner: Runner, attack: str) -> None:
    who = "import os\nos.getppid()"
    before = runner.value(who)
    prelude = f"{PARENTS}\nimport fcntl, resource, signal, socket\n"

    reply = runner.run(f"{prelude}try:\n    {attack}\nexcept OSError as error:\n    print(error)\n1")

    assert reply["outcome"]["status"] in ("succeeded", "crashed")
    assert runner.value(who) == before
    limit = Path(f"/proc/{runner.process.pid}/limits").read_text()
    assert "Max open files            3 " not in limit


def test_the_control_without_the_filter_hits_the_fork_server(kind: str, unfiltered: Runner) -> None:
    if kind != "guard":
        pytest.skip("only without namespaces does a run see its fork server at all")
    code = PARENTS + "import resource\nresource.prlimit(zygote, resource.RLIMIT_CORE, (0, 0))\n1"

    assert unfiltered.value(code) == 1


def test_a_run_sees_only_its_own_processes(walled: Runner) -> None:
    code = "import os\nsorted(int(f) for f in os.listdir('/proc') if f.isdigit())"

    assert walled.value(code) == [1]
    assert len(list(Path("/proc").glob("[0-9]*"))) > 1


def test_files_of_the_machine_are_not_there(walled: Runner) -> None:
    other = walled.folder / "files-of-another-berth"
    other.mkdir()
    (other / "secret.csv").write_text("secret")
    places = [str(other), str(walled.files), str(walled.runs), str(ROOT / "package.json"), "/root/.bashrc", "/sys"]

    assert walled.value(f"import os\n[p for p in {places!r} if os.path.exists(p)]") == []
    assert (other / "secret.csv").exists()


def test_the_tree_is_read_only(walled: Runner) -> None:
    code = """
import os
written = []
for folder, _, _ in os.walk('/'):
    # The folders for temporary files are the run's own, be they links or not.
    if folder.startswith(('/proc', '/sandbox/', '/dev/fd')) or folder in ('/tmp', '/var/tmp'):
        continue
    try:
        open(folder + '/x', 'w').close()
        written.append(folder)
    except OSError:
        pass
written
"""
    assert walled.value(code) == []


def test_the_network_is_not_there(kind: str, runner: Runner, unfiltered: Runner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"""
import socket, errno
try:
    socket.create_connection(('127.0.0.1', {port}), 2)
    end = 'connected'
except OSError as error:
    end = errno.errorcode[error.errno]
end
"""
        assert runner.value(code) == "EPERM"
        # Two walls: with namespaces the port is out of reach without the filter too.
        assert unfiltered.value(code) == ("connected" if kind == "guard" else "ENETUNREACH")


def test_abstract_unix_sockets_of_the_machine_are_not_there(kind: str, runner: Runner) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0berth-test-abstract")
        server.listen()
        code = """
import socket, errno
try:
    socket.socket(socket.AF_UNIX).connect('\\0berth-test-abstract')
    end = 'connected'
except OSError as error:
    end = errno.errorcode[error.errno]
end
"""
        # Without a network namespace nothing hides them: docs say so, and Lambda has none.
        assert runner.value(code) == ("connected" if kind == "guard" else "ECONNREFUSED")


def test_runs_at_the_same_time_do_not_see_each_other(walled: Runner) -> None:
    code = """
import os, time
open('mine', 'w').write('x')
time.sleep(0.3)
[sorted(os.listdir('.')), sorted(f for f in os.listdir('/proc') if f.isdigit()), os.getuid()]
"""
    requests = [walled.request(code) for _ in range(3)]
    for request in requests:
        walled.send(request)
    replies = {}
    while len(replies) < 3:
        frame = walled.receive()
        if frame["kind"] == "reply":
            replies[frame["runId"]] = next(result["json"] for result in frame["results"])

    seen = [replies[request["runId"]] for request in requests]
    assert [run[:2] for run in seen] == [[["mine", "outputs"], ["1"]]] * 3
    assert len({run[2] for run in seen}) == 3, "each run has a user of its own"


def test_a_signal_to_the_own_group_stays_in_the_run(walled_unprivileged: Runner) -> None:
    runner = walled_unprivileged
    victim = runner.request("import time\nprint('up', flush=True)\ntime.sleep(1)\n1")
    runner.send(victim)
    attacks = []

    def attack(frame):
        if frame["kind"] == "output" and not attacks:
            attacks.append(runner.request("import os, signal\nos.kill(0, signal.SIGKILL)\n1"))
            runner.send(attacks[0])

    assert runner.finish(victim["runId"], attack)["outcome"]["status"] == "succeeded"


def test_named_files_are_there_and_read_only(runner: Runner) -> None:
    (runner.files / "sales.csv").write_text("a,b\n1,2\n")
    (runner.files / "sales.csv").chmod(0o644)
    code = """
import os
text = open('sales.csv').read()
try:
    open('sales.csv', 'a').write('x')
    end = 'written'
except OSError:
    end = 'refused'
[text, end, sorted(os.listdir('.'))]
"""
    text, end, names = runner.value(code, files=["sales.csv"])

    assert text == "a,b\n1,2\n"
    assert end == "refused"
    assert names == ["outputs", "sales.csv"]
    assert (runner.files / "sales.csv").read_text() == "a,b\n1,2\n"


def test_a_private_file_of_the_server_reaches_the_run_too(walled: Runner) -> None:
    (walled.files / "private.csv").write_text("secret")
    (walled.files / "private.csv").chmod(0o600)

    assert walled.value("open('private.csv').read()", files=["private.csv"]) == "secret"


@pytest.mark.parametrize("name", ["missing.csv", "link.csv", "fifo.csv", "folder.csv"])
def test_what_is_no_file_of_the_tenant_starts_nothing(runner: Runner, name: str) -> None:
    for path in runner.files.iterdir():
        path.rmdir() if path.is_dir() else path.unlink()
    (runner.files / "link.csv").symlink_to("/etc/passwd")
    os.mkfifo(runner.files / "fifo.csv")
    (runner.files / "folder.csv").mkdir()

    refusal = runner.run("print('ran')", files=[name])

    assert (refusal["kind"], refusal["code"]) == ("refusal", "file_not_found")
    assert name in refusal["detail"]


def test_a_python_for_the_unprivileged_kinds_is_known() -> None:
    assert common_python() is not None or os.geteuid() == 0


@pytest.mark.parametrize("kind", ["namespaces", "namespaces-unprivileged"])
def test_processes_of_one_run_take_none_from_another(kind: str) -> None:
    """The control is within: together the runs hold more than one of them may."""
    limits = {"maxProcesses": 40, "memoryMiB": 4096, "timeoutMs": 240_000}
    with running(**settings_of(kind)) as runner:
        holder = runner.request(f"{HOLD}\nprint(count, flush=True)\ntime.sleep(600)", limits=limits)
        runner.send(holder)
        while (frame := runner.receive())["kind"] != "output":
            assert frame["kind"] not in ("reply", "refusal"), frame
        held = int(frame["text"])

        beside = runner.value(HOLD, limits=limits)
        of_few = runner.value(HOLD, limits={**limits, "maxProcesses": 8})
        typescript = runner.value("export default () => 6 * 7", language="typescript", limits={"maxProcesses": 8})

        runner.send({"kind": "cancel", "runId": holder["runId"]})
        assert runner.finish(holder["runId"])["outcome"]["status"] == "canceled"
    assert held == beside == 39
    assert (of_few, typescript) == (7, 42)
