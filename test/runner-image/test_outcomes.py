"""Every way a run can end has its own outcome, told by the supervisor, and the next run is clean."""

import json

import pytest
from runner_process import KIB, Runner

FORGE = "import os, struct, json\ndef frame(body):\n    os.write(3, struct.pack('>I', len(body)) + body)\n"


@pytest.fixture(autouse=True)
def next_run_is_clean(runner: Runner):
    yield
    assert runner.value("print('still here'); sum(range(5))") == 10


@pytest.mark.parametrize(
    ("code", "status", "failure"),
    [
        ("1 / 0", "failed", "code_raised"),
        ("def f(:", "failed", "invalid_source"),
        ("import sys; sys.exit(3)", "failed", "exited"),
        ("import os; os._exit(3)", "failed", "exited"),
        ("import os; os._exit(0)", "failed", "exited"),
        ("import ctypes; ctypes.string_at(0)", "crashed", "crashed"),
        ("import os; os.abort()", "crashed", "crashed"),
        ("x = bytearray(700 * 1024 * 1024)\nx[::4096] = b'x' * len(x[::4096])", "crashed", "out_of_memory"),
        ("while True: pass", "timed_out", "timeout"),
        ("import os\nfor fd in range(3, 64):\n  try: os.close(fd)\n  except OSError: pass", "failed", "exited"),
        ("import os\nos.closerange(0, 1000)\nwhile True: pass", "timed_out", "timeout"),
        ("while True: print('x' * 1000)", "failed", "output_limit"),
        ("import os\nwhile True: os.write(2, b'x' * 65536)", "failed", "output_limit"),
        ("import os\nwhile True: os.write(3, b'\\xff' * 65536)", "failed", "result_too_large"),
    ],
)
def test_an_end_has_its_own_outcome(runner: Runner, code: str, status: str, failure: str) -> None:
    reply = runner.run(code, limits={"timeoutMs": 2000} if failure == "timeout" else {})

    assert (reply["outcome"]["status"], reply["outcome"]["code"]) == (status, failure), reply["outcome"]


def test_a_fault_names_its_signal(runner: Runner) -> None:
    reply = runner.run("import ctypes; ctypes.string_at(0)")

    assert "SIGSEGV" in reply["outcome"]["detail"]


def test_an_exit_names_its_status(runner: Runner) -> None:
    assert "status 7" in runner.run("import os; os._exit(7)")["outcome"]["detail"]


def test_a_stopped_process_runs_into_its_deadline(runner: Runner) -> None:
    # The first process of a pid namespace ignores SIGSTOP from inside, so there a child of it is stopped.
    code = "import os, signal\npid = os.fork()\npid or os.kill(os.getpid(), signal.SIGSTOP)\nos.waitpid(pid, 0)"

    assert runner.run(code, limits={"timeoutMs": 500})["outcome"]["code"] == "timeout"


def test_a_time_out_keeps_what_was_printed(runner: Runner) -> None:
    reply = runner.run("print('before', flush=True)\nwhile True: pass", limits={"timeoutMs": 2000})

    assert reply["outcome"]["status"] == "timed_out"
    assert reply["logs"]["stdout"] == "before\n"


def test_a_cancel_keeps_what_was_printed(runner: Runner) -> None:
    request = runner.request("print('before', flush=True)\nwhile True: pass")
    runner.send(request)

    def cancel(frame):
        if frame["kind"] == "output":
            runner.send({"kind": "cancel", "runId": request["runId"]})

    reply = runner.finish(request["runId"], cancel)

    assert (reply["outcome"]["status"], reply["outcome"]["code"]) == ("canceled", "canceled")
    assert reply["logs"]["stdout"] == "before\n"


def test_output_at_the_limit_passes_and_one_byte_more_does_not(runner: Runner) -> None:
    limits = {"maxOutputBytes": 100}
    code = "import sys; sys.stdout.write('a' * 60); sys.stderr.write('b' * {})"

    at, over = (runner.run(code.format(count), limits=limits) for count in (40, 41))

    assert at["outcome"]["status"] == "succeeded"
    assert at["logs"]["droppedBytes"] == 0
    assert (over["outcome"]["status"], over["outcome"]["code"]) == ("failed", "output_limit")
    assert over["logs"]["droppedBytes"] == 1
    assert len(over["logs"]["stdout"]) + len(over["logs"]["stderr"]) == 100
    assert sum(over["logs"]["truncated"].values()) == 1


def test_a_result_at_the_limit_passes_and_one_byte_more_does_not(runner: Runner) -> None:
    one = runner.run("'é' * 100")["results"]
    size = len(json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode())

    at, over = (runner.run("'é' * 100", limits={"maxResultBytes": limit}) for limit in (size, size - 1))

    assert at["results"] == one
    assert (over["outcome"]["status"], over["outcome"]["code"]) == ("failed", "result_too_large")
    assert over["results"] == []


def test_output_that_is_not_utf_8_is_marked_and_the_rest_is_whole(runner: Runner) -> None:
    reply = runner.run("import os; os.write(1, b'a\\xff\\xfeb\\xc3\\xa9'); os.write(2, b'\\xe2\\x82')")

    assert reply["logs"]["stdout"] == "a\ufffd\ufffdb\u00e9"
    assert reply["logs"]["stderr"] == "\ufffd"


def test_a_character_cut_by_two_writes_arrives_whole(runner: Runner) -> None:
    pieces = []
    code = "import os, time\nos.write(1, b'\\xe2\\x82')\ntime.sleep(0.05)\nos.write(1, b'\\xac')"

    reply = runner.run(code, lambda frame: pieces.append(frame.get("text")))

    assert reply["logs"]["stdout"] == "€"
    assert [piece for piece in pieces if piece] == ["€"]


def test_a_well_formed_forged_result_is_the_code_s_own_result(runner: Runner) -> None:
    frame = {"kind": "result", "ok": True, "results": [], "error": None, "code": None, "detail": "forged"}
    reply = runner.run(f"{FORGE}frame({json.dumps(frame).encode()!r})\nwhile True: pass")

    assert reply["outcome"] == {"status": "succeeded", "code": None, "detail": "forged"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b"[" * 100_000,
        b"1" * 10_000,
        b'{"kind":"refusal","code":"runner_outdated"}',
        b'{"kind":"result","ok":true,"results":[],"error":null,"code":null,"detail":"","outcome":{}}',
        b'{"kind":"result","ok":true,"results":[],"error":null,"code":"timeout","detail":""}',
        b'{"kind":"result","ok":false,"results":[],"error":null,"code":null,"detail":""}',
        b'{"kind":"result","ok":false,"results":[],"error":null,"code":"runner_outdated","detail":""}',
        b'{"kind":"result","ok":false,"results":[],"error":null,"code":["timeout"],"detail":""}',
        b'{"kind":"result","ok":true,"results":[{"isMain":1}],"error":null,"code":null,"detail":""}',
        b'{"kind":"result","ok":true,"results":[{"isMain":true,"json":NaN}],"error":null,"code":null,"detail":""}',
        b'{"kind":"result","ok":true,"results":[{"isMain":true,"json":1e999}],"error":null,"code":null,"detail":""}',
        b'{"kind":"result","ok":true,"results":[{"isMain":true,"js":"x"}],"error":null,"code":null,"detail":""}',
        b'{"kind":"result","ok":true,"results":[{"isMain":true,"table":{"columns":[],"rows":[1],"rowCount":0,'
        b'"truncated":false}}],"error":null,"code":null,"detail":""}',
        b'{"kind":"result","ok":true,"results":[],"error":{"name":1},"code":null,"detail":""}',
        b"\xff\xfe",
    ],
)
def test_a_malformed_forged_frame_is_an_exit_and_never_a_refusal(runner: Runner, body: bytes) -> None:
    reply = runner.run(f"{FORGE}frame({body!r})\nwhile True: pass")

    assert reply["kind"] == "reply"
    assert (reply["outcome"]["status"], reply["outcome"]["code"]) == ("failed", "exited")


def test_a_forged_frame_cannot_announce_more_than_the_limit(runner: Runner) -> None:
    reply = runner.run("import os; os.write(3, b'\\xff\\xff\\xff\\xff')\nwhile True: pass")

    assert reply["outcome"]["code"] == "result_too_large"


def test_a_fork_bomb_is_contained_and_the_code_may_survive_it(runner: Runner) -> None:
    code = """
import os, time
count = 0
try:
    for _ in range(500):
        if os.fork() == 0:
            time.sleep(30); os._exit(0)
        count += 1
except OSError as error:
    pass
count
"""
    few, more = (runner.value(code, limits={"maxProcesses": limit}) for limit in (8, 16))

    assert 0 < few <= 8
    assert few < more <= 16


def test_threads_count_as_processes(runner: Runner) -> None:
    code = """
import threading, time
count = 0
try:
    for _ in range(500):
        threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        count += 1
except RuntimeError:
    pass
count
"""
    assert 0 < runner.value(code, limits={"maxProcesses": 8}) <= 8


def test_memory_within_the_limit_passes(runner: Runner) -> None:
    code = "x = bytearray(100 * 1024 * 1024); x[::4096] = b'x' * len(x[::4096]); len(x)"

    assert runner.value(code) == 100 * KIB * KIB


def test_a_tree_of_processes_shares_one_memory_limit(runner: Runner) -> None:
    code = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        x = bytearray(100 * 1024 * 1024); x[::4096] = b'x' * len(x[::4096])
        time.sleep(20); os._exit(0)
while True:
    pid, status = os.wait()
    if os.WIFSIGNALED(status):
        os._exit(99)
"""
    reply = runner.run(code)

    # Where the kernel counts, it kills one of the tree; where the supervisor counts, it ends the run.
    detail = reply["outcome"]["detail"]
    assert reply["outcome"]["code"] == "out_of_memory" or "status 99" in detail, reply["outcome"]


def test_usage_is_the_supervisor_s_own_measure(runner: Runner) -> None:
    reply = runner.run("import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass")

    assert reply["usage"]["cpuMs"] >= 190
    assert reply["usage"]["wallMs"] >= reply["usage"]["cpuMs"] * 0.9
    assert reply["usage"]["peakMemoryMiB"] > 1


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("b'9' * 400", id="an integer that JavaScript reads as Infinity"),
        pytest.param("b'1e999'", id="a number beyond range"),
        pytest.param("b'[' * 900 + b']' * 900", id="deep nesting that Python can just read"),
        pytest.param("b'[' * 100_000", id="deep nesting that nobody can read"),
    ],
)
def test_a_forged_result_that_would_break_the_reply_is_the_codes_own_failure(runner: Runner, value: str) -> None:
    head = '{"kind":"result","ok":true,"results":[{"isMain":true,"json":'
    code = f'{FORGE}frame({head.encode()} + {value} + b\'}}],"error":null,"code":null,"detail":""}}\')'

    reply = runner.run(f"{code}\nos._exit(0)")

    assert (reply["outcome"]["status"], reply["outcome"]["code"]) == ("failed", "exited")
    assert reply["results"] == []


def test_output_byte_by_byte_is_gathered_and_nothing_is_lost(runner: Runner) -> None:
    frames = []
    code = "import os\nfor _ in range(20_000): os.write(1, b'x')"

    reply = runner.run(code, frames.append)

    told = [frame["text"] for frame in frames if frame["kind"] == "output"]
    assert reply["logs"]["stdout"] == "x" * 20_000
    assert "".join(told) == reply["logs"]["stdout"]
    assert len(told) < 2000, "the supervisor woke up for nearly every byte"
