"""One value as a mime bundle: text always, and every richer form that the value has."""

import base64
import sys
from typing import Any

from berth_runner.child.failure import type_name
from berth_runner.child.figures import is_figure, to_png
from berth_runner.child.frame import encode_json, shorten
from berth_runner.child.json_value import NotJsonError, TooLargeError, to_json
from berth_runner.child.table import is_tabular, to_table

MAX_TEXT = 16_384
# What a table may take of the room that is left: the other forms must fit beside it.
_TABLE_SHARE = 0.6
_HTML_SHARE = 0.3

_RICH_METHODS = {"html": "_repr_html_", "markdown": "_repr_markdown_", "svg": "_repr_svg_", "png": "_repr_png_"}


def to_bundle(value: object, max_bytes: int, drawn: dict[int, bytes]) -> tuple[dict[str, object], NotJsonError | None]:
    """Return the forms of a value, and why it has no JSON form when it has none. Raises TooLargeError."""
    if is_tabular(value):
        return _table_bundle(value, max_bytes), NotJsonError(_not_plain(value))
    if is_figure(value):
        return _figure_bundle(value, max_bytes, drawn), NotJsonError(_not_plain(value))
    problem = None
    forms: dict[str, object] = {}
    try:
        forms["json"] = to_json(value, max_bytes)
    except NotJsonError as error:
        problem = error
    except TooLargeError:
        raise
    except Exception as error:  # properties of the value may raise
        problem = NotJsonError(f"$ cannot be read: {type_name(type(error))}")
    return {"text": to_text(value), **_rich_forms(value), **forms}, problem


def is_rich(bundle: dict[str, object]) -> bool:
    """Whether the bundle shows more than its repr."""
    return len(bundle.keys() - {"isMain", "text"}) > 0


def to_text(value: object) -> str:
    """Return repr(value), at most MAX_TEXT characters; a repr that raises is told, not passed on."""
    try:
        return shorten(repr(value), MAX_TEXT)
    except BaseException as error:
        return f"<{type_name(type(value))} object; its repr raised {type_name(type(error))}>"


def _not_plain(value: object) -> str:
    remedy = 'return df.to_dict("records")' if is_tabular(value) else "save it into outputs/"
    return f"$ is a {type_name(type(value))}, which JSON does not have; {remedy}"


def _table_bundle(value: Any, max_bytes: int) -> dict[str, object]:  # noqa: ANN401
    bundle: dict[str, object] = {"text": to_text(value)}
    html = _rich_form(value, "html", "_repr_html_")
    if isinstance(html, str) and len(encode_json(html)) < max_bytes * _HTML_SHARE:
        bundle["html"] = html
    room = max_bytes - len(encode_json(bundle))
    try:
        bundle["table"] = to_table(value, int(room * _TABLE_SHARE))
    except Exception as error:
        _tell(f"the table could not be read: {type_name(type(error))}")
    return bundle


def _figure_bundle(value: Any, max_bytes: int, drawn: dict[int, bytes]) -> dict[str, object]:  # noqa: ANN401
    text = to_text(value)
    try:
        png = base64.b64encode(drawn.get(id(value)) or to_png(value)).decode()
    except Exception as error:
        _tell(f"the figure could not be drawn: {type_name(type(error))}")
        return {"text": text}
    if len(png) > max_bytes - len(encode_json(text)) - 100:
        return {"text": f"{text} (its PNG of {len(png)} bytes is over the result limit; an open figure is in outputs/)"}
    return {"text": text, "png": png}


def _rich_forms(value: object) -> dict[str, object]:
    if issubclass(type(value), type) or type(value).__module__ == "builtins":
        return {}
    found = {form: _rich_form(value, form, method) for form, method in _RICH_METHODS.items()}
    return {form: content for form, content in found.items() if content is not None}


def _rich_form(value: object, form: str, method: str) -> str | None:
    """Look on the type: an object that answers every attribute must not look rich."""
    try:
        show = getattr(type(value), method, None)
        content = None if show is None else show(value)
        if form == "png" and isinstance(content, bytes):
            return base64.b64encode(content).decode()
        return content.encode("utf-8", "backslashreplace").decode() if isinstance(content, str) else None
    except Exception as error:
        _tell(f"{method} raised {type_name(type(error))}")
        return None


def _tell(text: str) -> None:
    print(f"berth: {text}", file=sys.stderr)
