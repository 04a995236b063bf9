"""A runner that misbehaves as its level says. It speaks the real protocol over real pipes, so the server's side is tested whole."""

import json
import os
import struct
import sys
import time
from pathlib import Path

config = json.loads(sys.argv[1])
mode = config["level"]
state = Path(config["scratchDir"], "state")


def send(message: dict) -> None:
    body = json.dumps(message).encode()
    os.write(1, struct.pack(">I", len(body)) + body)


def receive() -> dict:
    header = sys.stdin.buffer.read(4)
    if len(header) < 4:
        sys.exit(0)
    return json.loads(sys.stdin.buffer.read(struct.unpack(">I", header)[0]))


def reply(run_id: str) -> dict:
    return {
        "protocol": 1,
        "kind": "reply",
        "runId": run_id,
        "outcome": {"status": "succeeded", "code": None, "detail": ""},
        "results": [],
        "logs": {
            "stdout": "",
            "stderr": "",
            "truncated": {"stdout": False, "stderr": False},
            "droppedBytes": 0,
        },
        "error": None,
        "artifacts": [],
        "usage": {"wallMs": 1, "cpuMs": 1, "peakMemoryMiB": 1},
        "timings": {"coldStartMs": 0, "execMs": 1},
        "runner": {"version": 1, "image": "scripted", "level": mode},
    }


def first_life() -> bool:
    if state.exists():
        return False
    state.write_text("lived")
    return True


if mode == "no-sandbox":
    print(json.dumps({"code": "sandbox_unavailable", "detail": "No user namespaces. Install bubblewrap."}), file=sys.stderr)
    sys.exit(78)
if mode == "breaks-at-start":
    print("cannot import something", file=sys.stderr)
    sys.exit(1)
if mode == "prints-environment":
    print(json.dumps(dict(os.environ)), file=sys.stderr)

send(
    {
        "kind": "ready",
        "protocol": 2 if mode == "another-protocol" else 1,
        "runner": {"version": 1, "image": "scripted", "level": mode},
        "languages": [],
        "capabilities": {},
        "warnings": [],
    }
)

while True:
    request = receive()
    run_id = request.get("runId", "")
    print(f"got {request['kind']} {request.get('code', '')}".strip(), file=sys.stderr, flush=True)
    if request["kind"] == "cancel":
        if mode == "leaves-then-waits":
            send({**reply(run_id), "outcome": {"status": "canceled", "code": "canceled", "detail": "as asked"}})
        continue
    if mode in {"leaves-in-order", "leaves-then-waits"} and first_life():
        sys.exit(0)
    if mode == "leaves-then-waits":
        continue
    if mode == "leaves-after-started" and first_life():
        send({"kind": "started", "runId": run_id})
        sys.exit(0)
    if mode == "dies" and first_life():
        os.kill(os.getpid(), 9)
    if mode == "writes-garbage" and first_life():
        os.write(1, b"Traceback (most recent call last):\n")
        time.sleep(60)
    if mode == "answers-nonsense":
        send({"protocol": 1, "kind": "reply", "runId": run_id, "outcome": "fine"})
    elif mode == "refuses":
        detail = {"code": request["code"], "detail": "as the test wants", "runnerVersion": 1}
        send({"protocol": 1, "kind": "refusal", "runId": run_id, **detail})
    elif mode == "forges-both":
        send({**reply(run_id), "code": "runner_failed", "detail": "forged", "runnerVersion": 1})
    else:
        send(reply(run_id))
