"""How the front reaches the overlay: a path of its own before the emulator's."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from overlay.limits import CALLS
from overlay.sleeping import set_state
from overlay.switches import SWITCHES

PATH = "/_aws-local/overlay"
Asgi = Callable[
    [dict[str, Any], Callable[[], Awaitable[dict[str, Any]]], Callable[[dict[str, Any]], Awaitable[None]]],
    Awaitable[None],
]


def controlled(app: Asgi) -> Asgi:
    """Answer our path; leave everything else to the emulator."""

    async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] != "http" or scope["path"] != PATH:
            return await app(scope, receive, send)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        try:
            status, answer = 200, _act(json.loads(body or b"{}"))
        except ValueError as error:
            status, answer = 400, {"message": str(error)}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
        return None

    return serve


def _act(wanted: dict[str, Any]) -> dict[str, Any]:
    if "switches" in wanted:
        SWITCHES.change(wanted["switches"])
    if "functionState" in wanted:
        set_state(**wanted["functionState"])
    if wanted.get("forgetCalls"):
        CALLS.clear()
    return {"calls": CALLS.report()}
