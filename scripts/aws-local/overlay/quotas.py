"""Quotas: a new account's by default, the same whoever is asked. The emulator does not know Service Quotas."""

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc
from ministack.services.cloudformation import handlers
from ministack.services.cloudformation.helpers import _xml

from overlay.switches import SWITCHES

_TARGET = "ServiceQuotasV20190624."
_CODES = {
    ("lambda", "L-B99A9384"): ("concurrency", "Concurrent executions"),
    ("cloudformation", "L-0485CB21"): ("stacks", "Stack count"),
    ("iam", "L-FE177D64"): ("roles", "Roles per account"),
}
_DEFAULTS = {"concurrency": 1000, "stacks": 2000, "roles": 1000}
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


def lay() -> None:
    """Let Lambda and CloudFormation name the same numbers."""
    lambda_svc._default_account_concurrency = lambda: value("concurrency")
    lambda_svc._ACCOUNT_CONCURRENCY_CAP = 0
    lambda_svc._get_account_settings = _with_concurrency(lambda_svc._get_account_settings)
    handlers._ACTION_HANDLERS["DescribeAccountLimits"] = _limits


def value(name: str) -> int:
    """Return the quota in force."""
    return int(SWITCHES.quotas.get(name, _DEFAULTS[name]))


def _with_concurrency(inner: Callable[[], Any]) -> Callable[[], Any]:
    def settings() -> Any:  # noqa: ANN401
        status, headers, body = inner()
        answer = json.loads(body)
        whole = value("concurrency")
        reserved = sum(int(func["concurrency"] or 0) for func in lambda_svc._functions.values())
        answer["AccountLimit"].update(ConcurrentExecutions=whole, UnreservedConcurrentExecutions=whole - reserved)
        return status, headers, json.dumps(answer).encode()

    return settings


def _limits(_params: dict[str, Any]) -> Any:  # noqa: ANN401
    limits = {"StackLimit": value("stacks"), "StackOutputsLimit": 200, "ConcurrentResourcesLimit": 2500}
    members = "".join(f"<member><Name>{name}</Name><Value>{limit}</Value></member>" for name, limit in limits.items())
    result = f"<DescribeAccountLimitsResult><AccountLimits>{members}</AccountLimits></DescribeAccountLimitsResult>"
    return _xml(200, "DescribeAccountLimitsResponse", result)


def answer_quotas(target: str, body: bytes) -> Answer | None:
    """Answer a request to Service Quotas; None for one to another service."""
    if not target.startswith(_TARGET):
        return None
    asked = json.loads(body or b"{}")
    service, code = asked.get("ServiceCode"), asked.get("QuotaCode")
    if target.endswith("Quotas"):
        listed = [_quota(key) for key in _CODES if key[0] == service]
        return _json(200, {"Quotas": listed})
    if (service, code) not in _CODES:
        message = f"The request failed because the specified quota {service}/{code} does not exist."
        return _json(400, {"__type": "NoSuchResourceException", "Message": message})
    return _json(200, {"Quota": _quota((service, code))})


def _quota(key: tuple[str, str]) -> dict[str, Any]:
    service, code = key
    name, title = _CODES[key]
    arn = f"arn:aws:servicequotas:{get_region()}:{get_account_id()}:{service}/{code}"
    return {
        "ServiceCode": service,
        "QuotaCode": code,
        "QuotaName": title,
        "QuotaArn": arn,
        "Value": value(name),
        "Adjustable": True,
    }


def _json(status: int, answer: dict[str, Any]) -> Answer:
    return status, [(b"content-type", b"application/x-amz-json-1.1")], json.dumps(answer).encode()
