"""Policy variables such as `${aws:PrincipalTag/berth}` in Resource and in the values of conditions."""

import re
from dataclasses import replace
from typing import Any

from ministack.core import iam_evaluator

from overlay.switches import SWITCHES

_VARIABLE = re.compile(r"\$\{(?P<key>[^},]+?)\s*(?:,\s*'(?P<default>[^']*)')?\}")
_ESCAPES = {"*": "*", "?": "?", "$": "$"}
# Matches no ARN and no value.
_NOTHING = "\x00"


def lay() -> None:
    """Put the values in before a statement is compared."""
    inner = iam_evaluator._first_match

    def first_match(context: Any, statements: list[Any], effect: str) -> Any:  # noqa: ANN401
        if not SWITCHES.is_on("policy-variables"):
            return inner(context, statements, effect)
        return inner(context, [_filled(statement, context) for statement in statements], effect)

    iam_evaluator._first_match = first_match


def _filled(statement: Any, context: Any) -> Any:  # noqa: ANN401
    if "${" not in str((statement.resources, statement.not_resources, statement.conditions)):
        return statement
    return replace(
        statement,
        resources=[_fill(text, context) for text in statement.resources],
        not_resources=[_fill(text, context) for text in statement.not_resources],
        conditions={
            operator: {key: _fill_value(value, context) for key, value in keys.items()}
            for operator, keys in statement.conditions.items()
        },
    )


def _fill_value(value: Any, context: Any) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return _fill(value, context)
    return (
        [_fill(item, context) if isinstance(item, str) else item for item in value]
        if isinstance(value, list)
        else value
    )


def _fill(text: str, context: Any) -> str:  # noqa: ANN401
    """A variable without a value makes the whole text match nothing, and so does a value with a wildcard in it."""

    def value_of(match: re.Match[str]) -> str:
        key = match["key"]
        if key in _ESCAPES:
            return _ESCAPES[key]
        value = iam_evaluator._resolve_condition_key(key, context)
        text_value = match["default"] if value is None else value
        if not isinstance(text_value, str) or "*" in text_value or "?" in text_value:
            return _NOTHING
        return text_value

    filled = _VARIABLE.sub(value_of, text)
    return _NOTHING if _NOTHING in filled else filled
