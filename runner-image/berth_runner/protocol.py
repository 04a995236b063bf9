"""The runner's half of `src/domain/runner-protocol.ts`: checks requests, words replies and refusals."""

import math
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

from berth_runner.nesting import MAX_DEPTH, is_deeper

PROTOCOL = 1
VERSION = int((Path(__file__).resolve().parent.parent / "VERSION").read_text())
IMAGE = os.environ.get("BERTH_RUNNER_IMAGE", "local")
LANGUAGES = ("python", "typescript")
_PROFILES = ("default", "evaluator")
_PREFIX_FIELDS = {"folder": ("files", "run"), "s3": ("files", "run", "bucket"), "none": ()}
_MAX_FILES = 100
_MIB = 1024 * 1024
_LEAST_LIMITS = {
    "timeoutMs": 1,
    "memoryMiB": 64,
    "maxSourceBytes": 1,
    "maxPayloadBytes": 1,
    "maxResultBytes": 1,
    "maxOutputBytes": 0,
    "maxInlineArtifactBytes": 0,
    "maxArtifactBytes": 0,
    "maxArtifacts": 0,
    "maxDiskBytes": _MIB,
    "maxProcesses": 1,
}
_MOST_LIMITS = {"timeoutMs": 900_000, "memoryMiB": 10_240}
DEFAULT_LIMITS = {
    "timeoutMs": 30_000,
    "memoryMiB": 512,
    "maxSourceBytes": 256 * 1024,
    "maxPayloadBytes": 5_767_168,
    "maxResultBytes": 256 * 1024,
    "maxOutputBytes": _MIB,
    "maxInlineArtifactBytes": 4 * _MIB,
    "maxArtifactBytes": 64 * _MIB,
    "maxArtifacts": 64,
    "maxDiskBytes": 256 * _MIB,
    "maxProcesses": 32,
}

Request = dict[str, Any]


class Refusal(Exception):
    """The code was not started."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def refusal(run_id: object, code: str, detail: str) -> dict[str, Any]:
    """Return the refusal object."""
    return {
        "protocol": PROTOCOL,
        "kind": "refusal",
        "runId": run_id if isinstance(run_id, str) else "",
        "code": code,
        "detail": detail,
        "runnerVersion": VERSION,
    }


def check_request(request: object) -> Request:
    """Return the request when it is one. Raises Refusal that names the field, what was expected and what was got."""
    if not isinstance(request, dict):
        raise _malformed("request", "an object", request)
    _expect(request, "protocol", lambda value: value == PROTOCOL and _is_int(value), f"the number {PROTOCOL}")
    _expect(request, "kind", lambda value: value == "run", '"run"')
    _expect(request, "minRunnerVersion", lambda value: _is_int(value) and value >= 0, "a whole number, 0 or more")
    # The fence comes before all else: a newer request may have shapes that this runner cannot judge.
    if request["minRunnerVersion"] > VERSION:
        detail = f"runner version {VERSION} is older than the fence {request['minRunnerVersion']}"
        raise Refusal("runner_outdated", detail)
    _expect(request, "runId", lambda value: _is_text(value) and value, "a text")
    _expect(request, "language", lambda value: value in LANGUAGES, f"one of {', '.join(LANGUAGES)}")
    _expect(request, "profile", lambda value: value in _PROFILES, f"one of {', '.join(_PROFILES)}")
    _expect(request, "code", _is_text, "a text of well-formed Unicode")
    _expect(request, "variables", lambda value: isinstance(value, dict), "an object")
    if is_deeper(request["variables"], MAX_DEPTH):
        raise Refusal("malformed_request", f"variables: expected at most {MAX_DEPTH} levels, got more")
    _expect(request, "files", _is_file_list, f"at most {_MAX_FILES} different plain file names")
    _check_limits(request.get("limits"))
    _check_prefix(request.get("prefix"))
    if request["prefix"]["kind"] == "none" and request["files"]:
        raise _malformed(
            "files", "none, for a run on a shared function has no prefix to read files from", request["files"]
        )
    _check_source_size(request)
    return request


def _check_limits(limits: object) -> None:
    if not isinstance(limits, dict):
        raise _malformed("limits", "an object", limits)
    for name, least in _LEAST_LIMITS.items():
        most = _MOST_LIMITS.get(name, 2**53 - 1)
        value = limits.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise _malformed(f"limits.{name}", f"a whole number from {least} to {most}", value)


def _check_prefix(prefix: object) -> None:
    if not isinstance(prefix, dict):
        raise _malformed("prefix", "an object", prefix)
    kind = prefix.get("kind")
    if not isinstance(kind, str) or kind not in _PREFIX_FIELDS:
        raise _malformed("prefix.kind", f"one of {', '.join(_PREFIX_FIELDS)}", kind)
    for name in _PREFIX_FIELDS[kind]:
        value = prefix.get(name)
        if not _is_text(value) or not value:
            raise _malformed(f"prefix.{name}", "a text", value)
        if kind == "folder" and not value.startswith("/"):
            raise _malformed(f"prefix.{name}", "an absolute path", value)
        if kind == "s3" and name != "bucket" and not value.endswith("/"):
            raise _malformed(f"prefix.{name}", 'a key prefix that ends in "/"', value)


def _check_source_size(request: Request) -> None:
    size, limit = len(request["code"].encode()), request["limits"]["maxSourceBytes"]
    if size > limit:
        raise Refusal("malformed_request", f"code: expected at most {limit} bytes of UTF-8, got {size}")


def _expect(request: Request, name: str, holds: Callable[[Any], object], expected: str) -> None:
    value = request.get(name)
    if not holds(value):
        raise _malformed(name, expected, value)


def _malformed(name: str, expected: str, got: object) -> Refusal:
    shown = repr(got)
    return Refusal("malformed_request", f"{name}: expected {expected}, got {shown[:80]}")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_file_list(value: object) -> bool:
    if not isinstance(value, list) or len(value) > _MAX_FILES:
        return False
    return all(map(_is_file_name, value)) and len(set(value)) == len(value)


def _is_file_name(name: object) -> bool:
    """The same rule as `src/domain/file-name.ts`: flat, visible, portable."""
    if not isinstance(name, str) or not _is_text(name) or not 0 < len(name.encode()) <= 255:
        return False
    if name == "outputs" or name.startswith(".") or name != name.strip() or "/" in name or "\\" in name:
        return False
    hidden = any(unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") for letter in name)
    return not hidden and name == unicodedata.normalize("NFC", name)


def milliseconds(seconds: float) -> float:
    """Return seconds as milliseconds with three decimals."""
    return math.floor(seconds * 1_000_000) / 1000
