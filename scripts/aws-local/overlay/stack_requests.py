"""Requests about stacks: sent twice with one token they act once; a stack that was rolled back keeps its name."""

from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import handlers
from ministack.services.cloudformation.helpers import _error, _p
from overlay.switches import SWITCHES

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], Any]
_OK = 200
_UNCOMPARED = ("Version",)
_seen: dict[tuple[str, str, str, str], tuple[Params, str, Answer]] = {}


def lay() -> None:
    """Wrap the operations that start something."""
    actions = handlers._ACTION_HANDLERS
    for action in ("CreateStack", "UpdateStack", "DeleteStack"):
        actions[action] = _once(action, actions[action])
    actions["CreateStack"] = _by_free_name(actions["CreateStack"])


def _once(action: str, inner: Callable[[Params], Answer]) -> Callable[[Params], Answer]:
    def act(params: Params) -> Answer:
        token = _p(params, "ClientRequestToken")
        if not token or not SWITCHES.is_on("tokens"):
            return inner(params)
        key = (get_account_id(), get_region(), action, token)
        compared = {name: value for name, value in params.items() if name not in _UNCOMPARED}
        seen = _seen.get(key)
        if seen is not None and seen[1] == _stack_id(_p(params, "StackName")):
            if seen[0] == compared:
                return seen[2]
            message = f"Token [{token}] was already used with other parameters."
            return _error("TokenAlreadyExistsException", message)
        answer = inner(params)
        if answer[0] == _OK:
            _seen[key] = (compared, _stack_id(_p(params, "StackName")), answer)
        return answer

    return act


def _stack_id(name: str) -> str:
    from ministack.services.cloudformation import _stacks

    stack = _stacks.get(name) or {}
    return str(stack.get("StackId", ""))


def _by_free_name(inner: Callable[[Params], Answer]) -> Callable[[Params], Answer]:
    def create(params: Params) -> Answer:
        from ministack.services.cloudformation import _stacks

        name = _p(params, "StackName")
        is_husk = (_stacks.get(name) or {}).get("StackStatus") == "ROLLBACK_COMPLETE"
        if is_husk and SWITCHES.is_on("stack-names"):
            return _error("AlreadyExistsException", f"Stack [{name}] already exists")
        return inner(params)

    return create
