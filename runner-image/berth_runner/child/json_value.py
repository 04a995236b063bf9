"""Strict JSON: a value either goes through without any loss, or the first place that does not is named."""

import dataclasses
import datetime
import math
import sys
from collections.abc import Callable
from decimal import Decimal
from json import dumps

MAX_SAFE_INTEGER = 2**53 - 1
MAX_DEPTH = 100


class NotJsonError(Exception):
    """The value cannot be sent as JSON; the text names the place and the reason."""


class TooLargeError(Exception):
    """The value is certainly larger than the limit."""


class _Walk:
    """One conversion: remembers the way down (for cycles) and how many bytes the JSON has at least."""

    def __init__(self, max_bytes: int) -> None:
        self.left = max_bytes
        self.way: list[str] = []
        self.open: set[int] = set()

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise TooLargeError

    def fail(self, reason: str) -> NotJsonError:
        return NotJsonError(f"${''.join(self.way)} {reason}")

    def convert(self, value: object) -> object:
        self.spend(1)
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str | int | float):
            return self.scalar(value)
        if isinstance(value, list | tuple):
            return self.inside(value, lambda: [self.step(f"[{i}]", v) for i, v in enumerate(value)])
        if isinstance(value, dict):
            return self.inside(value, lambda: self.mapping(value))
        return self.other(value)

    def scalar(self, value: str | float) -> object:
        """Read the plain value even of a subclass that lies about itself."""
        if isinstance(value, str):
            return self.text(str.__str__(value))
        return self.integer(int.__int__(value)) if isinstance(value, int) else self.number(float.__float__(value))

    def text(self, value: str) -> str:
        self.spend(len(value))
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise self.fail("is text with half a surrogate pair, which UTF-8 cannot hold")
        return value

    def integer(self, value: int) -> int:
        if abs(value) > MAX_SAFE_INTEGER:
            raise self.fail("is an integer beyond ±(2^53-1), which JSON readers round; return str(value)")
        return value

    def number(self, value: float) -> float:
        if not math.isfinite(value):
            raise self.fail(f"is {value!r}, which JSON does not have; return None instead")
        return value

    def mapping(self, value: dict[object, object]) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise self.fail(f"has a key of type {_type_name(key)}; JSON keys are text, use str(key)")
            name = self.text(str.__str__(key))
            result[name] = self.step(_dot(name), item)
        return result

    def step(self, name: str, value: object) -> object:
        self.way.append(name)
        result = self.convert(value)
        self.way.pop()
        return result

    def inside(self, value: object, build: Callable[[], object]) -> object:
        if id(value) in self.open:
            raise self.fail("contains itself")
        if len(self.open) >= MAX_DEPTH:
            raise self.fail(f"is nested deeper than {MAX_DEPTH} levels")
        self.open.add(id(value))
        result = build()
        self.open.discard(id(value))
        return result

    def other(self, value: object) -> object:
        if _is_missing_time(value):
            raise self.fail("is NaT, which JSON does not have; return None instead")
        if isinstance(value, datetime.datetime | datetime.date | datetime.time):
            return value.isoformat()
        if isinstance(value, Decimal):
            return self.decimal(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
            return self.inside(value, lambda: {n: self.step(_dot(n), getattr(value, n)) for n in names})
        return self.numpy(value)

    def decimal(self, value: Decimal) -> str:
        if not value.is_finite():
            raise self.fail(f"is {value!r}, which JSON does not have; return None instead")
        return str(value)

    def numpy(self, value: object) -> object:
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.datetime64):
            return str(value)
        if numpy is not None and isinstance(value, numpy.bool_ | numpy.number) and value.dtype.kind in "biuf":
            plain = value.item()
            if type(plain) in {bool, int, float}:
                return self.convert(plain)
        if numpy is not None and isinstance(value, numpy.ndarray) and value.dtype.kind != "m":
            self.spend(value.size)
            plain = value.astype(str) if value.dtype.kind == "M" else value
            return self.inside(value, lambda: self.convert(plain.tolist()))
        raise self.fail(f"is a {_type_name(value)}, which JSON does not have{_remedy(value)}")


def to_json(value: object, max_bytes: int) -> object:
    """Return plain JSON data equal to `value`.

    Tuples and arrays become lists, dataclasses become objects, dates become ISO 8601 text, and a Decimal becomes
    text so that no digit is lost. Raises NotJsonError or TooLargeError.
    """
    try:
        return _Walk(max_bytes).convert(value)
    except RecursionError:
        raise NotJsonError(f"$ is nested deeper than {MAX_DEPTH} levels") from None


def _dot(name: str) -> str:
    return f".{name}" if name.isidentifier() else f"[{dumps(name[:100])}]"


def _type_name(value: object) -> str:
    return type.__getattribute__(type(value), "__name__")  # type: ignore[no-any-return]


def _is_missing_time(value: object) -> bool:
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and value is getattr(pandas, "NaT", pandas):
        return True
    return numpy is not None and isinstance(value, numpy.datetime64) and bool(numpy.isnat(value))


def _remedy(value: object) -> str:
    remedies = {
        "DataFrame": '; return df.to_dict("records")',
        "Series": "; return series.to_list()",
        "set": "; return sorted(value)",
        "frozenset": "; return sorted(value)",
        "bytes": "; return base64 or write it into outputs/",
        "timedelta": "; return value.total_seconds()",
        "Timedelta": "; return value.total_seconds()",
    }
    return remedies.get(_type_name(value), "")
