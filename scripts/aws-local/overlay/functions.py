"""Functions as Lambda keeps them: values in range, roles and images that are there, states that take their time."""

import asyncio
import copy
import json
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from overlay import images, roles
from overlay.aws_errors import LambdaRefusal, invalid, lambda_error
from overlay.switches import SWITCHES

Answer = tuple[int, dict[str, str], bytes]
_RANGES = {"MemorySize": (128, 10_240), "Timeout": (1, 900)}
_STORAGE = (512, 10_240)
_ENVIRONMENT_BYTES = 4096
_MIN_UNRESERVED = 100
_OK = 300

# Set while CloudFormation works: it waits by itself between its calls to Lambda.
IN_CLOUDFORMATION: ContextVar[bool] = ContextVar("in_cloudformation", default=False)
_settling: dict[tuple[str, str, str], asyncio.Task[None]] = {}


def lay() -> None:
    """Wrap what makes and changes functions, by the API and by CloudFormation."""
    lambda_svc._create_function = _created_by_api(lambda_svc._create_function)
    lambda_svc._update_code = _code_updated(lambda_svc._update_code)
    lambda_svc._update_config = _config_updated(lambda_svc._update_config)
    lambda_svc._get_function = _shown(lambda_svc._get_function)
    lambda_svc._put_function_concurrency = _reserved(lambda_svc._put_function_concurrency)
    lambda_svc._schedule_state_transition = _settle_later(lambda_svc._schedule_state_transition)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    handlers["create"] = _created_by_stack(handlers["create"])
    handlers["update"] = _updated_by_stack(handlers["update"])


async def settled(name: str) -> None:
    """Wait until the function is Active, or its update over."""
    task = _settling.get((get_account_id(), get_region(), name))
    if task is not None:
        await asyncio.shield(task)


def _assert_values(values: dict[str, Any]) -> None:
    if not SWITCHES.is_on("ranges"):
        return
    storage = (values.get("EphemeralStorage") or {}).get("Size")
    checked = [(name, values.get(name), limits) for name, limits in _RANGES.items()]
    for name, value, (low, high) in [*checked, ("EphemeralStorage.Size", storage, _STORAGE)]:
        if value is not None and not low <= int(value) <= high:
            message = f"'{name}' value {value} failed to satisfy constraint: Member must be between {low} and {high}"
            raise invalid(message)
    variables = (values.get("Environment") or {}).get("Variables") or {}
    if len(json.dumps(variables).encode()) > _ENVIRONMENT_BYTES:
        message = (
            "Lambda was unable to configure your environment variables because the environment variables "
            "you have provided exceeded the 4KB limit."
        )
        raise invalid(message)


def _assert_unreserved(name: str, wanted: int) -> None:
    if not SWITCHES.is_on("reserved"):
        return
    others = sum(int(func["concurrency"] or 0) for key, func in lambda_svc._functions.items() if key != name)
    left = lambda_svc._default_account_concurrency() - others - wanted
    if wanted > 0 and left < _MIN_UNRESERVED:
        message = (
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{_MIN_UNRESERVED}]."
        )
        raise invalid(message)


def _take_image(func: dict[str, Any], resolved: str | None) -> None:
    if resolved is None or "@sha256:" not in resolved:
        return
    func["config"]["ResolvedImageUri"] = resolved
    func["config"]["CodeSha256"] = resolved.rsplit(":", 1)[-1]


def _refusable(act: Callable[[], Answer]) -> Answer:
    try:
        return act()
    except LambdaRefusal as refusal:
        return refusal.answer


def _created_by_api(inner: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
    def create(data: dict[str, Any]) -> Answer:
        _assert_values(data)
        name = data.get("FunctionName", "")
        if SWITCHES.is_on("roles"):
            roles.assert_assumable(data.get("Role", ""), lambda_svc._func_arn(name))
        uri = data.get("Code", {}).get("ImageUri")
        resolved = None if uri is None else images.resolve(uri)
        status, headers, body = inner(data)
        if status >= _OK:
            return status, headers, body
        _take_image(lambda_svc._functions[name], resolved)
        return status, headers, _with_config(body, name, "CodeSha256")

    return lambda data: _refusable(lambda: create(data))


def _with_config(body: bytes, name: str, *fields: str) -> bytes:
    """The emulator writes its answer before our changes."""
    config = lambda_svc._functions[name]["config"]
    return json.dumps({**json.loads(body), **{field: config.get(field) for field in fields}}).encode()


def _conflict(func: dict[str, Any]) -> Answer | None:
    config = func["config"]
    if IN_CLOUDFORMATION.get() or not SWITCHES.is_on("conflicts"):
        return None
    if config.get("LastUpdateStatus") != "InProgress" and config.get("State") != "Pending":
        return None
    message = (
        "The operation cannot be performed at this time. "
        f"An update is in progress for resource: {config['FunctionArn']}"
    )
    return lambda_error("ResourceConflictException", message, 409)


def _code_updated(inner: Callable[[str, dict[str, Any]], Answer]) -> Callable[[str, dict[str, Any]], Answer]:
    def update(name: str, data: dict[str, Any]) -> Answer:
        func = lambda_svc._functions.get(name)
        if func is None:
            return inner(name, data)
        refused = lambda_svc._check_revision(func["config"], data) or _conflict(func)
        if refused is not None:
            return refused
        resolved = images.resolve(data["ImageUri"]) if "ImageUri" in data else None
        if data.get("DryRun") and SWITCHES.is_on("dry-run"):
            return lambda_svc.json_response(func["config"])
        answer = _keeping_state(func, lambda: inner(name, data))
        if answer[0] >= _OK:
            return answer
        _take_image(func, resolved)
        return (
            answer[0],
            answer[1],
            _with_config(answer[2], name, "CodeSha256", "State", "StateReason", "StateReasonCode"),
        )

    return lambda name, data: _refusable(lambda: update(name, data))


def _config_updated(inner: Callable[[str, dict[str, Any]], Answer]) -> Callable[[str, dict[str, Any]], Answer]:
    def update(name: str, data: dict[str, Any]) -> Answer:
        func = lambda_svc._functions.get(name)
        if func is None:
            return inner(name, data)
        refused = _conflict(func)
        if refused is not None:
            return refused
        _assert_values(data)
        if "Role" in data and SWITCHES.is_on("roles"):
            roles.assert_assumable(data["Role"], func["config"]["FunctionArn"])
        answer = _keeping_state(func, lambda: inner(name, data))
        if answer[0] >= _OK:
            return answer
        return answer[0], answer[1], _with_config(answer[2], name, "State", "StateReason", "StateReasonCode")

    return lambda name, data: _refusable(lambda: update(name, data))


def _keeping_state(func: dict[str, Any], act: Callable[[], Answer]) -> Answer:
    """An update leaves State alone, and until it is over the function runs as before."""
    before = copy.deepcopy(func["config"])
    answer = act()
    if answer[0] < _OK and SWITCHES.is_on("updates"):
        func.setdefault("serving", before)
        for field in ("State", "StateReason", "StateReasonCode"):
            func["config"][field] = before.get(field, "")
    return answer


def _reserved(inner: Callable[[str, dict[str, Any]], Answer]) -> Callable[[str, dict[str, Any]], Answer]:
    def put(name: str, data: dict[str, Any]) -> Answer:
        _assert_unreserved(name, int(data.get("ReservedConcurrentExecutions", 0)))
        return inner(name, data)

    return lambda name, data: _refusable(lambda: put(name, data))


def _shown(inner: Callable[..., Answer]) -> Callable[..., Answer]:
    def show(name: str, qualifier: str | None = None) -> Answer:
        status, headers, body = inner(name, qualifier)
        if status >= _OK:
            return status, headers, body
        shown = json.loads(body)
        resolved = shown["Configuration"].pop("ResolvedImageUri", None)
        if resolved is not None:
            shown["Code"]["ResolvedImageUri"] = resolved
        return status, headers, json.dumps(shown).encode()

    return show


def _settle_later(inner: Callable[[str, float], None]) -> Callable[[str, float], None]:
    def schedule(name: str, delay: float) -> None:
        if not SWITCHES.is_on("function-states"):
            return inner(name, delay)
        key = (get_account_id(), get_region(), name)
        _settling[key] = asyncio.get_running_loop().create_task(_settle(name, lambda_svc._functions[name]))
        return None

    return schedule


async def _settle(name: str, func: dict[str, Any]) -> None:
    revision = func["config"]["RevisionId"]
    await asyncio.sleep(0)
    await SWITCHES.stage("function", SWITCHES.function_ms)
    if lambda_svc._functions.get(name) is not func or func["config"]["RevisionId"] != revision:
        return
    func.pop("serving", None)
    for record in (func, *func["versions"].values()):
        mark_active(record["config"])


def mark_active(config: dict[str, Any]) -> None:
    """What was pending or in progress is so no more; an inactive function stays it."""
    if config.get("State") == "Pending":
        config.update(State="Active", StateReason="", StateReasonCode="")
    if config.get("LastUpdateStatus") == "InProgress":
        config.update(LastUpdateStatus="Successful", LastUpdateStatusReason="", LastUpdateStatusReasonCode="")


Create = Callable[[str, dict[str, Any], str], tuple[str, dict[str, Any]]]


def _created_by_stack(inner: Create) -> Create:
    def create(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        given = props.get("FunctionName")
        if given in lambda_svc._functions and SWITCHES.is_on("function-names"):
            message = f"Resource of type 'AWS::Lambda::Function' with identifier '{given}' already exists."
            raise ValueError(message)
        resolved = _assert_properties(props, given or "")
        name, attributes = inner(logical_id, props, stack_name)
        func = lambda_svc._functions[name]
        func["config"]["RevisionId"] = lambda_svc.new_uuid()
        _take_image(func, resolved)
        _take_properties(func, {}, props)
        if SWITCHES.is_on("function-states"):
            func["config"].update(State="Pending", StateReasonCode="Creating", LastUpdateStatus="InProgress")
            lambda_svc._schedule_state_transition(name, 0)
        return name, attributes

    return create


def _updated_by_stack(inner: Callable[..., tuple[str, dict[str, Any]]]) -> Callable[..., tuple[str, dict[str, Any]]]:
    def update(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
    ) -> tuple[str, dict[str, Any]]:
        _assert_properties(new, physical_id)
        name, attributes = inner(physical_id, old, new, stack_name, logical_id)
        _take_properties(lambda_svc._functions[name], old, new)
        return name, attributes

    return update


def _assert_properties(props: dict[str, Any], name: str) -> str | None:
    _assert_values(props)
    if SWITCHES.is_on("roles"):
        roles.assert_assumable(props.get("Role", ""), lambda_svc._func_arn(name))
    if SWITCHES.is_on("properties") and props.get("ReservedConcurrentExecutions") is not None:
        _assert_unreserved(name, int(props["ReservedConcurrentExecutions"]))
    uri = props.get("Code", {}).get("ImageUri")
    return None if uri is None else images.resolve(uri)


def _take_properties(func: dict[str, Any], old: dict[str, Any], new: dict[str, Any]) -> None:
    """The properties that the emulator's CloudFormation drops."""
    if not SWITCHES.is_on("properties"):
        return
    config = func["config"]
    config["EphemeralStorage"] = {"Size": int(config["EphemeralStorage"]["Size"])}
    if old.get("VpcConfig") != new.get("VpcConfig") or not old:
        config["VpcConfig"] = lambda_svc._vpc_config_with_id(new.get("VpcConfig"))
    if new.get("TenancyConfig"):
        config["TenancyConfig"] = new["TenancyConfig"]
    reserved = new.get("ReservedConcurrentExecutions")
    if old.get("ReservedConcurrentExecutions") != reserved or not old:
        func["concurrency"] = None if reserved is None else int(reserved)
