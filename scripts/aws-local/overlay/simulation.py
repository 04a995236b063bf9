"""SimulatePrincipalPolicy finds a role below a path, and goes by its boundary and by the context it is given."""

from typing import Any
from xml.sax.saxutils import escape

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import EvalContext
from ministack.services import iam

from overlay.switches import SWITCHES

_SECURE = "aws:securetransport"
_DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny"}


def lay() -> None:
    """Answer for roles and users in the place of the emulator."""
    inner = iam._simulate_principal_policy

    def simulated(params: dict[str, Any]) -> Any:  # noqa: ANN401
        arn = iam._p(params, "PolicySourceArn") or ""
        kind = arn.split(":")[-1].split("/")[0]
        if kind not in ("role", "user") or not SWITCHES.is_on("simulation"):
            return inner(params)
        return _simulate(params, arn, kind)

    iam._simulate_principal_policy = simulated
    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = simulated


def _simulate(params: dict[str, Any], arn: str, kind: str) -> Any:  # noqa: ANN401
    account, name = arn.split(":")[4], arn.rsplit("/", 1)[-1]
    store = iam._roles if kind == "role" else iam._users
    if (store.get_scoped(account, None, name) or {}).get("Arn") != arn:
        return iam._error(404, "NoSuchEntity", f"Entity {arn} does not exist.", ns="iam")
    gather = iam_evaluator._gather_role_policies if kind == "role" else iam_evaluator._gather_user_policies
    layers = [gather(name, account), *iam_evaluator._permissions_boundary(store, name, account)]
    given = _context_of(params)
    results = "".join(
        _result(action, resource, iam_evaluator.evaluate(_context(arn, action, resource, given), *layers).decision)
        for action in _members(params, "ActionNames")
        for resource in _members(params, "ResourceArns") or ["*"]
    )
    body = f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>"
    wrapped = f"<SimulatePrincipalPolicyResult>{body}</SimulatePrincipalPolicyResult>"
    return iam._xml(200, "SimulatePrincipalPolicyResponse", wrapped, ns="iam")


def _context(arn: str, action: str, resource: str, given: dict[str, Any]) -> EvalContext:
    return EvalContext(
        principal_arn=arn,
        principal_type="AssumedRole" if ":role/" in arn else "User",
        principal_account=arn.split(":")[4],
        action=action,
        resource_arn=resource,
        region=iam.get_region(),
        secure_transport=given.get(_SECURE) == "true",
        principal_keys=given,
    )


def _members(params: dict[str, Any], name: str) -> list[str]:
    found: list[str] = []
    while member := iam._p(params, f"{name}.member.{len(found) + 1}"):
        found.append(member)
    return found


def _context_of(params: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    index = 1
    while key := iam._p(params, f"ContextEntries.member.{index}.ContextKeyName"):
        values = _members(params, f"ContextEntries.member.{index}.ContextKeyValues")
        given[key.lower()] = values[0] if len(values) == 1 else values
        index += 1
    return given


def _result(action: str, resource: str, decision: str) -> str:
    verdict = _DECISIONS.get(decision, "implicitDeny")
    return (
        f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalDecision>{verdict}</EvalDecision><MatchedStatements></MatchedStatements>"
        "<MissingContextValues></MissingContextValues></member>"
    )
