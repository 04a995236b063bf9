"""Keeps a reply below what the transport takes, and says what had to stay out."""

import json
from collections.abc import Callable
from typing import Any

Reply = dict[str, Any]
Keep = Callable[[dict[str, Any]], bool]

# Room for saying that something stayed out.
_WORDS = 256


def fit_reply(reply: Reply, max_bytes: int, keep: Keep | None = None) -> Reply:
    """Return the reply as it is when it fits; else without contents that are kept elsewhere, then with less output.

    `keep` puts an artifact where its content need not travel, and says whether it could.
    """
    if reply["kind"] != "reply" or _size(reply) <= max_bytes:
        return reply
    if keep is not None:
        reply = _with_contents_kept(reply, _size(reply) - max_bytes, keep)
        if _size(reply) <= max_bytes:
            return reply
    reply = _without_contents(reply)
    over = _size(reply) - max_bytes
    return reply if over <= 0 else _with_less_output(reply, over)


def _with_contents_kept(reply: Reply, over: int, keep: Keep) -> Reply:
    """Keep as few artifacts elsewhere as make the reply fit: the largest first."""
    artifacts = list(reply["artifacts"])
    for index in sorted(range(len(artifacts)), key=lambda each: -artifacts[each]["bytes"]):
        artifact = artifacts[index]
        if over > 0 and artifact["content"] is not None and (artifact["stored"] or keep(artifact)):
            over -= len(artifact["content"])
            artifacts[index] = {**artifact, "content": None, "stored": True}
    return {**reply, "artifacts": artifacts}


def _size(value: object) -> int:
    """Count as awslambdaric may write it: outside of AWS's own images it escapes all that is not ASCII."""
    return len(json.dumps(value))


def _without_contents(reply: Reply) -> Reply:
    kept = [{**artifact, "content": None} for artifact in reply["artifacts"] if artifact["stored"]]
    lost = len(reply["artifacts"]) - len(kept)
    if lost == 0:
        return {**reply, "artifacts": kept}
    detail = f"{lost} artifacts do not fit into the reply and are not kept elsewhere"
    return {**reply, "artifacts": kept, "outcome": _failed(reply["outcome"], "artifacts_too_large", detail)}


def _with_less_output(reply: Reply, over: int) -> Reply:
    logs = reply["logs"]
    stdout, left = _cut(logs["stdout"], over + _WORDS)
    stderr, _ = _cut(logs["stderr"], left)
    streams = {"stdout": stdout, "stderr": stderr}
    dropped = sum(len(logs[name].encode()) - len(text.encode()) for name, text in streams.items())
    truncated = {name: logs["truncated"][name] or streams[name] != logs[name] for name in streams}
    shorter = {**streams, "truncated": truncated, "droppedBytes": logs["droppedBytes"] + dropped}
    detail = f"{dropped} bytes of output do not fit into the reply"
    return {**reply, "logs": shorter, "outcome": _failed(reply["outcome"], "output_limit", detail)}


def _cut(text: str, over: int) -> tuple[str, int]:
    """Take `over` bytes of JSON from the end, or all there are; return the text and what is still to be taken."""
    while text and over > 0:
        tail = text[-max(1, over // 6) :]
        over -= _size(tail) - 2
        text = text[: len(text) - len(tail)]
    return text, max(over, 0)


def _failed(outcome: dict[str, Any], code: str, detail: str) -> dict[str, Any]:
    return {"status": "failed", "code": code, "detail": detail} if outcome["status"] == "succeeded" else outcome
