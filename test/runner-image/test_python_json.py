"""A Python result is JSON without loss, or the first place that is not is named."""

import json
import math
import random

import pytest
from berth_runner.child.json_value import MAX_DEPTH, NotJsonError, TooLargeError, to_json
from child_runs import run_python

ROOM = 1_000_000


def random_value(rng: random.Random, depth: int = 0) -> object:
    leaves = [
        lambda: None,
        lambda: rng.random() < 0.5,
        lambda: rng.randint(-(2**53) + 1, 2**53 - 1),
        lambda: rng.uniform(-1e300, 1e300),
        lambda: "".join(chr(rng.choice([rng.randint(0, 0xD7FF), rng.randint(0xE000, 0x10FFFF)])) for _ in range(4)),
    ]
    if depth < 4 and rng.random() < 0.5:
        inner = [random_value(rng, depth + 1) for _ in range(rng.randint(0, 4))]
        if rng.random() < 0.5:
            return inner
        return {str(random_value(rng, 9)): value for value in inner}
    return rng.choice(leaves)()


def test_any_json_value_comes_back_equal():
    rng = random.Random(7)
    for _ in range(500):
        value = random_value(rng)

        assert to_json(value, ROOM) == value
        assert json.loads(json.dumps(to_json(value, ROOM), allow_nan=False)) == value


def test_a_bad_leaf_anywhere_is_named_by_its_path():
    rng = random.Random(8)
    for _ in range(200):
        value: object = rng.choice([math.nan, {1}, b"x", 2**53, object()])
        path = ""
        for _ in range(rng.randint(0, 6)):
            index, key = rng.randint(0, 3), rng.choice(["a", "b c", "é"])
            if rng.random() < 0.5:
                value, path = [0] * index + [value], f"[{index}]{path}"
            else:
                value, path = {key: value}, (f".{key}" if key.isidentifier() else f'["{key}"]') + path

        with pytest.raises(NotJsonError) as told:
            to_json(value, ROOM)
        assert str(told.value).startswith(f"${path} ")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("(1, (2,))", [1, [2]]),
        ("datetime.datetime(2026, 1, 2, 3, 4, 5)", "2026-01-02T03:04:05"),
        ("datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)", "2026-01-02T00:00:00+00:00"),
        ("datetime.date(2026, 1, 2)", "2026-01-02"),
        ("decimal.Decimal('0.10')", "0.10"),
        ("numpy.int64(5)", 5),
        ("numpy.float32(0.5)", 0.5),
        ("numpy.bool_(True)", True),
        ("numpy.str_('a')", "a"),
        ("numpy.array([[1, 2], [3, 4]])", [[1, 2], [3, 4]]),
        ("numpy.array(['2026-01-02'], dtype='datetime64[D]')", ["2026-01-02"]),
        ("numpy.datetime64('2026-01-02T03:04:05.000000001')", "2026-01-02T03:04:05.000000001"),
        ("pandas.Timestamp('2026-01-02')", "2026-01-02T00:00:00"),
        ("collections.Counter('aab')", {"a": 2, "b": 1}),
        ("9007199254740991", 2**53 - 1),
        ("-9007199254740991", 1 - 2**53),
        ("http.HTTPStatus.OK", 200),
        ("True", True),
        ("{}", {}),
    ],
)
def test_values_with_a_json_form_are_converted(expression, expected):
    code = f"import collections, datetime, decimal, http, numpy, pandas\ndef main(v):\n    return {{'x': {expression}}}"

    assert run_python(code).main["json"] == {"x": expected}


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("float('nan')", "$.x is nan"),
        ("float('-inf')", "$.x is -inf"),
        ("9007199254740992", "$.x is an integer beyond"),
        ("-9007199254740992", "$.x is an integer beyond"),
        ("10**5000", "$.x is an integer beyond"),
        ("{1: 2}", "$.x has a key of type int"),
        ("{None: 2}", "$.x has a key of type NoneType"),
        ("[1, {2}]", "$.x[1] is a set"),
        ("b'a'", "$.x is a bytes"),
        ("object()", "$.x is a object"),
        ("len", "$.x is a builtin_function_or_method"),
        ("1j", "$.x is a complex"),
        ("'\\ud800'", "$.x is text with half a surrogate"),
        ("{'\\ud800': 1}", "$.x is text with half a surrogate"),
        ("pandas.NaT", "$.x is NaT"),
        ("numpy.datetime64('NaT')", "$.x is NaT"),
        ("pandas.NA", "$.x is a NAType"),
        ("numpy.array([1.0, numpy.nan])", "$.x[1] is nan"),
        ("numpy.uint64(2**63)", "$.x is an integer beyond"),
        ("numpy.timedelta64(1, 'ns')", "$.x is a timedelta64"),
        ("datetime.timedelta(1)", "$.x is a timedelta"),
        ("decimal.Decimal('NaN')", "$.x is Decimal('NaN')"),
        ("pandas.DataFrame({'a': [1]})", '$.x is a DataFrame, which JSON does not have; return df.to_dict("records")'),
    ],
)
def test_a_value_of_main_that_is_not_json_fails_and_names_its_place(expression, why):
    code = f"import datetime, decimal, numpy, pandas\ndef main(v):\n    return {{'x': {expression}}}"

    ran = run_python(code)

    assert ran.code == "result_not_serializable"
    assert ran.error["value"].startswith(why)
    assert ran.results == []


def test_as_the_last_expression_of_a_script_it_stays_as_text():
    ran = run_python("{'x': float('nan')}")

    assert ran.main == {"isMain": True, "text": "{'x': nan}"}


def test_cycles_are_named():
    ran = run_python("def main(v):\n    a = []\n    a.append({'b': a})\n    return a")

    assert ran.error["value"].startswith("$[0].b contains itself")


def test_the_same_object_twice_is_no_cycle():
    assert run_python("def main(v):\n    a = [1]\n    return [a, a]").main["json"] == [[1], [1]]


def test_depth_is_limited_exactly():
    def nested(depth: int) -> object:
        value: object = 1
        for _ in range(depth):
            value = [value]
        return value

    to_json(nested(MAX_DEPTH), ROOM)
    with pytest.raises(NotJsonError, match="nested deeper"):
        to_json(nested(MAX_DEPTH + 1), ROOM)


def test_a_value_that_blows_up_is_stopped_early():
    value: object = [0]
    for _ in range(60):
        value = [value, value]

    with pytest.raises(TooLargeError):
        to_json(value, 10_000)


def test_the_evaluator_needs_a_result_that_is_json():
    for code in ("x = 1", "print(1)", "{1, 2}", "import pandas\npandas.DataFrame({'a': [1]})"):
        assert run_python(code, profile="evaluator").code == "result_not_serializable", code
    assert run_python("[1]", profile="evaluator").main["json"] == [1]


@pytest.mark.parametrize(
    "body",
    [
        "def __repr__(self): raise ValueError",
        "def __repr__(self): raise SystemExit",
        "def __repr__(self): return 'x' * 10_000_000",
        "def __repr__(self): return '\\ud800'",
        "def __repr__(self): return 5",
        "__class__ = property(lambda s: 1 / 0)",
        "_repr_html_ = property(lambda s: 1 / 0)",
        "def _repr_html_(self): raise ValueError",
        "def _repr_html_(self): return 5",
        "def __getattr__(self, name): return lambda *a: 'rich?'",
        "def __eq__(self, o): raise ValueError",
        "def __hash__(self): raise ValueError",
        "def __len__(self): raise ValueError",
        "def __bool__(self): raise ValueError",
    ],
)
def test_hostile_objects_are_shown_or_refused_but_never_break_the_run(body):
    script = run_python(f"class A:\n    {body}\nA()")
    returned = run_python(f"class A:\n    {body}\ndef main(v):\n    return A()")

    assert set(script.main) == {"isMain", "text"}
    assert len(script.main["text"]) < 20_000
    assert returned.code == "result_not_serializable"


def test_rich_forms_are_taken_from_the_usual_methods():
    code = """
class A:
    def _repr_html_(self): return '<b>a</b>'
    def _repr_markdown_(self): return '**a**'
    def _repr_svg_(self): return '<svg/>'
    def _repr_png_(self): return b'png'
    def __repr__(self): return 'A'
def main(v):
    return A()"""

    assert run_python(code).main == {
        "isMain": True,
        "text": "A",
        "html": "<b>a</b>",
        "markdown": "**a**",
        "svg": "<svg/>",
        "png": "cG5n",
    }


def test_lies_of_subclasses_do_not_reach_the_json():
    code = "class I(int):\n    def __repr__(s): return 'evil'\n    __str__ = __repr__\ndef main(v):\n    return [I(3)]"

    assert run_python(code).main["json"] == [3]


def results_bytes(ran) -> int:
    return len(json.dumps(ran.results, ensure_ascii=False, separators=(",", ":")).encode())


@pytest.mark.parametrize("code", ["'é' * 400", "display('é' * 50)\ndisplay([1])\n{'a': 'x' * 90}"])
def test_results_exactly_at_the_limit_pass_and_one_byte_over_fails(code):
    size = results_bytes(run_python(code))

    at_limit, over = run_python(code, max_result_bytes=size), run_python(code, max_result_bytes=size - 1)

    assert at_limit.frame["ok"]
    assert over.code == "result_too_large"
    assert str(size) in over.frame["detail"]
    assert results_bytes(over) < size


def test_a_huge_result_fails_without_being_built():
    assert run_python("'x' * 300_000").code == "result_too_large"
    assert run_python("list(range(1_000_000))").code == "result_too_large"


def test_endless_display_fails_with_what_fitted():
    ran = run_python("for i in range(100_000):\n    display('x' * 100)")

    assert ran.code == "result_too_large"
    assert 1000 < len(ran.results) < 10_000
