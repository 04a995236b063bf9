"""What Python code prints arrives whole, soon, and as UTF-8."""

from child_runs import run_python


def test_print_and_stderr_arrive_apart():
    ran = run_python("import sys\nprint('out')\nprint('err', file=sys.stderr)")

    assert (ran.stdout, ran.stderr) == ("out\n", "err\n")


def test_text_without_a_line_end_is_not_lost():
    assert run_python("print('a', end='')").stdout == "a"


def test_a_line_is_written_before_the_run_ends():
    # os._exit flushes nothing: what arrived was written when it was printed.
    assert run_python("import os\nprint('a')\nos._exit(0)").stdout == "a\n"


def test_output_is_utf8_whatever_the_locale():
    assert run_python("print('é😀')").stdout == "é😀\n"


def test_half_a_surrogate_pair_is_escaped_and_does_not_raise():
    ran = run_python("print('\\ud800')\n1")

    assert ran.stdout == "\\ud800\n"
    assert ran.main["json"] == 1


def test_a_closed_stdout_does_not_cost_the_result():
    assert run_python("import sys\nsys.stdout.close()\n1").main["json"] == 1
    assert run_python("import os\nprint('a', end='')\nos.close(1)\n1").main["json"] == 1


def test_a_replaced_stdout_does_not_cost_the_result():
    assert run_python("import sys\nsys.stdout = None\n1").main["json"] == 1


def test_output_of_a_child_process_arrives():
    assert run_python("import subprocess\n_ = subprocess.run(['echo', 'x'])").stdout == "x\n"
