"""Nothing survives a run: no process, no file, no lock, however it hides."""

from pathlib import Path

import pytest
from runner_process import Runner, eventually, processes_named, run_until_seen

NAME = """
import ctypes, os, time
def called(name):
    ctypes.CDLL(None).prctl(15, name.encode(), 0, 0, 0)
"""
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        called({name!r})
        os.write(1, b'up')
        {close}
        while True: time.sleep(1)
    os._exit(0)
os.wait()
"""
CHAINS = """
def chain(depth):
    if depth == 0:
        called({name!r})
        os.write(1, b'up')
        time.sleep(60)
    elif os.fork() == 0:
        os.setsid()
        chain(depth - 1)
    os._exit(0)
for _ in range(4):
    if os.fork() == 0:
        chain(3)
"""
DEEP = "for _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')"


@pytest.mark.parametrize("ending", ["", "while True: pass", "os._exit(1)", "ctypes.string_at(0)"])
@pytest.mark.parametrize(
    ("kind_of_daemon", "code"),
    [
        ("silent", DAEMON.replace("{close}", "os.closerange(0, 100)")),
        ("holding", DAEMON.replace("{close}", "pass")),
        ("chains", CHAINS),
    ],
)
def test_no_process_survives(runner: Runner, kind_of_daemon: str, code: str, ending: str) -> None:
    name = f"hostile-{kind_of_daemon[:4]}{len(ending)}"
    source = NAME + code.replace("{name!r}", repr(name)) + "time.sleep(0.5)\n" + ending

    run_until_seen(runner, source, lambda: processes_named(name), limits={"timeoutMs": 2000})

    assert eventually(lambda: not processes_named(name))


@pytest.mark.parametrize("code", [DAEMON.replace("{close}", "os.closerange(0, 100)"), CHAINS])
def test_no_process_survives_where_even_prctl_is_refused(bare: Runner, code: str) -> None:
    name = "hostile-bare"
    source = NAME + code.replace("{name!r}", repr(name)) + "time.sleep(0.5)\n"

    run_until_seen(bare, source, lambda: processes_named(name))

    assert eventually(lambda: not processes_named(name))
    assert bare.value("1") == 1


def test_files_outside_the_working_folder_do_not_survive(runner: Runner) -> None:
    write = """
import os, tempfile
written = []
for folder in ('/tmp', '/var/tmp', '/dev/shm', tempfile.gettempdir(), os.getcwd(), os.path.expanduser('~'), '/'):
    try:
        open(folder + '/left-by-a-run', 'w').write('x')
        written.append(folder)
    except OSError:
        pass
written
"""
    read = "import os\n[f for f in {folders!r} if os.path.exists(f + '/left-by-a-run')]"
    private = [runner.folder / "scratch"]

    folders = runner.value(write)

    assert folders, "nothing could be written at all"
    shared = {"/tmp", "/var/tmp", "/dev/shm"} if runner.ready["runner"]["level"] == "guard" else set()
    for folder in shared & set(folders):
        (Path(folder) / "left-by-a-run").unlink(missing_ok=True)
    kept = [folder for folder in folders if folder not in shared]
    assert runner.value(read.replace("{folders!r}", repr(kept))) == []
    assert not list(private[0].rglob("left-by-a-run"))


@pytest.mark.parametrize("trap", ["os.mkdir('d'); open('d/f','w'); os.chmod('d', 0)", "os.chmod('.', 0)"])
def test_locked_folders_do_not_survive(runner: Runner, trap: str) -> None:
    runner.value(f"import os\n{trap}\n1")

    assert eventually(lambda: not list((runner.folder / "scratch").glob("run-*")))


def test_a_full_disk_is_the_run_s_own_problem(runner: Runner) -> None:
    code = """
import errno
try:
    with open('big', 'wb') as file:
        for _ in range({mib}):
            file.write(b'x' * 1024 * 1024)
    end = 'written'
except OSError as error:
    end = errno.errorcode[error.errno]
end
"""
    limits = {"maxDiskBytes": 4 * 1024 * 1024}

    assert runner.value(code.replace("{mib}", "2"), limits=limits) == "written"
    assert runner.value(code.replace("{mib}", "8"), limits=limits) in ("ENOSPC", "EFBIG")
    assert runner.value("1") == 1


def test_many_files_stop_at_the_limit_of_inodes(walled: Runner) -> None:
    code = """
count = 0
try:
    while count < 20_000:
        open(f'f{count}', 'w').close()
        count += 1
except OSError:
    pass
count
"""
    assert 9000 < walled.value(code) < 10_000


def test_a_fifo_and_links_among_the_artifacts_are_no_trap(runner: Runner) -> None:
    code = """
import os
os.mkfifo('outputs/fifo')
os.symlink('/etc/passwd', 'outputs/link')
os.symlink('/', 'outputs/root')
open('outputs/real.txt', 'w').write('real')
1
"""
    reply = runner.run(code)

    assert [artifact["name"] for artifact in reply["artifacts"]] == ["real.txt"]


def test_a_module_changed_by_a_run_is_whole_in_the_next(runner: Runner) -> None:
    runner.value("import json, sys, builtins\njson.dumps = None\nbuiltins.print = None\nsys.modules['math'] = None\n1")

    assert runner.value("import json, math\nprint(math.floor(1.5))\njson.dumps([1])") == "[1]"


def test_random_numbers_and_ids_differ_between_runs(runner: Runner) -> None:
    code = "import random, uuid, secrets, tempfile\n[random.random(), uuid.uuid4().hex, secrets.token_hex(8)]"

    first, second = runner.value(code), runner.value(code)

    assert all(one != other for one, other in zip(first, second, strict=True))


def test_files_beside_the_own_folder_do_not_survive(runner: Runner) -> None:
    """Without namespaces or a user of its own, a run may write wherever its supervisor may."""
    code = """
import os
above = os.path.dirname(os.path.dirname(os.getcwd()))
try:
    os.mkdir(above + '/run-1-1-9')
    open(above + '/left-above', 'w').write('x')
    end = 'written'
except OSError:
    end = 'refused'
end
"""
    assert runner.value(code) == ("written" if runner.ready["runner"]["level"] == "guard" else "refused")
    assert not [path for path in (runner.folder / "scratch").iterdir() if path.name in ("left-above", "run-1-1-9")]


@pytest.mark.parametrize(
    "trap", ["os.chmod('outputs', 0)", "os.rmdir('outputs')", DEEP, "os.chdir('outputs')\n" + DEEP]
)
def test_a_trap_in_the_own_folder_is_put_away(runner: Runner, trap: str) -> None:
    reply = runner.run(f"import os\n{trap}\n1")

    assert reply["outcome"]["status"] == "succeeded"
    assert runner.value("1") == 1
    assert eventually(lambda: not list((runner.folder / "scratch").glob("run-*")))
