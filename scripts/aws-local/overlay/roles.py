"""Roles from CloudFormation keep their boundary and cannot take another's name; Lambda cannot assume a role at once."""

import asyncio
import json
import time
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate_trust_policy
from ministack.services import iam
from ministack.services.cloudformation import provisioners

from overlay.aws_errors import invalid
from overlay.switches import SWITCHES

_BORN = "_aws_local_born"
_LAMBDA = "lambda.amazonaws.com"
_ASK_AGAIN_SECONDS = 0.02


def lay() -> None:
    """Wrap what makes and changes roles."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"]
    create, update, create_by_api = handlers["create"], handlers["update"], iam._create_role

    def created(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        name = props.get("RoleName")
        if name and SWITCHES.is_on("role-names") and _is_taken(name):
            message = f"Resource of type 'AWS::IAM::Role' with identifier '{name}' already exists."
            raise ValueError(message)
        role_name, attributes = create(logical_id, props, stack_name)
        _complete(role_name, props)
        iam._roles[role_name][_BORN] = time.monotonic()
        return role_name, attributes

    def updated(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, logical_id: str | None = None
    ) -> tuple[str, dict[str, Any]]:
        role_name, attributes = update(physical_id, old, new, stack_name, logical_id)
        _complete(role_name, new)
        return role_name, attributes

    def created_by_api(params: dict[str, Any]) -> Any:  # noqa: ANN401
        answer = create_by_api(params)
        role = iam._roles.get(iam._p(params, "RoleName"))
        if answer[0] == 200 and role is not None:
            role[_BORN] = time.monotonic()
        return answer

    handlers["create"], handlers["update"], iam._create_role = created, updated, created_by_api
    iam._IAM_HANDLERS["CreateRole"] = created_by_api


def _is_taken(name: str) -> bool:
    """Role names are unique without regard to case."""
    return any(other.lower() == name.lower() for other in iam._roles)


def _complete(role_name: str, props: dict[str, Any]) -> None:
    role = iam._roles[role_name]
    if SWITCHES.is_on("boundaries"):
        role["PermissionsBoundary"] = props.get("PermissionsBoundary") or None
    if SWITCHES.is_on("role-tags"):
        # The schema of AWS::IAM::Role says cloudFormationSystemTags: false.
        role["Tags"] = [tag for tag in role["Tags"] if not tag["Key"].startswith("aws:cloudformation:")]


def assert_assumable(role_arn: str, function_arn: str) -> None:
    """Refuse a role that is not there, that does not trust Lambda, or that is too new, with Lambda's own words."""
    if not _is_assumable(role_arn, function_arn):
        message = "The role defined for the function cannot be assumed by Lambda."
        raise invalid(message)


async def assumable_patiently(role_arn: str, function_arn: str) -> None:
    """As CloudFormation does: try again for a while."""
    deadline = time.monotonic() + SWITCHES.patience_ms / 1000
    while not _is_assumable(role_arn, function_arn) and time.monotonic() < deadline:
        await asyncio.sleep(_ASK_AGAIN_SECONDS)


def is_there(role_arn: str) -> bool:
    """Whether the role of a function has not been deleted."""
    return iam._roles.get_scoped(role_arn.split(":")[4], None, role_arn.rsplit("/", 1)[-1]) is not None


def _is_assumable(role_arn: str, function_arn: str) -> bool:
    parts = role_arn.split(":")
    role = iam._roles.get_scoped(parts[4], None, role_arn.rsplit("/", 1)[-1]) if len(parts) > 4 else None
    return role is not None and role["Arn"] == role_arn and _trusts_lambda(role, function_arn) and not _is_too_new(role)


def _is_too_new(role: dict[str, Any]) -> bool:
    if _BORN not in role or not SWITCHES.is_on("new-roles"):
        return False
    return "role" in SWITCHES.held or time.monotonic() - role[_BORN] < SWITCHES.role_ms / 1000


def _trusts_lambda(role: dict[str, Any], function_arn: str) -> bool:
    if not SWITCHES.is_on("trust"):
        return True
    account = role["Arn"].split(":")[4]
    context = EvalContext(
        principal_arn=_LAMBDA,
        principal_type="Service",
        principal_account=account,
        action="sts:AssumeRole",
        resource_arn=role["Arn"],
        region="",
        service_context={"aws:sourceaccount": account, "aws:sourcearn": function_arn},
    )
    document = json.loads(role["AssumeRolePolicyDocument"] or "{}")
    statements = document.get("Statement", [])
    named = [_as_plain(statement) for statement in ([statements] if isinstance(statements, dict) else statements)]
    return evaluate_trust_policy({**document, "Statement": named}, _LAMBDA, context)


def _as_plain(statement: dict[str, Any]) -> dict[str, Any]:
    """The emulator knows principals by ARN; Lambda's name stands for one."""
    principal = statement.get("Principal")
    services = principal.get("Service", []) if isinstance(principal, dict) else []
    names = [services] if isinstance(services, str) else services
    return {**statement, "Principal": _LAMBDA if _LAMBDA in names else {"AWS": []}}
