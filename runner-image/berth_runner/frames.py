"""Frames over a pipe: four bytes of length, big end first, then JSON in UTF-8."""

import json
import re
import struct
from typing import Any

HEADER_BYTES = 4
MAX_FRAME_BYTES = 256 * 1024 * 1024
_RUN_ID = re.compile(rb'"runId":\s*"([A-Za-z0-9_-]+)"')


def encode(message: dict[str, Any]) -> bytes:
    """Return the frame of a message."""
    try:
        body = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # a lone surrogate: legal in JSON only as an escape
        body = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"a frame has at most {MAX_FRAME_BYTES} bytes, got {len(body)}")
    return struct.pack(">I", len(body)) + body


def run_id(body: bytes) -> str:
    """Return the id in a request that cannot be parsed, or "". A quote inside a text would be escaped."""
    found = _RUN_ID.search(body[:4096])
    return found[1].decode() if found else ""


def body_length(header: bytes) -> int:
    """Return the length that a header announces. Raises ValueError when no honest peer would send it."""
    length: int = struct.unpack(">I", header)[0]
    if length > MAX_FRAME_BYTES:
        raise ValueError(f"a frame has at most {MAX_FRAME_BYTES} bytes, its header says {length}")
    return length
