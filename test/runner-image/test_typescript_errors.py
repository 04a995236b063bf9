"""Every way in which TypeScript code can end is a typed outcome."""

import os

import pytest
from child_runs import run_typescript, start_node


def test_an_error_names_type_value_and_innermost_line_of_the_source():
    ran = run_typescript("type T = number\nfunction f(a: T): T {\n  throw new TypeError('no')\n}\nf(1)")

    assert ran.code == "code_raised"
    assert ran.error["name"] == "TypeError"
    assert ran.error["value"] == "no"
    assert ran.error["line"] == 3
    assert "at f (code.ts:3:9)" in ran.error["traceback"]
    assert "harness" not in ran.error["traceback"]


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("let a: number = 1\nenum X { A }", 2),
        ("\n\nnamespace N { export const x = 1 }", 3),
        ("let a = 1\n@d class A {}", 2),
        ("class A {\n  constructor(private x: number) {}\n}", 2),
        ("import x = require('fs')", 1),
    ],
)
def test_typescript_that_cannot_be_erased_is_unsupported_syntax_with_its_line(code, line):
    ran = run_typescript(code)

    assert ran.code == "unsupported_syntax"
    assert ran.error["line"] == line


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("let a = 1\nlet b: = 2", 2),
        ("let a = 1\nlet a = 2", 2),
        ("import fs from 'node:fs'\nexport default 1\nexport const b = 2\nlet b = 3", 4),
        ("function main() {}\nlet a = 1\nlet a = 2", 3),
        ("export default 1\n/(/", 2),
    ],
)
def test_a_syntax_error_is_invalid_source_with_its_line(code, line):
    ran = run_typescript(code)

    assert ran.code == "invalid_source"
    assert ran.error["line"] == line


def test_a_syntax_error_at_run_time_is_raised_by_the_code():
    ran = run_typescript("let a = 1\nnew Function('return )')()")

    assert ran.code == "code_raised"
    assert ran.error["line"] == 2


def test_process_exit_without_status_is_a_success_without_result():
    for call in ("process.exit()", "process.exit(0)"):
        ran = run_typescript(f"display(1)\n{call}\nexport default 2")

        assert ran.frame["ok"]
        assert [result["json"] for result in ran.results] == [1]


def test_process_exit_with_a_status_is_exited():
    for code in ("process.exit(4)", "setTimeout(() => process.exit(4), 5)\nexport default new Promise(() => {})"):
        ran = run_typescript(code)

        assert ran.code == "exited"
        assert "status 4" in ran.frame["detail"]


def test_an_unhandled_rejection_is_raised_by_the_code():
    ran = run_typescript("let a = 1\nPromise.reject(new RangeError('r'))\nexport default 4")

    assert ran.code == "code_raised"
    assert ran.error["name"] == "RangeError"
    assert ran.error["line"] == 2


def test_an_error_in_a_timer_is_raised_by_the_code():
    ran = run_typescript("setTimeout(() => {\n  throw new Error('t')\n}, 5)\nexport default 4")

    assert ran.code == "code_raised"
    assert ran.error["line"] == 2


def test_a_promise_that_never_settles_is_told():
    ran = run_typescript("export default await new Promise(() => {})")

    assert ran.code == "code_raised"
    assert "never settles" in ran.error["value"]
    assert ran.stderr == ""


def test_a_missing_import_is_raised_by_the_code():
    ran = run_typescript("import './nope.ts'")

    assert ran.code == "code_raised"
    assert "nope.ts" in ran.error["value"]


@pytest.mark.parametrize(
    ("thrown", "name", "value"),
    [
        ("'text'", "string", "text"),
        ("null", "null", "null"),
        ("undefined", "undefined", "undefined"),
        ("5n", "bigint", "5n"),
    ],
)
def test_thrown_values_that_are_no_errors_are_told(thrown, name, value):
    ran = run_typescript(f"throw {thrown}")

    assert ran.code == "code_raised"
    assert (ran.error["name"], ran.error["value"]) == (name, value)


@pytest.mark.parametrize(
    "code",
    [
        "throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 } })",
        "throw Object.defineProperty(new Error('a'), 'stack', { get() { throw 1 } })",
        "throw Object.defineProperty(new Error('a'), 'message', { get() { throw 1 } })",
        "throw Object.assign(new Error('a'), { name: Symbol('x') })",
        "Error.prepareStackTrace = () => { throw 1 }\nthrow new Error('a')",
        "Error.prepareStackTrace = () => 5\nthrow new Error('a')",
        "const e = new Error('a'); e.cause = e; throw e",
        "throw new Error('x'.repeat(10_000_000))",
        "throw { [Symbol.for('nodejs.util.inspect.custom')]() { throw 1 } }",
        "throw new Error('\\ud800')",
        "(function f() { f() })()",
        "throw new AggregateError([new Error('a')], 'many')",
    ],
)
def test_a_hostile_error_is_still_told(code):
    ran = run_typescript(code)

    assert ran.code == "code_raised"
    assert len(ran.error["value"]) < 10_000
    assert len(ran.error["traceback"]) < 20_000


def test_a_cause_is_shown():
    ran = run_typescript("throw new Error('outer', { cause: new TypeError('inner') })")

    assert "Caused by: TypeError: inner" in ran.error["traceback"]


def test_a_heap_that_is_full_ends_the_process_with_v8s_own_message():
    ran = run_typescript("const a = []\nwhile (true) a.push(new Array(10_000).fill(1.5))", memory_mib=64)

    assert ran.frame is None
    assert "heap out of memory" in ran.stderr


def test_an_array_buffer_that_cannot_be_had_is_out_of_memory():
    assert run_typescript("new ArrayBuffer(2 ** 52)").code in {"out_of_memory", "code_raised"}


def test_a_closed_result_pipe_leaves_no_frame():
    ran = run_typescript("import { closeSync } from 'node:fs'\ncloseSync(3)\nexport default 1")

    assert ran.frame is None


def test_a_spare_whose_request_never_comes_ends_quietly(tmp_path):
    node = start_node(str(tmp_path))

    os.close(node.request_fd)

    assert node.process.wait(timeout=20) == 0
    assert [os.read(fd, 100) for fd in node.pipes.values()] == [b"", b"", b""]
