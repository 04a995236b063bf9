"""Which value of a Python program is its result."""

import pytest
from child_runs import run_python


def test_the_value_of_the_last_expression_is_the_main_result():
    ran = run_python("x = 20\nx + 1")

    assert ran.main == {"isMain": True, "text": "21", "json": 21}


def test_statements_alone_give_no_main_result():
    ran = run_python("x = 1\nprint(x)")

    assert ran.results == []
    assert ran.frame["ok"]
    assert ran.stdout == "1\n"


def test_main_is_called_with_the_variables_and_its_value_is_the_result():
    ran = run_python("def main(variables):\n    return {'sum': variables['a'] + 1}", {"a": 41})

    assert ran.main["json"] == {"sum": 42}


def test_main_may_return_nothing_and_that_is_null():
    assert run_python("def main(variables):\n    pass").main["json"] is None


def test_an_async_main_is_awaited():
    code = "import asyncio\nasync def main(v):\n    await asyncio.sleep(0)\n    return v['a']"

    assert run_python(code, {"a": [1]}).main["json"] == [1]


def test_await_at_the_top_level_works_as_in_a_notebook():
    ran = run_python("import asyncio\nx = await asyncio.sleep(0, 6)\nawait asyncio.sleep(0, x + 1)")

    assert ran.main["json"] == 7


def test_a_lambda_named_main_is_called():
    assert run_python("main = lambda v: v['a'] * 2", {"a": 4}).main["json"] == 8


@pytest.mark.parametrize("guard", ["if __name__ == '__main__':\n    main()", "main()"])
def test_a_script_that_calls_its_own_main_runs_it_once(guard):
    ran = run_python(f"def main():\n    print('ran')\n{guard}")

    assert ran.stdout == "ran\n"
    assert ran.frame["ok"]


def test_main_with_variables_under_the_usual_guard_runs_once():
    ran = run_python("def main(v):\n    print('ran')\n    return 1\nif __name__ == '__main__':\n    main({})")

    assert ran.stdout == "ran\n"
    assert ran.main["json"] == 1


def test_main_without_parameters_that_nobody_calls_is_called():
    assert run_python("def main():\n    return 5").main["json"] == 5


def test_variables_is_a_global_in_any_case():
    assert run_python("variables['a'][0]", {"a": ["x"]}).main["json"] == "x"


def test_display_adds_results_on_the_way():
    ran = run_python("display(1, 'b')\n3")

    assert [(result["isMain"], result["json"]) for result in ran.results] == [(False, 1), (False, "b"), (True, 3)]


def test_named_files_lie_in_the_working_directory():
    assert run_python("open('sales.csv').read()", files={"sales.csv": "a,b\n"}).main["json"] == "a,b\n"


def test_a_named_module_can_be_imported():
    assert run_python("import rates\nrates.VAT", files={"rates.py": "VAT = 19"}).main["json"] == 19


def test_classes_and_dataclasses_of_the_code_work():
    code = "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef main(v):\n    return [P(1)]"

    assert run_python(code).main["json"] == [{"x": 1}]


def test_code_can_be_pickled_as_in_any_script():
    code = "import pickle\nclass A:\n    x = 4\npickle.loads(pickle.dumps(A())).x"

    assert run_python(code).main["json"] == 4


def test_threads_finish_before_the_run_ends():
    code = "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.05), print('late'))).start()\n1"

    ran = run_python(code)

    assert ran.stdout == "late\n"
    assert ran.main["json"] == 1


def test_an_executor_that_was_left_open_does_not_hang_the_run():
    code = "from concurrent.futures import ThreadPoolExecutor\ne = ThreadPoolExecutor()\ne.submit(lambda: 8).result()"

    assert run_python(code).main["json"] == 8


def test_two_runs_draw_different_random_numbers():
    code = "import random, sys\nnp = sys.modules.get('numpy')\n[random.random(), np.random.rand() if np else None]"
    import numpy  # noqa: F401 - loaded here, it is loaded in the forked child, as in the zygote

    first, second = run_python(code).main["json"], run_python(code).main["json"]

    assert first[0] != second[0]
    assert first[1] != second[1]


def test_the_last_line_may_be_none():
    ran = run_python("print('x')")

    assert ran.results == []


def test_reading_input_raises_for_there_is_nobody_to_answer():
    assert run_python("input()").error["name"] == "EOFError"
