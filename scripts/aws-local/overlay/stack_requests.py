"""Requests about stacks: sent twice with one token they act once; a stack that was rolled back keeps its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import _stacks, handlers
from ministack.services.cloudformation.helpers import _error, _p

from overlay.switches import SWITCHES

Params = dict[str, Any]
Answer = tuple[int, dict[str, str], Any]
Act = Callable[[Params], Answer]
_OK = 200


@dataclass(frozen=True)
class _Seen:
    params: Params
    stack_name: str
    stack_id: str
    answer: Answer


_seen: dict[tuple[str, str, str, str], _Seen] = {}


def lay() -> None:
    """Wrap the operations that start something."""
    actions = handlers._ACTION_HANDLERS
    actions["CreateStack"] = _by_free_name(actions["CreateStack"])
    for action in ("CreateStack", "UpdateStack", "DeleteStack"):
        actions[action] = _once(action, actions[action])


def _once(action: str, inner: Act) -> Act:
    def act(params: Params) -> Answer:
        token = _p(params, "ClientRequestToken")
        if not token or not SWITCHES.is_on("tokens"):
            return inner(params)
        key = (get_account_id(), get_region(), action, token)
        seen = _seen.get(key)
        if seen is not None and _is_remembered(action, seen):
            if seen.params == params:
                return seen.answer
            return _error("TokenAlreadyExistsException", f"Token [{token}] was already used with other parameters.")
        answer = inner(params)
        if answer[0] == _OK:
            name = _p(params, "StackName")
            _seen[key] = _Seen(params, name, _stack_id(name), answer)
        return answer

    return act


def _is_remembered(action: str, seen: _Seen) -> bool:
    """How long AWS remembers a token is not documented; here, as long as there is the stack that it made."""
    stack = _stacks.get(seen.stack_name) or {}
    is_gone = action == "CreateStack" and stack.get("StackStatus") == "DELETE_COMPLETE"
    return stack.get("StackId", "") == seen.stack_id and not is_gone


def _stack_id(name: str) -> str:
    return str((_stacks.get(name) or {}).get("StackId", ""))


def _by_free_name(inner: Act) -> Act:
    def create(params: Params) -> Answer:
        name = _p(params, "StackName")
        is_husk = (_stacks.get(name) or {}).get("StackStatus") == "ROLLBACK_COMPLETE"
        if is_husk and SWITCHES.is_on("stack-names"):
            return _error("AlreadyExistsException", f"Stack [{name}] already exists")
        return inner(params)

    return create
