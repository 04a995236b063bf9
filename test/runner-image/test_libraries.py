"""Runs that import the heavy libraries find them loaded; others get a smaller process."""

from importlib.util import find_spec

import pytest
from conftest import settings_of
from runner_process import Runner, running

pytestmark = pytest.mark.skipif(find_spec("pandas") is None, reason="pandas is not installed here")


@pytest.fixture(scope="module")
def runner():
    settings = settings_of("namespaces") | {"libraries": ("numpy", "pandas", "matplotlib")}
    with running(**settings) as started:
        yield started


@pytest.mark.parametrize(
    ("line", "is_loaded"),
    [
        ("import pandas as pd", True),
        ("import os, numpy", True),
        ("from matplotlib import pyplot", True),
        ("import os", False),
    ],
)
def test_the_fork_server_is_chosen_by_the_imports(runner: Runner, line: str, is_loaded: bool) -> None:
    assert runner.value(f"import sys\nloaded = 'pandas' in sys.modules\n{line}\nloaded") is is_loaded


def test_a_program_over_a_named_file_answers_with_its_table(runner: Runner) -> None:
    (runner.files / "sales.csv").write_text("shop,sum\na,1\nb,2\na,3\n")
    (runner.files / "sales.csv").chmod(0o644)
    code = "import pandas as pd\npd.read_csv('sales.csv').groupby('shop')['sum'].sum().reset_index()"

    reply = runner.run(code, files=["sales.csv"])

    assert reply["outcome"]["status"] == "succeeded", reply
    assert reply["results"][0]["table"]["rows"] == [["a", 4], ["b", 2]]


def test_a_figure_left_open_comes_back(runner: Runner) -> None:
    reply = runner.run("import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nNone")

    assert reply["outcome"]["status"] == "succeeded", reply
    assert reply["artifacts"] or any("png" in result for result in reply["results"])


def test_random_numbers_of_numpy_differ_between_runs(runner: Runner) -> None:
    code = "import numpy\nfloat(numpy.random.random())"

    assert runner.value(code) != runner.value(code)


def test_memory_of_the_loaded_libraries_is_not_the_run_s(runner: Runner) -> None:
    code = "import numpy\nx = numpy.ones(80 * 1024 * 1024 // 8)\nlen(x)"

    assert runner.value(code, limits={"memoryMiB": 128}) == 10 * 1024 * 1024
    assert runner.run(code, limits={"memoryMiB": 64})["outcome"]["code"] == "out_of_memory"
