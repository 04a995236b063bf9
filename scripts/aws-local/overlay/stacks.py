"""Stacks that take their time, one resource after the other, and can be deleted meanwhile."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import _stacks, changesets, handlers, stacks

from overlay import functions, limits, roles
from overlay.switches import SWITCHES

_FUNCTION = "AWS::Lambda::Function"
# The emulator gives its create, update and delete of a resource different numbers of arguments.
_CREATE_ARGUMENTS, _UPDATE_ARGUMENTS = 4, 7
_step_ms: contextvars.ContextVar[float] = contextvars.ContextVar("step_ms", default=0)
_stage: contextvars.ContextVar[str] = contextvars.ContextVar("stage", default="")
_running: dict[str, asyncio.Task[None]] = {}


def lay() -> None:
    """Turn each step of an operation into one that can be waited in."""
    deploy, delete = stacks._deploy_stack_async, stacks._delete_stack_async
    threaded, run_threaded = stacks._runs_on_worker_thread, stacks.run_reentrant
    stacks._runs_on_worker_thread = lambda kind: SWITCHES.is_on("stacks") or threaded(kind)
    stacks.run_reentrant = _stepping(threaded, run_threaded)
    for module in (stacks, handlers, changesets):
        for name, wrapped in (
            ("_deploy_stack_async", _timed_deploy(deploy)),
            ("_delete_stack_async", _timed_delete(delete)),
            ("_create_stack_task_in_region", _start),
        ):
            if hasattr(module, name):
                setattr(module, name, wrapped)


def _stepping(
    threaded: Callable[[str], bool], run_threaded: Callable[..., Awaitable[Any]]
) -> Callable[..., Awaitable[Any]]:
    async def step(act: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401
        kind = args[0]
        if threaded(kind) or not SWITCHES.is_on("stacks"):
            return await run_threaded(act, *args)
        await SWITCHES.stage(_stage.get(), _step_ms.get())
        if kind == _FUNCTION:
            return await _function_step(act, args)
        return act(*args)

    return step


async def _function_step(act: Callable[..., Any], args: tuple[Any, ...]) -> Any:  # noqa: ANN401
    """CloudFormation's own calls to Lambda count too, and it waits until the function is ready."""
    props = _properties_in(args)
    await limits.take_patiently("lambda")
    if props is not None:
        if props.get("ReservedConcurrentExecutions") is not None:
            await limits.take_patiently("lambda")
        await roles.assumable_patiently(props.get("Role", ""), _arn_of(props))
    token = functions.IN_CLOUDFORMATION.set(True)
    try:
        result = act(*args)
    finally:
        functions.IN_CLOUDFORMATION.reset(token)
    if props is not None:
        limits.take("getFunction")
        await _until_settled(_physical_id_in(result), is_new=len(args) == _CREATE_ARGUMENTS)
    return result


async def _until_settled(name: str, *, is_new: bool) -> None:
    try:
        await functions.settled(name)
    except asyncio.CancelledError:
        # The stack does not know of it yet, so the deletion that came meanwhile would leave it behind.
        if is_new:
            lambda_svc._functions.pop(name, None)
        raise


def _properties_in(args: tuple[Any, ...]) -> dict[str, Any] | None:
    """The properties wanted: of a create the third argument, of an update the fourth; None for a delete."""
    wanted = {_CREATE_ARGUMENTS: 2, _UPDATE_ARGUMENTS: 3}.get(len(args))
    if wanted is None or not isinstance(args[wanted], dict):
        return None
    return dict(args[wanted])


def _physical_id_in(result: Any) -> str:  # noqa: ANN401
    while isinstance(result, tuple):
        result = result[0]
    return str(result)


def _arn_of(props: dict[str, Any]) -> str:
    return str(lambda_svc._func_arn(props.get("FunctionName", "")))


Operation = Callable[..., Coroutine[Any, Any, None]]


def _timed_deploy(inner: Operation) -> Operation:
    async def deploy(stack_name: str, stack_id: str, template: dict[str, Any], *rest: Any, **named: Any) -> None:  # noqa: ANN401
        stage = "update" if named.get("is_update") else "create"
        whole = SWITCHES.stack_update_ms if stage == "update" else SWITCHES.stack_create_ms
        _stage.set(stage)
        _step_ms.set(whole / max(1, len(template.get("Resources", {}))))
        await inner(stack_name, stack_id, template, *rest, **named)

    return deploy


def _timed_delete(inner: Operation) -> Operation:
    async def delete(stack_name: str, stack_id: str, *rest: Any, **named: Any) -> None:  # noqa: ANN401
        resources = (_stacks.get(stack_name) or {}).get("_resources", {})
        _stage.set("delete")
        _step_ms.set(SWITCHES.stack_delete_ms / max(1, len(resources)))
        await inner(stack_name, stack_id, *rest, **named)

    return delete


def _start(operation: Coroutine[Any, Any, None], stack: dict[str, Any] | None, stack_id: str | None = None) -> None:
    """A deletion ends what is under way with the stack; a second deletion changes nothing."""
    key = stack_id or (stack or {}).get("StackId", "")
    previous = _running.get(key)
    is_deletion = operation.__qualname__.startswith("_timed_delete")
    if previous is not None and previous.done():
        previous = None
    if previous is not None and is_deletion and previous.get_name() == "delete":
        operation.close()
        return
    with stacks._stack_region_context(stack, stack_id):
        task = asyncio.get_running_loop().create_task(_after(previous, operation))
    task.set_name("delete" if is_deletion else "deploy")
    if is_deletion and stack is not None:
        stack["StackStatus"] = "DELETE_IN_PROGRESS"
    _running[key] = task
    task.add_done_callback(lambda done: _running.pop(key, None) if _running.get(key) is done else None)


async def _after(previous: asyncio.Task[None] | None, operation: Coroutine[Any, Any, None]) -> None:
    if previous is not None:
        previous.cancel()
        await asyncio.wait([previous])
    await operation
