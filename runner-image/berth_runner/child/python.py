"""Runs one Python source in a process that was made for it, and sends one frame about how it went.

The supervisor trusts nothing of that frame but its form: the code shares this process and can forge it. How the process
ended, how long it took and how much it printed are the supervisor's own knowledge.
"""

import inspect
import os
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from types import CodeType, CoroutineType, ModuleType
from typing import Any, TextIO

from berth_runner.child.failure import describe, is_out_of_memory
from berth_runner.child.figures import save_open_figures
from berth_runner.child.frame import encode_json, send_frame
from berth_runner.child.results import Results
from berth_runner.child.source import Program, compile_source

_NOTHING = object()
_join_threads: Callable[[], None] = getattr(threading, "_shutdown", lambda: None)


@dataclass(frozen=True)
class _End:
    """How the code ended; `code` is null for a success."""

    code: str | None = None
    detail: str = ""
    error: dict[str, object] | None = None


_Request = dict[str, Any]


def run(request: _Request, result_fd: int) -> None:
    """Execute the request's code in this process and write the result frame to `result_fd`."""
    streams = _open_streams()
    _reseed()
    results = Results(int(request["limits"]["maxResultBytes"]))
    try:
        end = _execute(request, results)
    except BaseException as error:  # a run that went mad must still tell its outcome
        end = _ended_by(error)
    _flush(streams)
    send_frame(result_fd, _frame(end, results))


def warm_up() -> None:
    """Walk once through what every run does, before the fork: the first time costs most."""
    _hush_show()
    for _ in range(2):
        program = compile_source("rows = [1]\nlen(rows)")
        results = Results(4096)
        results.set_main(_evaluate([program.body, *([program.last] if program.last else [])], {}), {}, need="json")
        results.set_main({"a": [1.5, "b", None]}, {}, need="json")
        encode_json(_frame(_ended_by(ValueError("warm")), results))


def _frame(end: _End, results: Results) -> dict[str, object]:
    if end.code is None and results.too_large is not None:
        end = _End("result_too_large", results.too_large)
    return {
        "kind": "result",
        "ok": end.code is None,
        "results": results.items,
        "error": end.error,
        "code": end.code,
        "detail": end.detail,
    }


def _execute(request: _Request, results: Results) -> _End:
    try:
        program = compile_source(request["code"])
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        told = describe(error)
        return _End("invalid_source", f"{told['name']}: {told['value']}"[:500], told)
    module = _make_module(request, results, program)
    end, value = _run_program(program, module, request["variables"])
    drawn = save_open_figures()
    if end.code is not None:
        return end
    need = _need(request, program)
    if value is _NOTHING:
        return _not_serializable("this profile needs a result and the code has none") if need == "json" else end
    problem = results.set_main(value, drawn, need=need)
    return end if problem is None else _not_serializable(str(problem))


def _run_program(program: Program, module: ModuleType, variables: object) -> tuple[_End, object]:
    try:
        return _End(), _value_of(program, module.__dict__, variables)
    except BaseException as error:
        return _ended_by(error), _NOTHING
    finally:
        sys.settrace(None)
        sys.setprofile(None)
        _wait_for_threads()


def _value_of(program: Program, scope: dict[str, Any], variables: object) -> object:
    value = _evaluate([code for code in (program.body, program.last) if code is not None], scope)
    if program.calls_main and callable(scope.get("main")):
        return _settle(_call_main(scope["main"], variables))
    # `print(x)` as the last line is no result.
    return _NOTHING if program.last is None or value is None else value


def _evaluate(codes: list[CodeType], scope: dict[str, Any]) -> object:
    if any(code.co_flags & inspect.CO_COROUTINE for code in codes):
        return _settle(_evaluate_async(codes, scope))
    value: object = None
    for code in codes:
        value = eval(code, scope)
    return value


async def _evaluate_async(codes: list[CodeType], scope: dict[str, Any]) -> object:
    """Top-level `await`, as in a notebook: all parts run in one event loop."""
    value: object = None
    for code in codes:
        value = eval(code, scope)
        if code.co_flags & inspect.CO_COROUTINE:
            value = await value  # type: ignore[misc]
    return value


def _call_main(main: Callable[..., object], variables: object) -> object:
    try:
        takes_none = len(inspect.signature(main).parameters) == 0
    except (TypeError, ValueError):
        takes_none = False
    return main() if takes_none else main(variables)


def _settle(value: object) -> object:
    # By type alone: isinstance would ask the value itself.
    if type(value) is not CoroutineType:
        return value
    import asyncio

    return asyncio.run(value)


def _need(request: _Request, program: Program) -> str | None:
    """What the main result must have; see Results.set_main."""
    if request["profile"] == "evaluator":
        return "json"
    return "rich" if program.calls_main else None


def _not_serializable(why: str) -> _End:
    error: dict[str, object] = {"name": "ResultNotSerializable", "value": why, "traceback": "", "line": None}
    return _End("result_not_serializable", why, error)


def _ended_by(error: BaseException) -> _End:
    if isinstance(error, SystemExit):
        return _exited(error)
    told = describe(error)
    code = "out_of_memory" if is_out_of_memory(error) else "code_raised"
    return _End(code, f"{told['name']}: {told['value']}"[:500], told)


def _exited(error: SystemExit) -> _End:
    status = error.code
    if status is None or (isinstance(status, int) and status == 0):
        return _End()
    told = describe(error)
    if not isinstance(status, int):
        # As python does: the text goes to stderr and the status is 1.
        with suppress(BaseException):
            print(told["value"], file=sys.stderr)
        status = 1
    return _End("exited", f"the code ended the process with status {int(status)}", told)


def _make_module(request: _Request, results: Results, program: Program) -> ModuleType:
    """Make the module that the code runs in.

    Where the harness calls `main`, the module is not `__main__`: the usual guard would call it a second time.
    """
    module = ModuleType("berth_code" if program.calls_main else "__main__")
    module.__dict__.update(variables=request["variables"], display=results.display)
    sys.modules[module.__name__] = module
    sys.argv = [""]
    sys.path.insert(0, "")
    _hush_show()
    return module


def _hush_show() -> None:
    """plt.show() has nothing to show on here; figures that are left open are collected."""
    warnings.filterwarnings("ignore", message=".*non-interactive, and thus cannot be shown")


def _open_streams() -> list[TextIO]:
    """Line by line, so that a reader sees output while the run goes on; text that is not Unicode is escaped."""
    streams = [_open_stream(sys.stdout, 1), _open_stream(sys.stderr, 2)]
    sys.stdout, sys.stderr = streams
    sys.__stdout__, sys.__stderr__ = streams  # type: ignore[misc, assignment]
    return streams


def _open_stream(present: object, fd: int) -> TextIO:
    """Take the one that Python made, which is cheaper than a new one, unless it remembers a file that was there."""
    if type(present) is TextIOWrapper and not present.closed and present.fileno() == fd and not present.seekable():
        present.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
        return present
    return open(fd, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)


def _reseed() -> None:
    """All runs are forked from one process: without this they would all draw the same numbers.

    Python's `random` does so by itself after a fork. A longer seed would cost numpy half a millisecond here.
    """
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(int.from_bytes(os.urandom(4)))


def _wait_for_threads() -> None:
    """As at the end of any Python program: threads that are not daemons finish first."""
    with suppress(BaseException):
        _join_threads()


def _flush(streams: list[TextIO]) -> None:
    for stream in [sys.stdout, sys.stderr, *streams]:
        with suppress(BaseException):
            stream.flush()
