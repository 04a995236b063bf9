"""Says how a run ended, in the words of the runner protocol. A pure function of what the supervisor saw."""

import os
import signal
from typing import Any

from berth_runner.result_frame import FrameError, Result, parse_result
from berth_runner.running import Ending

Outcome = dict[str, Any]
# What the kernel sends for its own limits. Code could send them to itself, and would gain nothing by it.
_LIMIT_SIGNALS: dict[int, str] = {signal.SIGXCPU: "timeout", signal.SIGXFSZ: "disk_limit"}


def judge(ending: Ending, limits: dict[str, Any], stderr: str = "") -> tuple[Outcome, Result | None]:
    """Return the outcome, and the child's own words where there are any. `stderr` is what it printed there."""
    if ending.reason == "result" and ending.body is not None:
        return _of_frame(ending.body, limits)
    if ending.reason == "exit":
        return _of_exit(ending, limits, stderr), None
    return _of_limit(ending.reason, limits), None


def outcome(status: str, code: str | None, detail: str) -> Outcome:
    """Return the outcome object."""
    return {"status": status, "code": code, "detail": detail}


def _of_frame(body: bytes, limits: dict[str, Any]) -> tuple[Outcome, Result | None]:
    try:
        result = parse_result(body, limits["maxResultBytes"])
    except FrameError as error:
        return outcome("failed", "exited", str(error)), None
    if result.ok:
        return outcome("succeeded", None, result.detail), result
    status = "crashed" if result.code == "out_of_memory" else "failed"
    return outcome(status, result.code, result.detail), result


def _of_limit(reason: str, limits: dict[str, Any]) -> Outcome:
    table = {
        "timeout": ("timed_out", "timeout", f"the code ran longer than {limits['timeoutMs']} ms"),
        "canceled": ("canceled", "canceled", "the run was canceled"),
        "output_limit": ("failed", "output_limit", f"the code printed more than {limits['maxOutputBytes']} bytes"),
        "result_too_large": (
            "failed",
            "result_too_large",
            f"the result is larger than {limits['maxResultBytes']} bytes",
        ),
        "disk_limit": (
            "failed",
            "disk_limit",
            f"the code wrote more than {limits['maxDiskBytes']} bytes, or too many files",
        ),
        "out_of_memory": ("crashed", "out_of_memory", f"the code used more than {limits['memoryMiB']} MiB"),
    }
    return outcome(*table[reason])


def _of_exit(ending: Ending, limits: dict[str, Any], stderr: str) -> Outcome:
    if ending.exit is None:
        return outcome("crashed", "runner_failed", "the fork server ended while the code ran")
    status = ending.exit.status
    if not os.WIFSIGNALED(status):
        code = os.waitstatus_to_exitcode(status)
        return outcome("failed", "exited", f"the process ended with status {code} before the code had a result")
    number = os.WTERMSIG(status)
    if number in _LIMIT_SIGNALS:
        return _of_limit(_LIMIT_SIGNALS[number], limits)
    if number == signal.SIGKILL and ending.oom_kills:
        return _of_limit("out_of_memory", limits)
    # V8 says so on stderr and aborts. Code could print the same, and would gain nothing by it.
    if number in (signal.SIGABRT, signal.SIGTRAP) and "JavaScript heap out of memory" in stderr:
        return _of_limit("out_of_memory", limits)
    return outcome("crashed", "crashed", f"the process was killed by {signal.Signals(number).name}")
