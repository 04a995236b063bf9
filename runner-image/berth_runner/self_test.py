"""The runner examines itself from inside runs, so that a rollout can tell a sound environment from a broken one."""

import json
import secrets
import tempfile
from typing import Any

from berth_runner import protocol, s3_self_test
from berth_runner.supervisor import Supervisor

_PYTHON = """
import os, socket

def refused(family):
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
    except OSError:
        return True
    return False

def main(variables):
    def leaked(path):
        try:
            with open(path, "rb") as file:
                return b"AWS_SECRET" in file.read()
        except OSError:
            return False
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    return {
        "egress": refused(socket.AF_INET) and refused(socket.AF_INET6),
        "environment": not any(name.startswith("AWS_") for name in os.environ),
        "processes": not any(leaked(f"/proc/{pid}/environ") for pid in pids),
        "leftovers": not os.path.exists(variables["left"]),
    }
"""
_LEAVE = "open(variables['left'], 'w').close()"
_TYPESCRIPT = "const answer: number = 6 * 7\nexport default answer"

Check = dict[str, object]


async def self_test(supervisor: Supervisor, event: s3_self_test.Event) -> dict[str, Any]:
    """Return {passed, runnerVersion, image, checks} as the Fleet port words it, with the level beside them.

    What `event` says of a prefix and of the network adds checks; without it those are left out.
    """
    left = f"{tempfile.gettempdir()}/berth-self-test-{secrets.token_hex(8)}"
    await _value(supervisor, "python", _LEAVE, left)
    python = await _value(supervisor, "python", _PYTHON, left)
    typescript = await _value(supervisor, "typescript", _TYPESCRIPT, left)
    seen = python if isinstance(python, dict) else {}
    checks = [
        _check("python", bool(seen), f"a run answered {json.dumps(python)[:300]}"),
        _check("typescript", typescript == 42, f"a run answered {json.dumps(typescript)[:300]}"),
        await _egress(event, seen.get("egress") is True),
        _check("clean_environment", seen.get("environment") is True, "a run has no variable of AWS"),
        _check("closed_processes", seen.get("processes") is True, "a run reads no credentials of another process"),
        _check("nothing_left", seen.get("leftovers") is True, "a file of one run is gone in the next"),
        _check("is_clean", not supervisor.must_exit, "the environment is proven clean"),
        *(_check(*finding) for finding in await s3_self_test.examine(event)),
    ]
    return {
        "protocol": protocol.PROTOCOL,
        "kind": "self_test",
        "passed": all(check["passed"] for check in checks),
        "runnerVersion": protocol.VERSION,
        "image": protocol.IMAGE,
        "level": supervisor.level,
        "checks": checks,
    }


async def _egress(event: s3_self_test.Event, refused: bool) -> Check:
    if not event.get("noEgress"):
        return _check("no_egress", refused, "a run may open no internet socket")
    reached = await s3_self_test.reached()
    detail = f"a run may open no internet socket, and the function reaches {', '.join(reached) or 'nothing outside'}"
    return _check("no_egress", refused and not reached, detail)


def _check(name: str, passed: bool, detail: str) -> Check:
    return {"name": name, "passed": passed, "detail": detail}


async def _value(supervisor: Supervisor, language: str, code: str, left: str) -> object:
    """Run the code and return its value, or what went wrong as a text."""
    reply = await supervisor.execute(
        {
            "protocol": protocol.PROTOCOL,
            "kind": "run",
            "runId": f"self-test-{secrets.token_hex(8)}",
            "language": language,
            "code": code,
            "variables": {"left": left},
            "files": [],
            "profile": "default",
            "limits": {**protocol.DEFAULT_LIMITS, "timeoutMs": 10_000},
            "minRunnerVersion": 0,
            "prefix": {"kind": "none"},
        }
    )
    main = [result.get("json") for result in reply.get("results", []) if result["isMain"]]
    return main[0] if main else str(reply.get("outcome") or reply.get("detail"))
