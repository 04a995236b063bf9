"""The one frame that a child sends back: four bytes of length, then JSON in UTF-8."""

import os
import struct
from collections.abc import Mapping
from contextlib import suppress
from json import dumps


def encode_json(value: object) -> bytes:
    """Return compact JSON; the size limits count these bytes."""
    return dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def send_frame(result_fd: int, frame: Mapping[str, object]) -> None:
    """Write the frame and close the descriptor at once: EOF would otherwise wait until the memory is torn down."""
    body = encode_json(frame)
    left = memoryview(struct.pack(">I", len(body)) + body)
    # The code under test may have closed the pipe; the supervisor then sees no frame and says so.
    with suppress(OSError):
        while left:
            left = left[os.write(result_fd, left) :]
    with suppress(OSError):
        os.close(result_fd)


def shorten(text: str, limit: int) -> str:
    """Keep head and tail of a text that is too long, with a mark that says how much is missing."""
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    return f"{text[:head]}\n… {len(text) - limit} of {len(text)} characters left out …\n{text[-tail:]}"
