"""TypeScript runs in a Node process behind the same walls."""

import pytest
from conftest import settings_of
from runner_process import NODE, Runner, eventually, processes_called, run_until_seen, running

pytestmark = pytest.mark.skipif(not NODE.exists(), reason="Node 24 is not installed here")


@pytest.fixture(scope="module")
def runner(kind: str):
    with running(**settings_of(kind) | {"node_spares": 1}) as started:
        yield started


@pytest.fixture(autouse=True)
def next_run_is_clean(runner: Runner):
    yield
    assert value(runner, "export default 1 + 1") == 2


def value(runner: Runner, code: str, **more):
    return runner.value(code, language="typescript", **more)


@pytest.mark.parametrize(
    ("code", "status", "failure"),
    [
        ("throw new Error('no')", "failed", "code_raised"),
        ("process.exit(3)", "failed", "exited"),
        ("process.abort()", "crashed", "crashed"),
        ("while (true) {}", "timed_out", "timeout"),
        ("while (true) console.log('x'.repeat(1000))", "failed", "output_limit"),
        (
            "import { writeSync } from 'node:fs'; while (true) writeSync(3, Buffer.alloc(65536, 255))",
            "failed",
            "result_too_large",
        ),
        ("import { closeSync } from 'node:fs'; closeSync(3)", "failed", "exited"),
    ],
)
def test_an_end_has_its_own_outcome(runner: Runner, code: str, status: str, failure: str) -> None:
    reply = runner.run(code, language="typescript", limits={"timeoutMs": 4000} if failure == "timeout" else {})

    assert (reply["outcome"]["status"], reply["outcome"]["code"]) == (status, failure), reply["outcome"]


def test_memory_beyond_the_limit_ends_the_run(runner: Runner) -> None:
    code = "const kept: Buffer[] = []\nfor (;;) kept.push(Buffer.alloc(16 * 1024 * 1024, 1))"
    reply = runner.run(code, language="typescript", limits={"memoryMiB": 128})

    assert reply["outcome"]["status"] in ("crashed", "failed")
    assert reply["outcome"]["code"] == "out_of_memory", reply["outcome"]


def test_a_heap_beyond_the_limit_ends_the_run(runner: Runner) -> None:
    code = "const kept: object[] = []\nfor (;;) kept.push({ a: [1, 2, 3] })"
    reply = runner.run(code, language="typescript", limits={"memoryMiB": 128})

    assert reply["outcome"]["status"] == "crashed"


def test_named_files_and_variables_reach_the_code(runner: Runner) -> None:
    (runner.files / "a.txt").write_text("from a file")
    (runner.files / "a.txt").chmod(0o644)
    code = "import { readFileSync } from 'node:fs'\nexport default readFileSync('a.txt', 'utf8') + variables.end"

    assert value(runner, code, files=["a.txt"], variables={"end": "!"}) == "from a file!"


def test_artifacts_are_collected(runner: Runner) -> None:
    code = "import { writeFileSync } from 'node:fs'\nwriteFileSync('outputs/x.txt', 'hello')\nexport default 1"

    assert [each["name"] for each in runner.run(code, language="typescript")["artifacts"]] == ["x.txt"]


def test_the_network_is_not_there(runner: Runner) -> None:
    code = """
import { connect } from 'node:net'
export default await new Promise((resolve) => {
  connect(80, '127.0.0.1').on('error', (error: any) => resolve(error.code)).on('connect', () => resolve('connected'))
})
"""
    assert value(runner, code) == "EPERM"


def test_processes_of_the_code_end_with_it(runner: Runner) -> None:
    code = """
import { spawn } from 'node:child_process'
const child = spawn('/bin/sleep', ['4321'], { argv0: 'left-by-a-run', detached: true, stdio: 'ignore' })
await new Promise((resolve) => child.on('spawn', resolve))
child.unref()
console.log('up')
await new Promise((resolve) => setTimeout(resolve, 300))
"""
    run_until_seen(runner, code, lambda: processes_called("left-by-a-run"), language="typescript")

    assert eventually(lambda: not processes_called("left-by-a-run"))


def test_no_secret_and_no_foreign_process_is_seen(runner: Runner) -> None:
    code = """
import { readdirSync, readFileSync } from 'node:fs'
const found: string[] = Object.entries(process.env).filter(([, v]) => v?.includes('needle')).map(([k]) => k)
for (const pid of readdirSync('/proc').filter((name) => /^\\d+$/.test(name))) {
  try {
    if (readFileSync(`/proc/${pid}/environ`, 'latin1').includes('needle-in-the-supervisor')) found.push(pid)
  } catch {}
}
export default found
"""
    assert value(runner, code) == []
