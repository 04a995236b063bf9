"""What is answered before the emulator: the front's own path, and Service Quotas, which the emulator does not know."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from overlay.limits import CALLS, rest
from overlay.quotas import Answer, answer_quotas
from overlay.sleeping import set_state
from overlay.switches import SWITCHES

PATH = "/_aws-local/overlay"
_RATES = {"limits", "burst", "lambda_per_second", "get_function_per_second"}
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


def controlled(app: Asgi) -> Asgi:
    """Answer what is ours; leave everything else to the emulator."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        target = _target_of(scope)
        is_ours = scope["type"] == "http" and (scope["path"] == PATH or target.startswith("ServiceQuotas"))
        if not is_ours:
            await app(scope, receive, send)
            return
        body = await _read(receive)
        answer = answer_quotas(target, body) or _controlled(body)
        await send({"type": "http.response.start", "status": answer[0], "headers": answer[1]})
        await send({"type": "http.response.body", "body": answer[2]})

    return serve


def _target_of(scope: Scope) -> str:
    headers = dict(scope.get("headers", []))
    return str(headers.get(b"x-amz-target", b"").decode())


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def _controlled(body: bytes) -> Answer:
    headers = [(b"content-type", b"application/json")]
    try:
        return 200, headers, json.dumps(_act(json.loads(body or b"{}"))).encode()
    except ValueError as error:
        return 400, headers, json.dumps({"message": str(error)}).encode()


def _act(wanted: dict[str, Any]) -> dict[str, Any]:
    if "switches" in wanted:
        SWITCHES.change(wanted["switches"])
        if _RATES & set(wanted["switches"]):
            rest()
    if "functionState" in wanted:
        set_state(**wanted["functionState"])
    if wanted.get("forgetCalls"):
        CALLS.clear()
    return {"calls": CALLS.report()}
