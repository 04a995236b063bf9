"""An evaluator's function is small: 128 MiB for everything. What the runner itself takes must leave room for a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from berth_runner.sweep import descendants
from lambda_environment import Environment, environment, run_event, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

MIB = 1024 * 1024
LIMITS = {"memoryMiB": 64}


@pytest.fixture(scope="module")
def berth() -> Iterator[Environment]:
    with environment(BERTH_RUNNER_PROFILE="evaluator", AWS_LAMBDA_FUNCTION_MEMORY_SIZE="128") as started:
        started.invoke({"protocol": 1, "kind": "ping"})
        yield started


def evaluate(berth: Environment, code: str, language: str = "python", **changes: object) -> dict:
    event = run_event(code, language, profile="evaluator", limits=LIMITS, **changes)
    reply: dict = berth.invoke(event)
    return reply


def resident_bytes(berth: Environment) -> dict[str, int]:
    """Return what each process of the runtime holds for itself and its share of the rest."""
    found = {}
    for pid in descendants(berth._process.pid):
        folder = Path(f"/proc/{pid}")
        try:
            name = (folder / "cmdline").read_text().replace("\0", " ")
            lines = (folder / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it has ended meanwhile
        if "awslambdaric" in name and "aws-lambda-rie" not in name:
            name = "supervisor"
        found[f"{name[:20]}-{pid}"] = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return {name: size for name, size in found.items() if "aws-lambda-rie" not in name and size}


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("def main(variables):\n    return {'ok': variables['n'] > 1}", "python"),
        ("export default (v: any) => ({ ok: v.n > 1 })", "typescript"),
    ],
)
def test_a_check_answers_json(berth, code, language):
    reply = evaluate(berth, code, language, variables={"n": 2})

    assert reply["outcome"]["status"] == "succeeded", reply
    assert [result["json"] for result in reply["results"] if result["isMain"]] == [{"ok": True}]


def test_a_check_without_a_json_result_fails(berth):
    for code in ("x = 1", "object()"):
        assert evaluate(berth, code)["outcome"]["code"] == "result_not_serializable"


def test_what_the_runner_holds_leaves_half_of_a_small_function_free(berth):
    evaluate(berth, "1")
    evaluate(berth, "export default 1", "typescript")

    held = resident_bytes(berth)

    assert sum(held.values()) < 64 * MIB, held


def test_no_process_is_kept_for_libraries_or_node(berth):
    evaluate(berth, "export default 1", "typescript")

    # The runtime and the bare fork server.
    assert len(resident_bytes(berth)) == 2, resident_bytes(berth)


def test_a_control_shows_that_a_usual_function_holds_more():
    with environment() as usual:
        usual.run("import pandas")

        assert sum(resident_bytes(usual).values()) > 64 * MIB


def test_the_self_test_passes_in_a_small_function(berth):
    report = berth.invoke({"protocol": 1, "kind": "self_test"})

    assert report["passed"], report
