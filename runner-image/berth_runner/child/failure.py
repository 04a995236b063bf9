"""What the code raised, told in the tenant's own lines; exceptions may be as hostile as the rest of the code."""

import gc
import traceback
from opcode import opmap
from pathlib import Path, PurePath
from types import TracebackType

from berth_runner.child.frame import shorten
from berth_runner.child.source import SOURCE_NAME

# A character takes up to six bytes of JSON; the supervisor gives an error 64 KiB in all.
MAX_VALUE = 2_048
MAX_TRACEBACK = 6_144
_HARNESS = str(PurePath(__file__).parent)

_RAISE = opmap["RAISE_VARARGS"]

type_name = type.__dict__["__name__"].__get__


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether Python or a library was refused memory, here or earlier on the way to this error.

    An error that code makes up itself, with `raise MemoryError`, comes from a line that raises; a refusal never does.
    """
    seen: set[int] = set()
    step: BaseException | None = error if isinstance(error, MemoryError) else None
    while step is not None and id(step) not in seen:
        seen.add(id(step))
        if isinstance(step, MemoryError) and not _is_raised_by_code(step.__traceback__):
            return True
        step = step.__cause__ or step.__context__
    return False


def _is_raised_by_code(step: TracebackType | None) -> bool:
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return step is not None and step.tb_frame.f_code.co_code[step.tb_lasti] == _RAISE


def describe(error: BaseException) -> dict[str, object]:
    """Return {name, value, traceback, line}; never raises, whatever the exception does when it is printed."""
    line = _line(error)
    if isinstance(error, MemoryError):
        # The frames of the code hold what filled the memory.
        traceback.clear_frames(error.__traceback__)
        gc.collect()
    return {"name": _name(error), "value": _value(error), "traceback": _traceback(error), "line": line}


def _name(error: BaseException) -> str:
    return shorten(type_name(type(error)), 200)


def _value(error: BaseException) -> str:
    try:
        text = str(error.msg) if isinstance(error, SyntaxError) else str(error)
        return shorten(text, MAX_VALUE)
    except BaseException as second:
        return f"(its text cannot be read: __str__ raised {type_name(type(second))})"


def _line(error: BaseException) -> int | None:
    """Innermost line of the tenant's source; for a syntax error in it, the line the parser points at."""
    line = None
    step: TracebackType | None = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == SOURCE_NAME:
            line = step.tb_lineno
        step = step.tb_next
    if line is None and isinstance(error, SyntaxError) and error.filename == SOURCE_NAME:
        line = error.lineno
    return line if isinstance(line, int) and line > 0 else None


def _traceback(error: BaseException) -> str:
    try:
        told = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
        left_out = _keep_own_frames(told, set())
        text = "".join(told.format())
        if left_out and told.stack:
            text += f"({left_out} frames of libraries left out)\n"
        return shorten(text, MAX_TRACEBACK)
    except BaseException as second:
        return f"{_name(error)}: (its traceback cannot be printed: {type_name(type(second))})\n"


def _keep_own_frames(told: traceback.TracebackException, seen: set[int]) -> int:
    """Take the harness's and the libraries' frames out of the whole chain; return how many were libraries'."""
    if id(told) in seen:
        return 0
    seen.add(id(told))
    own = [frame for frame in told.stack if frame.filename == SOURCE_NAME or _is_local(frame.filename)]
    foreign = sum(1 for frame in told.stack if frame not in own and not _is_harness(frame.filename))
    told.stack[:] = own
    chain = [told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or [])]
    return foreign + sum(_keep_own_frames(link, seen) for link in chain if link is not None)


def _is_harness(filename: str) -> bool:
    return filename.startswith(_HARNESS)


def _is_local(filename: str) -> bool:
    """Modules that the tenant uploaded lie in the working directory, which is first on sys.path."""
    return not filename.startswith("<") and PurePath(filename).is_relative_to(Path.cwd())
