"""Messages with descriptors between the supervisor, its fork servers and their children, all of them trusted."""

import json
import socket
from collections.abc import Sequence
from typing import Any

_MAX_BYTES = 128 * 1024
_MAX_FDS = 253

Message = dict[str, Any]


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a new channel; each message arrives whole."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(end: socket.socket, message: Message, fds: Sequence[int] = ()) -> None:
    """Send one message; the receiver gets copies of the descriptors."""
    payload = json.dumps(message).encode()
    if fds:
        socket.send_fds(end, [payload], fds)
    else:
        end.send(payload)


def receive(end: socket.socket) -> tuple[Message, list[int]] | None:
    """Return the next message and its descriptors, or None when the other end is gone."""
    payload, fds, _, _ = socket.recv_fds(end, _MAX_BYTES, _MAX_FDS)
    if not payload:
        return None
    message: Message = json.loads(payload)
    return message, list(fds)
