"""Which value of a TypeScript program is its result, and what surrounds it."""

import pytest
from child_runs import run_typescript


def test_types_are_erased_and_the_default_export_is_the_result():
    ran = run_typescript("interface A { x: number }\nconst a: A = { x: 1 }\nexport default a satisfies A")

    assert ran.main == {"isMain": True, "text": "{ x: 1 }", "json": {"x": 1}}


@pytest.mark.parametrize(
    "code",
    [
        "export default (v: any) => v.a + 1",
        "export default async function (v: any) { return v.a + 1 }",
        "export default function main(v: { a: number }): number { return v.a + 1 }",
        "function main(v: any) { return v.a + 1 }",
        "export function main(v: any) { return v.a + 1 }",
        "export async function main(v: any) { return v.a + 1 }",
        "export const main = (v: any) => v.a + 1",
        "const main = async (v: any) => v.a + 1 // a comment at the end",
        "export default variables.a + 1",
        "export default await Promise.resolve(variables.a + 1)",
    ],
)
def test_every_way_to_say_main_is_understood(code):
    assert run_typescript(code, {"a": 41}).main["json"] == 42


def test_a_default_function_goes_before_main_and_main_before_a_default_value():
    both = "function main() { return 'main' }\nexport default "

    assert run_typescript(f"{both}() => 'default'").main["json"] == "default"
    assert run_typescript(f"{both}'value'").main["json"] == "main"


def test_a_main_inside_something_else_is_not_called():
    code = "class A { f() { function main() { return 7 } return main() } }\nexport default new A().f()"

    assert run_typescript(code).main["json"] == 7


def test_statements_alone_give_no_main_result():
    ran = run_typescript("console.log(variables)", {"a": [1]})

    assert ran.frame["ok"]
    assert ran.results == []
    assert ran.stdout == "{ a: [ 1 ] }\n"


def test_main_that_returns_nothing_gives_no_result():
    ran = run_typescript("export default () => {}")

    assert ran.frame["ok"]
    assert ran.results == []


def test_named_files_can_be_read_and_imported():
    code = (
        "import { readFileSync } from 'node:fs'\nimport { vat } from './rates.ts'\n"
        "import more from './more.json' with { type: 'json' }\n"
        "export default [readFileSync('a.csv', 'utf8'), vat, more.x]"
    )
    files = {"a.csv": "a,b", "rates.ts": "export const vat: number = 19", "more.json": '{"x": 5}'}

    assert run_typescript(code, files=files).main["json"] == ["a,b", 19, 5]


def test_display_adds_results_on_the_way():
    ran = run_typescript("display(1, 'b')\nexport default 3")

    assert [(result["isMain"], result["json"]) for result in ran.results] == [(False, 1), (False, "b"), (True, 3)]


def test_timers_finish_before_the_run_ends():
    ran = run_typescript("setTimeout(() => console.log('late'), 20)\nexport default 1")

    assert ran.stdout == "late\n"
    assert ran.main["json"] == 1


def test_console_goes_to_stdout_and_stderr_apart_and_nothing_else_does():
    ran = run_typescript("console.log('out')\nconsole.error('err')")

    assert (ran.stdout, ran.stderr) == ("out\n", "err\n")


@pytest.mark.parametrize("end", ["process.exit(3)", "process.exit()", "throw new Error('x')", "export default 1"])
def test_output_is_whole_however_the_run_ends(end):
    ran = run_typescript(f"console.log('é'.repeat(500_000) + '.')\n{end}")

    assert len(ran.stdout) == 500_002


def test_the_request_pipe_is_closed_before_the_code_runs():
    code = "let r = 'open'\ntry { fstatSync(4) } catch (e: any) { r = e.code }\nexport default r"

    assert run_typescript(f"import {{ fstatSync }} from 'node:fs'\n{code}").main["json"] == "EBADF"
