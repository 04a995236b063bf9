"""Instead of "no Docker here": what the front needs to run an image function itself, with its role's credentials."""

import time
from typing import Any

from ministack.services import iam, lambda_svc, sts

SESSION_SECONDS = 3600


def lay() -> None:
    """Let every permitted run of an image function end in its description."""
    lambda_svc._execute_function_docker = _describe


def _describe(func: dict[str, Any], _event: object, request_id: str) -> dict[str, Any]:
    config = _config_to_run(func)
    credentials = _credentials_of(config["Role"], config["FunctionName"])
    if credentials is None:
        return _error("AccessDeniedException", "The role defined for the function cannot be assumed by Lambda.")
    answer = _error("Runtime.DockerUnavailable", "Docker is required to invoke Lambda functions")
    answer["body"]["run"] = {
        "requestId": request_id,
        "functionArn": lambda_svc._func_arn(config["FunctionName"]),
        "functionName": config["FunctionName"],
        "version": config.get("Version", "$LATEST"),
        "revisionId": config["RevisionId"],
        "imageUri": config["ImageUri"],
        "resolvedImageUri": config.get("ResolvedImageUri") or config["ImageUri"],
        "command": (config.get("ImageConfigResponse") or {}).get("ImageConfig", {}).get("Command"),
        "environment": (config.get("Environment") or {}).get("Variables") or {},
        "timeoutSeconds": config["Timeout"],
        "memoryMiB": config["MemorySize"],
        "logGroup": (config.get("LoggingConfig") or {}).get("LogGroup"),
        "isTenantIsolated": (config.get("TenancyConfig") or {}).get("TenantIsolationMode") == "PER_TENANT",
        "reservedConcurrency": lambda_svc._functions[config["FunctionName"]].get("concurrency"),
        "region": lambda_svc.get_region(),
        "credentials": credentials,
    }
    return answer


def _config_to_run(func: dict[str, Any]) -> dict[str, Any]:
    """While an update is in progress, the configuration before it."""
    config: dict[str, Any] = func["config"]
    is_latest = config.get("Version", "$LATEST") == "$LATEST"
    return func["serving"] if is_latest and "serving" in func else config


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": True, "body": {"errorType": kind, "errorMessage": message}}


def _credentials_of(role_arn: str, function_name: str) -> dict[str, Any] | None:
    account, role_name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, role_name)
    if role is None:
        return None
    expires_at = time.time() + SESSION_SECONDS
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{function_name}",
        "UserId": f"{role['RoleId']}:{function_name}",
        "SecretAccessKey": iam._gen_secret(),
        "SessionToken": iam._gen_session_token(),
        "Expiration": expires_at,
        "AccountId": account,
        "PrincipalType": "AssumedRole",
        "SourcePrincipalArn": role["Arn"],
        "SessionTags": [],
        "SessionPolicies": None,
    }
    access_key = iam._gen_session_access_key()
    sts.register_session(access_key, session)
    return {
        "accessKeyId": access_key,
        "secretAccessKey": session["SecretAccessKey"],
        "sessionToken": session["SessionToken"],
        "expiresAt": int(expires_at * 1000),
    }
