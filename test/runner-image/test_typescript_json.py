"""A TypeScript result is JSON without loss, or the first place that is not is named; the rules are Python's."""

import json
import random

import pytest
from child_runs import run_typescript
from test_python_json import random_value


def test_any_json_value_comes_back_equal():
    rng = random.Random(9)
    values = [random_value(rng) for _ in range(300)]

    ran = run_typescript("export default (v: any) => v.values", {"values": values}, max_result_bytes=10_000_000)

    assert ran.main["json"] == values


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("new URL('https://a.example/')", "https://a.example/"),
        ("new Float64Array([1.5, 2])", [1.5, 2]),
        ("new (class P { x = 1 })()", {"x": 1}),
        ("Object.create(null)", {}),
        ("9007199254740991", 2**53 - 1),
        ("1e300", 1e300),
        ("new String('a')", "a"),
        ("JSON.parse('{\"__proto__\": 1}')", {"__proto__": 1}),
        ("[[], {}, null, true, '']", [[], {}, None, True, ""]),
    ],
)
def test_values_with_a_json_form_are_converted(expression, expected):
    assert run_typescript(f"export default () => ({{ x: {expression} }})").main["json"] == {"x": expected}


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("NaN", "$.x is NaN"),
        ("-Infinity", "$.x is -Infinity"),
        ("9007199254740992", "$.x is an integer beyond"),
        ("5n", "$.x is a bigint"),
        ("undefined", "$.x is undefined"),
        ("[1, , 2]", "$.x[1] is undefined"),
        ("() => 1", "$.x is a function"),
        ("Symbol('a')", "$.x is a symbol"),
        ("{ [Symbol('a')]: 1 }", "$.x has a key that is a symbol"),
        ("new Map()", "$.x is a Map"),
        ("[new Set()]", "$.x[0] is a Set"),
        ("{ 'b c': /a/ }", '$.x["b c"] is a RegExp'),
        ("Promise.resolve(1)", "$.x is a Promise"),
        ("new Error('a')", "$.x is a Error"),
        ("new ArrayBuffer(1)", "$.x is a ArrayBuffer"),
        ("new Date(NaN)", "$.x is an invalid Date"),
        ("'\\ud800'", "$.x is text with half a surrogate"),
        ("new Proxy({}, {})", "$.x is a Proxy"),
        ("new Float64Array([NaN])", "$.x[0] is NaN"),
        ("{ get y() { throw new Error('g') } }", "$ cannot be read"),
        ("{ toJSON() { throw new Error('g') } }", "$ cannot be read"),
    ],
)
def test_a_value_of_main_that_is_not_json_fails_and_names_its_place(expression, why):
    ran = run_typescript(f"export default () => ({{ x: {expression} }})")

    assert ran.code == "result_not_serializable"
    assert ran.error["value"].startswith(why)


def test_as_a_default_export_it_stays_as_text():
    assert run_typescript("export default new Map([[1, NaN]])").main == {"isMain": True, "text": "Map(1) { 1 => NaN }"}


def test_cycles_and_depth_are_named():
    assert (
        run_typescript("export default () => { const a: any = []; a.push({ b: a }); return a }")
        .error["value"]
        .startswith("$[0].b contains itself")
    )
    deep = "export default () => { let a: any = 1; for (let i = 0; i < DEPTH; i++) a = [a]; return a }"
    assert run_typescript(deep.replace("DEPTH", "100")).frame["ok"]
    assert "nested deeper" in run_typescript(deep.replace("DEPTH", "101")).error["value"]


def test_the_evaluator_needs_a_result_that_is_json():
    for code in ("const x = 1", "export default () => {}", "export default new Map()"):
        assert run_typescript(code, profile="evaluator").code == "result_not_serializable", code
    assert run_typescript("export default () => null", profile="evaluator").main["json"] is None


def test_results_exactly_at_the_limit_pass_and_one_byte_over_fails():
    code = "display('é'.repeat(50))\nexport default { a: 'x'.repeat(90) }"
    size = len(json.dumps(run_typescript(code).results, ensure_ascii=False, separators=(",", ":")).encode())

    at_limit, over = run_typescript(code, max_result_bytes=size), run_typescript(code, max_result_bytes=size - 1)

    assert at_limit.frame["ok"]
    assert over.code == "result_too_large"
    assert str(size) in over.frame["detail"]


def test_a_huge_result_fails_without_being_built():
    assert run_typescript("export default 'x'.repeat(300_000)").code == "result_too_large"
    blow_up = "let a: any = [0]\nfor (let i = 0; i < 60; i++) a = [a, a]\nexport default a"
    assert run_typescript(blow_up).code == "result_too_large"
