"""What the self-test asks of the function's role and network: its own prefix is open to it, all else is shut."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

from berth_runner import s3
from berth_runner.s3 import S3Error

_MOST_BYTES = 4096
_PATIENCE_SECONDS = 1.5
# Addresses that answer everyone on the internet, so that no name has to be looked up.
OUTSIDE = (("1.1.1.1", 443), ("8.8.8.8", 53), ("2606:4700:4700::1111", 443))

Event = Mapping[str, Any]
Finding = tuple[str, bool, str]


async def examine(event: Event) -> list[Finding]:
    """Return (name, passed, detail) of what the event has the fields for."""
    bucket, prefix = event.get("bucket"), event.get("prefix")
    findings = []
    if bucket and prefix and event.get("file") and event.get("token"):
        findings.append(await asyncio.to_thread(_own_prefix, event))
    if bucket and event.get("otherPrefix"):
        findings.append(await asyncio.to_thread(_other_prefix, event))
    return findings


async def reached(addresses: tuple[tuple[str, int], ...] = OUTSIDE) -> list[str]:
    """Return which addresses this process itself can connect to."""
    tries = await asyncio.gather(*(asyncio.to_thread(_answers, address) for address in addresses))
    return [f"{host}:{port}" for (host, port), answers in zip(addresses, tries, strict=True) if answers]


def _answers(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=_PATIENCE_SECONDS).close()
    except OSError:
        return False
    return True


def _own_prefix(event: Event) -> Finding:
    name = "own_prefix_readable"
    key = f"{event['prefix']}files/{event['file']}"
    try:
        with s3.translated():
            body = s3.client().get_object(Bucket=event["bucket"], Key=key)["Body"]
            content = body.read(_MOST_BYTES)
            body.close()
    except S3Error as error:
        return name, False, f"its file was not read: {error.code}"
    same = content.decode(errors="replace") == event["token"]
    return name, same, "a file in the own prefix has the expected content" if same else "its content is another"


def _other_prefix(event: Event) -> Finding:
    bucket, other = event["bucket"], event["otherPrefix"]
    key = f"{other}files/{event.get('file') or 'self-test'}"
    tries: dict[str, Callable[[], object]] = {
        "get": lambda: s3.client().get_object(Bucket=bucket, Key=key),
        "list": lambda: s3.client().list_objects_v2(Bucket=bucket, Prefix=other, MaxKeys=1),
        "list of all": lambda: s3.client().list_objects_v2(Bucket=bucket, MaxKeys=1),
    }
    answers = {what: _answer(attempt) for what, attempt in tries.items()}
    passed = all(answer == "AccessDenied" for answer in answers.values())
    return "other_prefix_refused", passed, ", ".join(f"{what}: {answer}" for what, answer in answers.items())


def _answer(attempt: Callable[[], object]) -> str:
    try:
        with s3.translated():
            attempt()
    except S3Error as error:
        return error.code
    return "allowed"
