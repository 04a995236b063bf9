"""A pandas DataFrame or Series as data: typed columns and a preview of rows that fits its budget."""

import datetime
import sys
from typing import Any

from berth_runner.child.frame import encode_json
from berth_runner.child.json_value import MAX_SAFE_INTEGER, NotJsonError, TooLargeError, to_json

MAX_ROWS = 1_000
MAX_CELL_BYTES = 65_536


def is_tabular(value: object) -> bool:
    """Whether `value` is a DataFrame or a Series; pandas is not imported for the question."""
    pandas = sys.modules.get("pandas")
    try:
        return pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series)
    except Exception:  # `pandas` in sys.modules may be anything
        return False


def to_table(value: Any, max_bytes: int) -> dict[str, object]:  # noqa: ANN401 - pandas is never imported here
    """Return {columns, rows, rowCount, truncated}; `truncated` is true when rows or columns had to stay out."""
    frame = value.to_frame("value" if value.name is None else value.name) if _is_series(value) else value
    row_count = len(frame)
    # More columns than this cannot fit, and each costs time.
    most = max_bytes // len('{"name":"","type":"json"}')
    columns = [_column(name, series) for name, series in _all_columns(frame.iloc[:MAX_ROWS, :most])]
    kept, left = _fit_columns(columns, max_bytes)
    rows = _fit_rows([cells for _, _, cells in kept], min(row_count, MAX_ROWS), left)
    return {
        "columns": [{"name": name, "type": kind} for name, kind, _ in kept],
        "rows": rows,
        "rowCount": row_count,
        "truncated": len(rows) < row_count or len(kept) < len(columns) or frame.shape[1] > most,
    }


def _is_series(value: object) -> bool:
    return isinstance(value, sys.modules["pandas"].Series)


def _all_columns(frame: Any) -> list[tuple[str, Any]]:  # noqa: ANN401
    """The index counts as data unless it is the plain 0, 1, 2 … that pandas makes by itself."""
    pandas = sys.modules["pandas"]
    index = frame.index
    named = [(_label(name), frame.iloc[:, i]) for i, name in enumerate(frame.columns)]
    if isinstance(index, pandas.RangeIndex) and index.name is None and index.start == 0 and index.step == 1:
        return named
    levels = [index.get_level_values(i).to_series(index=range(len(index))) for i in range(index.nlevels)]
    default = ["index"] if len(levels) == 1 else [f"level_{i}" for i in range(len(levels))]
    names = [default[i] if name is None else _label(name) for i, name in enumerate(index.names)]
    return [*zip(names, levels, strict=True), *named]


def _label(name: object) -> str:
    text = " / ".join(map(str, name)) if isinstance(name, tuple) else str(name)
    return text.encode("utf-8", "backslashreplace").decode()


def _column(name: str, series: Any) -> tuple[str, str, list[object]]:  # noqa: ANN401
    missing = series.isna().tolist()
    cells = [None if gone else cell for gone, cell in zip(missing, series.astype(object).tolist(), strict=True)]
    kind = _kind(series, [cell for cell in cells if cell is not None])
    return name, kind, [None if cell is None else _cell(kind, cell) for cell in cells]


def _kind(series: Any, present: list[object]) -> str:  # noqa: ANN401
    """The column's type: by dtype where that says it, else by the values in the preview."""
    kinds = {_kind_of(cell) for cell in present}
    if not kinds:
        return {"b": "boolean", "i": "integer", "u": "integer", "f": "number", "M": "datetime"}.get(
            getattr(series.dtype, "kind", "O"), "string"
        )
    if kinds == {"integer", "number"}:
        return "number" if _are_small([c for c in present if isinstance(c, int)]) else "string"
    if kinds == {"integer"}:
        # One value that a JSON reader would round makes the whole column text: no type changes from row to row.
        return "integer" if _are_small(present) else "string"
    if "other" in kinds:
        return "string"
    return kinds.pop() if len(kinds) == 1 else "json" if kinds <= _JSON_KINDS else "string"


_JSON_KINDS = {"boolean", "integer", "number", "string", "json"}


def _kind_of(cell: object) -> str:
    for types, kind in _KINDS:
        if isinstance(cell, types):
            return kind
    return _numpy_kind(cell)


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (datetime.date, "datetime"),
    ((list, tuple, dict), "json"),
)


def _numpy_kind(cell: object) -> str:
    dtype_kind = getattr(getattr(cell, "dtype", None), "kind", "")
    if getattr(cell, "shape", None) != ():
        return "other"
    return {"b": "boolean", "i": "integer", "u": "integer", "f": "number"}.get(dtype_kind, "other")


def _are_small(cells: list[object]) -> bool:
    return all(abs(int(cell)) <= MAX_SAFE_INTEGER for cell in cells)  # type: ignore[call-overload]


def _cell(kind: str, cell: Any) -> object:  # noqa: ANN401
    if kind == "datetime":
        return cell.isoformat()
    if kind == "boolean":
        return bool(cell)
    if kind == "integer":
        return int(cell)
    if kind == "number":
        # JSON has no infinity; like NaN it becomes null.
        number = float(cell)
        return number if abs(number) != float("inf") else None
    if kind == "json":
        try:
            return to_json(cell, MAX_CELL_BYTES)
        except (NotJsonError, TooLargeError):
            pass
    return str(cell).encode("utf-8", "backslashreplace").decode()


_Column = tuple[str, str, list[object]]


def _fit_columns(columns: list[_Column], max_bytes: int) -> tuple[list[_Column], int]:
    left = max_bytes - 100
    for i, (name, kind, _) in enumerate(columns):
        size = len(encode_json({"name": name, "type": kind})) + 1
        # At most half of the budget for the heads, so that some rows fit below them.
        if left - size < max_bytes // 2 - 100:
            return columns[:i], left
        left -= size
    return columns, left


def _fit_rows(columns: list[list[object]], count: int, left: int) -> list[list[object]]:
    rows: list[list[object]] = []
    for i in range(count):
        row = [cells[i] for cells in columns]
        left -= len(encode_json(row)) + 1
        if left < 0:
            break
        rows.append(row)
    return rows
