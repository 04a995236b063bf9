"""Errors as Lambda words them."""

import json
from typing import Any


def lambda_error(kind: str, message: str, status: int, **more: str) -> tuple[int, dict[str, str], bytes]:
    """Return an answer of the emulator's form."""
    headers = {"Content-Type": "application/json", "X-Amzn-ErrorType": kind}
    fields: dict[str, Any] = {"__type": kind, "Type": "User", "message": message, **more}
    return status, headers, json.dumps(fields).encode()


class LambdaRefusal(ValueError):
    """What Lambda refuses; CloudFormation shows its text as the reason of the resource."""

    def __init__(self, kind: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.answer = lambda_error(kind, message, status)


def invalid(message: str) -> LambdaRefusal:
    """Return the refusal of a parameter's value."""
    return LambdaRefusal("InvalidParameterValueException", message)
