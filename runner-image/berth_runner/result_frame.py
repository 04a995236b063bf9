"""Reads the frame on the result pipe. Code of a tenant may have written it, so every part of it is checked."""

import json
import re
import struct
from dataclasses import dataclass
from typing import Any, NoReturn

from berth_runner.nesting import MAX_DEPTH, is_deeper

_ERROR_ROOM = 64 * 1024
_CODES = {
    "code_raised",
    "invalid_source",
    "unsupported_syntax",
    "result_not_serializable",
    "result_too_large",
    "exited",
    "out_of_memory",
}
_TEXTS = {"text", "html", "markdown", "png", "svg"}
_COLUMN_TYPES = {"string", "number", "integer", "boolean", "datetime", "json"}
_MAX_SAFE = 2**53 - 1
_MAX_DETAIL = 4096
# The value itself, within a frame, a result and perhaps a table.
_MAX_DEPTH = MAX_DEPTH + 8
_LONG = re.compile("[0-9]{16}")


class FrameError(ValueError):
    """The frame is not what an honest child writes."""


@dataclass(frozen=True)
class Result:
    """What the child says about the code."""

    ok: bool
    results: list[dict[str, Any]]
    error: dict[str, Any] | None
    code: str | None
    detail: str


class FrameReader:
    """Collects the bytes of the first frame; never more than the limit."""

    def __init__(self, max_result_bytes: int) -> None:
        self.is_too_large = False
        self._limit = max_result_bytes + _ERROR_ROOM
        self._buffer = bytearray()

    def take(self, chunk: bytes) -> None:
        """Add bytes from the pipe."""
        self._buffer += chunk
        if len(self._buffer) >= 4 and self._announced() > self._limit:
            self.is_too_large = True

    @property
    def is_complete(self) -> bool:
        """Return whether a whole frame is there."""
        return len(self._buffer) >= 4 and len(self._buffer) >= 4 + self._announced()

    @property
    def is_empty(self) -> bool:
        """Return whether nothing has come at all."""
        return not self._buffer

    def body(self) -> bytes:
        """Return the JSON of the frame."""
        return bytes(self._buffer[4 : 4 + self._announced()])

    def _announced(self) -> int:
        length: int = struct.unpack(">I", self._buffer[:4])[0]
        return length


def parse_result(body: bytes, max_result_bytes: int) -> Result:
    """Return the checked frame. Raises FrameError."""
    try:
        text = body.decode()
        # Asking about each integer costs; without a long one there is nothing to ask.
        parse_int = _parse_integer if _LONG.search(text) else None
        frame = json.loads(text, parse_constant=_refuse_constant, parse_int=parse_int)
        if is_deeper(frame, _MAX_DEPTH):
            raise FrameError("the result is nested too deep")
        size = len(_compact(frame["results"])) if isinstance(frame, dict) and "results" in frame else 0
    except FrameError:
        raise
    except (ValueError, RecursionError) as error:
        raise FrameError(f"the result is not JSON: {type(error).__name__}") from error
    _check_frame(frame)
    if frame["ok"] and size > max_result_bytes:
        detail = f"the result has {size} bytes, the limit is {max_result_bytes}"
        return Result(False, [], None, "result_too_large", detail)
    code = None if frame["ok"] else frame["code"]
    results = frame["results"] if size <= max_result_bytes else []
    return Result(frame["ok"], results, frame["error"], code, frame["detail"][:_MAX_DETAIL])


def _compact(value: object) -> bytes:
    """Encode as the reply will: floats beyond range have become infinite by now and are refused here."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def _parse_integer(text: str) -> int:
    """Refuse what JavaScript's numbers cannot hold: the server would take the whole reply for broken."""
    if len(text) > len(str(-_MAX_SAFE)) or abs(int(text)) > _MAX_SAFE:
        raise FrameError("the result has an integer beyond ±(2^53-1)")
    return int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise FrameError(f"{name} is not JSON")


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise FrameError(f"the result frame is malformed: {what}")


def _check_frame(frame: object) -> None:
    wanted = {"kind", "ok", "results", "error", "code", "detail"}
    if not isinstance(frame, dict) or frame.keys() != wanted:
        raise FrameError("the result frame is malformed: wrong fields")
    _expect(frame["kind"] == "result" and isinstance(frame["ok"], bool), "kind or ok")
    _expect(isinstance(frame["detail"], str), "detail")
    _expect(frame["code"] is None or (isinstance(frame["code"], str) and frame["code"] in _CODES), "code")
    _expect(frame["ok"] == (frame["code"] is None), "ok and code contradict each other")
    _expect(isinstance(frame["results"], list), "results")
    for result in frame["results"]:
        _check_result(result)
    if frame["error"] is not None:
        _check_error(frame["error"])


def _check_result(result: object) -> None:
    if not isinstance(result, dict):
        raise FrameError("the result frame is malformed: a result is no object")
    _expect(isinstance(result.get("isMain"), bool), "isMain")
    _expect(result.keys() <= _TEXTS | {"isMain", "json", "table"}, "unknown form of a result")
    _expect(all(isinstance(result[name], str) for name in _TEXTS & result.keys()), "a form that is no text")
    if "table" in result:
        _check_table(result["table"])


def _check_table(table: object) -> None:
    if not isinstance(table, dict) or table.keys() != {"columns", "rows", "rowCount", "truncated"}:
        raise FrameError("the result frame is malformed: table")
    _expect(isinstance(table["columns"], list) and all(map(_is_column, table["columns"])), "table.columns")
    _expect(isinstance(table["rows"], list) and all(isinstance(row, list) for row in table["rows"]), "table.rows")
    _expect(_is_count(table["rowCount"]) and isinstance(table["truncated"], bool), "table.rowCount")


def _is_column(column: object) -> bool:
    return (
        isinstance(column, dict)
        and column.keys() == {"name", "type"}
        and isinstance(column["name"], str)
        and isinstance(column["type"], str)
        and column["type"] in _COLUMN_TYPES
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_SAFE


def _check_error(error: object) -> None:
    if not isinstance(error, dict) or error.keys() != {"name", "value", "traceback", "line"}:
        raise FrameError("the result frame is malformed: error")
    _expect(all(isinstance(error[name], str) for name in ("name", "value", "traceback")), "error")
    _expect(error["line"] is None or _is_count(error["line"]), "error.line")
