"""Frames: four bytes of length, then JSON in UTF-8."""

import json
import struct

import pytest
from berth_runner import frames


@pytest.mark.parametrize("message", [{}, {"a": 1}, {"text": "é€😀"}, {"nested": [[[]]]}])
def test_a_frame_is_its_length_and_its_json(message: dict) -> None:
    frame = frames.encode(message)

    assert frames.body_length(frame[:4]) == len(frame) - 4
    assert json.loads(frame[4:]) == message


def test_a_lone_surrogate_travels_as_an_escape() -> None:
    frame = frames.encode({"text": "\ud800"})

    assert frame[4:] == b'{"text":"\\ud800"}'


def test_what_is_no_json_is_not_sent() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        frames.encode({"value": float("nan")})


def test_a_length_that_no_honest_peer_sends_is_refused() -> None:
    assert frames.body_length(struct.pack(">I", frames.MAX_FRAME_BYTES)) == frames.MAX_FRAME_BYTES
    with pytest.raises(ValueError, match="at most"):
        frames.body_length(struct.pack(">I", frames.MAX_FRAME_BYTES + 1))
