"""A reply that is too large for its transport is made to fit, and says what had to stay out."""

import json

import pytest
from berth_runner.reply_size import fit_reply


def reply_of(**changes):
    return {
        "kind": "reply",
        "outcome": {"status": "succeeded", "code": None, "detail": ""},
        "results": [],
        "logs": {
            "stdout": "",
            "stderr": "",
            "truncated": {"stdout": False, "stderr": False},
            "droppedBytes": 0,
        },
        "artifacts": [],
        **changes,
    }


def artifact(size: int, *, stored: bool):
    return {"name": "a", "content": "x" * size, "stored": stored}


def test_a_reply_exactly_at_the_limit_stays_as_it_is():
    reply = reply_of(artifacts=[artifact(1000, stored=False)])

    assert fit_reply(reply, len(json.dumps(reply))) is reply
    assert fit_reply(reply, len(json.dumps(reply)) - 1) is not reply


def test_contents_that_are_kept_elsewhere_stay_out_first_and_the_run_still_succeeds():
    fitted = fit_reply(reply_of(artifacts=[artifact(10_000, stored=True)]), 1000)

    assert fitted["artifacts"] == [{"name": "a", "content": None, "stored": True}]
    assert fitted["outcome"]["status"] == "succeeded"


def test_contents_that_are_nowhere_else_are_named():
    fitted = fit_reply(reply_of(artifacts=[artifact(10_000, stored=False)]), 1000)

    assert fitted["artifacts"] == []
    assert fitted["outcome"]["code"] == "artifacts_too_large"


@pytest.mark.parametrize("text", ["\0" * 5000, "é" * 5000, "😀" * 5000, "x" * 30_000])
def test_output_is_cut_last_and_counted(text):
    reply = reply_of()
    reply["logs"] = {**reply["logs"], "stdout": text, "stderr": "kept"}

    fitted = fit_reply(reply, 5000)

    assert len(json.dumps(fitted)) <= 5000
    assert fitted["logs"]["stderr"] == "kept"
    assert fitted["outcome"]["code"] == "output_limit"
    assert fitted["logs"]["truncated"]["stdout"]
    kept = sum(len(fitted["logs"][name].encode()) for name in ("stdout", "stderr"))
    assert kept + fitted["logs"]["droppedBytes"] == len(text.encode()) + len("kept")


def test_what_the_code_did_goes_before_what_did_not_fit():
    failed = {"status": "failed", "code": "code_raised", "detail": "ValueError"}

    fitted = fit_reply(reply_of(outcome=failed, artifacts=[artifact(10_000, stored=False)]), 1000)

    assert fitted["outcome"] == failed


def test_a_refusal_is_left_alone():
    refusal = {"kind": "refusal", "detail": "x" * 1000}

    assert fit_reply(refusal, 10) is refusal
