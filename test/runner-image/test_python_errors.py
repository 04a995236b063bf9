"""Every way in which Python code can end is a typed outcome."""

import pytest
from child_runs import run_python


def test_an_error_names_type_value_and_innermost_line_of_the_source():
    ran = run_python("def f(a):\n    return a / 0\n\nf(1)")

    assert ran.code == "code_raised"
    assert ran.error["name"] == "ZeroDivisionError"
    assert ran.error["value"] == "division by zero"
    assert ran.error["line"] == 2
    assert 'File "<code>", line 4, in <module>\n    f(1)' in ran.error["traceback"]
    assert "return a / 0" in ran.error["traceback"]


def test_frames_of_the_harness_and_of_libraries_stay_out_of_the_traceback():
    ran = run_python("import json\njson.loads('{')")

    assert ran.error["name"] == "JSONDecodeError"
    assert ran.error["line"] == 2
    assert "berth_runner" not in ran.error["traceback"]
    assert "decoder.py" not in ran.error["traceback"]
    assert "frames of libraries left out" in ran.error["traceback"]


@pytest.mark.parametrize(
    ("code", "line"),
    [("x = 1\ny = (", 2), ("if True:\nx = 1", 2), ("return 1", 1), ("x = 1\n\tz", 2), ("a = 1\nb = '", 2)],
)
def test_a_syntax_error_is_invalid_source_with_its_line(code, line):
    ran = run_python(code)

    assert ran.code == "invalid_source"
    assert ran.error["line"] == line


@pytest.mark.parametrize("code", ["x = 'a\0b'", "(" * 5000 + ")" * 5000, "-" * 100_000 + "1"])
def test_source_that_the_compiler_cannot_take_is_invalid_source(code):
    ran = run_python(code)

    assert ran.frame is None or ran.code == "invalid_source"
    assert ran.frame is not None or ran.status != 0


def test_a_syntax_error_at_run_time_is_raised_by_the_code():
    ran = run_python("x = 1\nexec('(')")

    assert ran.code == "code_raised"
    assert ran.error["line"] == 2


def test_sys_exit_without_status_is_a_success_without_result():
    for call in ("sys.exit()", "sys.exit(0)", "exit()"):
        ran = run_python(f"import sys\nprint('a')\n{call}\n5")

        assert ran.frame["ok"], call
        assert ran.results == []
        assert ran.stdout == "a\n"


def test_sys_exit_with_a_status_is_exited_with_the_line():
    ran = run_python("import sys\nsys.exit(3)")

    assert ran.code == "exited"
    assert "status 3" in ran.frame["detail"]
    assert ran.error["line"] == 2


def test_sys_exit_with_a_text_prints_it_as_python_does():
    ran = run_python("import sys\nsys.exit('no data')")

    assert ran.code == "exited"
    assert "status 1" in ran.frame["detail"]
    assert ran.stderr == "no data\n"


def test_os_exit_leaves_no_frame_and_its_status():
    ran = run_python("import os\nos._exit(7)")

    assert ran.frame is None
    assert ran.status >> 8 == 7


def test_a_closed_result_pipe_leaves_no_frame_and_ends_the_child():
    ran = run_python("import os\nos.closerange(3, 200)\n1")

    assert ran.frame is None
    assert ran.status == 0


def test_a_memory_error_is_out_of_memory():
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
    code = f"{limit}x = []\nwhile True:\n    x.append(bytes(2**24))"

    ran = run_python(code)

    assert ran.code == "out_of_memory"
    assert ran.error["name"] == "MemoryError"
    assert ran.error["line"] == 5


@pytest.mark.parametrize(
    "code",
    [
        "raise MemoryError",
        "raise MemoryError('made up')",
        "class Full(MemoryError): pass\ndef f():\n    raise Full\nf()",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise MemoryError from e",
        "e = MemoryError()\ne.__context__ = e\nraise e",
    ],
)
def test_a_memory_error_that_the_code_makes_up_is_the_codes_own(code):
    ran = run_python(code)

    assert ran.code == "code_raised"


@pytest.mark.parametrize(
    "code",
    [
        "bytes(10**15)",
        "[0] * 10**15",
        "def f():\n    return bytes(10**15)\ntry:\n    f()\nexcept MemoryError:\n    raise",
        "try:\n    bytes(10**15)\nexcept MemoryError as e:\n    raise MemoryError('told anew') from e",
        "try:\n    bytes(10**15)\nexcept MemoryError:\n    raise MemoryError('told anew') from None",
        "import numpy\nnumpy.zeros(10**15)",
    ],
)
def test_a_refusal_of_memory_is_told_apart_from_one_made_up(code):
    ran = run_python(code)

    assert ran.code == "out_of_memory"


def test_a_recursion_error_is_raised_by_the_code_with_a_short_traceback():
    ran = run_python("def f():\n    f()\nf()")

    assert ran.error["name"] == "RecursionError"
    assert ran.error["line"] == 2
    assert "more times" in ran.error["traceback"]


def test_an_exception_group_shows_what_is_in_it():
    ran = run_python("raise ExceptionGroup('both', [ValueError('a'), KeyError('b')])")

    assert ran.error["name"] == "ExceptionGroup"
    assert "ValueError: a" in ran.error["traceback"]
    assert "KeyError: 'b'" in ran.error["traceback"]


def test_a_cause_is_shown():
    ran = run_python("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('v') from e")

    assert ran.error["line"] == 4
    assert "ZeroDivisionError" in ran.error["traceback"]


@pytest.mark.parametrize(
    "code",
    [
        "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
        "class E(Exception):\n    def __str__(self): raise SystemExit\n    __repr__ = __str__\nraise E",
        "class E(Exception):\n    def __str__(self): return 'x' * 10_000_000\nraise E",
        "class M(type):\n    __name__ = property(lambda s: 1/0)\nclass E(Exception, metaclass=M): pass\nraise E",
        "class E(Exception):\n    __class__ = property(lambda s: 1/0)\nraise E",
        "class E(Exception):\n    __cause__ = property(lambda s: 1/0)\nraise E",
        "class E(BaseException): pass\nraise E",
        "raise KeyboardInterrupt",
        "raise GeneratorExit",
        "import sys\nsys.excepthook = 1\nraise ValueError",
        "e = ValueError('a')\ne.__context__ = e\nraise e",
        "raise ValueError('\\ud800')",
        "class E(Exception):\n    def __del__(self): raise ValueError\nraise E",
    ],
)
def test_a_hostile_exception_is_still_told(code):
    ran = run_python(code)

    assert ran.code == "code_raised"
    assert ran.error["line"] is not None
    assert len(ran.error["value"]) < 10_000
    assert len(ran.error["traceback"]) < 20_000


def test_a_long_message_is_cut_with_a_mark():
    ran = run_python("raise ValueError('x' * 100_000)")

    assert "characters left out" in ran.error["value"]


def test_results_that_were_displayed_before_the_error_stay():
    ran = run_python("display(1)\nraise ValueError")

    assert [result["json"] for result in ran.results] == [1]
    assert ran.code == "code_raised"


def test_an_error_in_a_named_module_names_the_line_of_the_source_that_called_it():
    ran = run_python("import rates\n\nrates.f()", files={"rates.py": "def f():\n    raise ValueError('r')\n"})

    assert ran.error["line"] == 3
    assert "rates.py" in ran.error["traceback"]


def test_a_killing_fault_leaves_no_frame_and_its_signal():
    ran = run_python("import ctypes\nctypes.string_at(0)")

    assert ran.frame is None
    assert ran.status & 0x7F == 11
