"""Who invokes a function that is not Active: Lambda's refusals, and the waking of those that nobody used for long."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc

from overlay.aws_errors import lambda_error
from overlay.functions import mark_active
from overlay.roles import is_there
from overlay.switches import SWITCHES

_USED = "_aws_local_used"
_waking: set[asyncio.Task[None]] = set()


def lay() -> None:
    """Look at the state before each invocation and each look at the function."""
    lambda_svc._invoke = _awake(lambda_svc._invoke)
    for name in ("_get_function", "_get_function_config"):
        setattr(lambda_svc, name, _looked_at(getattr(lambda_svc, name)))


def set_state(name: str, state: str, reason_code: str = "", account: str = "000000000000", region: str = "") -> None:
    """Put a function into a state, as when weeks have passed or its image was deleted."""
    func = lambda_svc._functions.get_scoped(account, region, name)
    if func is None:
        message = f"functionState: expected a function that exists, got {name!r}"
        raise ValueError(message)
    reason = {"Idle": "The function is idle.", "ImageDeleted": "The image of the function was deleted."}.get(
        reason_code, ""
    )
    func["config"].update(State=state, StateReason=reason, StateReasonCode=reason_code)


def _looked_at(inner: Callable[..., Any]) -> Callable[..., Any]:
    def look(name: str, qualifier: str | None = None) -> Any:  # noqa: ANN401
        _fall_asleep(lambda_svc._functions.get(name))
        return inner(name, qualifier)

    return look


def _fall_asleep(func: dict[str, Any] | None) -> None:
    if func is None or SWITCHES.idle_ms is None or func["config"].get("State") != "Active":
        return
    used = func.setdefault(_USED, time.monotonic())
    if time.monotonic() - used >= SWITCHES.idle_ms / 1000:
        func["config"].update(State="Inactive", StateReason="The function is idle.", StateReasonCode="Idle")


def _awake(inner: Callable[..., Awaitable[tuple[Any, ...]]]) -> Callable[..., Awaitable[tuple[Any, ...]]]:
    async def invoke(name: str, *rest: Any) -> tuple[Any, ...]:  # noqa: ANN401
        func = lambda_svc._functions.get(name)
        if func is not None and SWITCHES.is_on("states"):
            _fall_asleep(func)
            refusal = _refusal(name, func)
            if refusal is not None:
                return refusal
            func[_USED] = time.monotonic()
        if func is not None and SWITCHES.is_on("roles") and not is_there(func["config"]["Role"]):
            message = "The role defined for the function cannot be assumed by Lambda."
            return lambda_error("AccessDeniedException", message, 403)
        return await inner(name, *rest)

    return invoke


def _refusal(name: str, func: dict[str, Any]) -> tuple[Any, ...] | None:
    config = func["config"]
    state, code = config.get("State"), config.get("StateReasonCode")
    if state == "Inactive":
        config.update(State="Pending", StateReason="The function is being restored.", StateReasonCode="Restoring")
        task = asyncio.get_running_loop().create_task(_wake(name, func))
        _waking.add(task)
        task.add_done_callback(_waking.discard)
    if state == "Inactive" or (state == "Pending" and code != "Creating"):
        message = "Lambda is initializing your function. It will be ready to invoke shortly."
        return lambda_error("CodeArtifactUserPendingException", message, 409)
    if state == "Pending":
        message = (
            "The operation cannot be performed at this time. The function is currently in the following state: Pending"
        )
        return lambda_error("ResourceConflictException", message, 409)
    if state == "Failed":
        kind = "CodeArtifactUserDeletedException" if code == "ImageDeleted" else "CodeArtifactUserFailedException"
        return lambda_error(kind, config.get("StateReason") or "The function is in the state Failed.", 409)
    return None


async def _wake(name: str, func: dict[str, Any]) -> None:
    account, region = get_account_id(), get_region()
    await SWITCHES.stage("wake", SWITCHES.wake_ms)
    if lambda_svc._functions.get_scoped(account, region, name) is func:
        func[_USED] = time.monotonic()
        mark_active(func["config"])
