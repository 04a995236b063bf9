"""matplotlib figures come back without a word about it in the code."""

import base64

import matplotlib.pyplot  # noqa: F401 - loaded before the fork, as in the zygote
from child_runs import run_python

HEAD = "import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot as plt\n"
PNG = b"\x89PNG"


def test_every_open_figure_is_saved_in_the_order_of_its_number():
    ran = run_python(f"{HEAD}plt.figure(7)\nplt.plot([1])\nplt.figure(2)\nx = 1")

    assert list(ran.outputs) == ["figure-1.png", "figure-2.png"]
    assert all(png.startswith(PNG) for png in ran.outputs.values())
    assert len(ran.outputs["figure-2.png"]) != len(ran.outputs["figure-1.png"])


def test_show_neither_blocks_nor_warns_nor_closes():
    ran = run_python(f"{HEAD}_ = plt.plot([1, 2])\nplt.show()\nplt.show()")

    assert list(ran.outputs) == ["figure-1.png"]
    assert ran.stderr == ""


def test_figures_are_saved_also_when_the_code_raised():
    ran = run_python(f"{HEAD}plt.plot([1])\nraise ValueError")

    assert ran.code == "code_raised"
    assert list(ran.outputs) == ["figure-1.png"]


def test_a_closed_figure_is_not_saved():
    assert run_python(f"{HEAD}plt.plot([1])\nplt.close('all')").outputs == {}


def test_a_file_of_the_code_is_never_replaced():
    ran = run_python(f"{HEAD}open('outputs/figure-1.png', 'w').write('mine')\nplt.plot([1])\nx = 1")

    assert ran.outputs["figure-1.png"] == b"mine"
    assert ran.outputs["figure-2.png"].startswith(PNG)


def test_a_figure_as_result_carries_its_png():
    main = run_python(f"{HEAD}fig, ax = plt.subplots()\nfig").main

    assert base64.b64decode(main["png"]).startswith(PNG)
    assert main["text"].startswith("<Figure size")


def test_a_png_over_the_result_limit_is_named_and_the_run_still_succeeds():
    main = run_python(f"{HEAD}fig, ax = plt.subplots()\nfig", max_result_bytes=2_000).main

    assert "png" not in main
    assert "over the result limit" in main["text"]


def test_a_figure_that_cannot_be_drawn_is_told_on_stderr():
    ran = run_python(f"{HEAD}plt.title('$\\\\frac{{$')\nx = 1")

    assert ran.frame["ok"]
    assert "figure 1 could not be saved" in ran.stderr


def test_a_missing_outputs_folder_is_made_again():
    ran = run_python(f"{HEAD}import os\nos.rmdir('outputs')\nplt.plot([1])\nx = 1")

    assert list(ran.outputs) == ["figure-1.png"]
