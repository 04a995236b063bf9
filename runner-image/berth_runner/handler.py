"""The Lambda entry: awslambdaric calls `handler` with one run at a time; the same supervisor as everywhere answers.

Errors of the tenant's code are replies, never exceptions: an exception here would be Lambda's own error and retryable.
"""

import asyncio
import http.client
import json
import os
import time
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

from berth_runner import protocol, s3
from berth_runner.config import SHARED_FOLDERS, Config
from berth_runner.outputs import keep_content
from berth_runner.reply_size import fit_reply
from berth_runner.self_test import self_test
from berth_runner.supervisor import Supervisor

_RUNTIME_API = "AWS_LAMBDA_RUNTIME_API"
_PROFILE = "BERTH_RUNNER_PROFILE"
_ARRIVAL_SECONDS = 0.02


class LambdaRunner:
    """One supervisor for the life of one Lambda environment, on an event loop of its own."""

    def __init__(self, profile: str = "default") -> None:
        self._loop = asyncio.new_event_loop()
        self._tenant: str | None = None
        self._supervisor = Supervisor(_config(profile))
        self._loop.run_until_complete(self._supervisor.start())
        if profile == "default":
            s3.warm()

    @property
    def must_exit(self) -> bool:
        """Return whether this environment must not be used again."""
        return self._supervisor.must_exit

    def answer(self, event: object, tenant: str | None = None) -> dict[str, Any]:
        """Return the reply, the refusal or the report. What is left behind the answer is done before it leaves.

        `tenant` is whose environment this is, where Lambda keeps the tenants of a shared function apart.
        """
        return self._loop.run_until_complete(self._answer(event, tenant))

    def close(self) -> None:
        """End every process of the supervisor."""
        self._loop.run_until_complete(self._supervisor.close())
        self._loop.close()

    async def _answer(self, event: object, tenant: str | None) -> dict[str, Any]:
        fields = event if isinstance(event, dict) else {}
        refusal = self._refusal_for(fields, tenant)
        if refusal is not None:
            return refusal
        if fields.get("kind") == "ping":
            return self._pong()
        if fields.get("kind") == "self_test":
            report = await self_test(self._supervisor, fields)
        else:
            report = await self._run(event)
        # Lambda freezes the environment as soon as the answer is out.
        await self._supervisor.settle()
        return report

    def _refusal_for(self, fields: dict[str, Any], tenant: str | None) -> dict[str, Any] | None:
        """Refuse what is for another tenant than the one whose environment this is."""
        run_id = fields.get("runId")
        if self._supervisor.must_exit:
            return protocol.refusal(run_id, "runner_failed", "the run before could not be proven to be gone")
        if self._tenant is not None and tenant != self._tenant:
            self._supervisor.must_exit = True
            return protocol.refusal(run_id, "runner_failed", "this environment has served another tenant")
        self._tenant = tenant
        if "tenant" in fields and (tenant is None or fields["tenant"] != tenant):
            detail = "tenant: expected the one that Lambda has made this environment for, got another"
            return protocol.refusal(run_id, "malformed_request", detail)
        return None

    def _pong(self) -> dict[str, Any]:
        """Return what the first frame of a local runner tells, so that the server can show what the image offers."""
        about = self._supervisor.describe()
        told = {name: about[name] for name in ("runner", "languages", "warnings")}
        versions = {"runnerVersion": protocol.VERSION, "image": protocol.IMAGE}
        return {"protocol": protocol.PROTOCOL, "kind": "pong", **versions, **told}

    async def _run(self, event: object) -> dict[str, Any]:
        try:
            reply = await self._supervisor.execute(event)
        except Exception as error:
            # A bug, so nothing is proven about what is left of the run.
            self._supervisor.must_exit = True
            run_id = event.get("runId") if isinstance(event, dict) else None
            return protocol.refusal(run_id, "runner_failed", f"{type(error).__name__}: {error}"[:500])
        prefix = event["prefix"] if isinstance(event, dict) and reply["kind"] == "reply" else {"kind": "none"}
        return fit_reply(reply, protocol.DEFAULT_LIMITS["maxPayloadBytes"], partial(keep_content, prefix))


def _config(profile: str) -> Config:
    if profile not in ("default", "evaluator"):
        raise ValueError(f"{_PROFILE}: expected default or evaluator, got {profile!r}")
    # Lambda refuses namespaces. The boundary there is the microVM and the role; this keeps runs apart in time,
    # and nobody else writes into the environment's shared folders.
    config = Config(level="guard", allow_unsafe=True, enclosed=True, max_concurrency=1, sweep_folders=SHARED_FOLDERS)
    # An evaluator's function is small: what is loaded there for all runs would leave no room for one.
    return replace(config, libraries=()) if profile == "evaluator" else config


_runner: LambdaRunner | None = None


def _started_runner() -> LambdaRunner:
    global _runner
    if _runner is None:
        _runner = LambdaRunner(os.environ.get(_PROFILE) or "default")
    return _runner


def handler(event: object, context: Any) -> dict[str, Any]:  # noqa: ANN401 - awslambdaric has no types
    """Answer one invocation."""
    runner = _started_runner()
    reply = runner.answer(event, getattr(context, "tenant_id", None) or None)
    # No exit after a reply: Lambda would count that as a crash of whatever comes next, which may be a run. So an
    # environment that a run has left unclean refuses the next event, which then has not started, and goes.
    if runner.must_exit and reply["kind"] == "refusal":
        _answer_and_exit(reply, context.aws_request_id)
    return reply


def _answer_and_exit(reply: dict[str, Any], request_id: str) -> NoReturn:
    """Hand in the answer ourselves, end the invocation, and end the process before Lambda freezes it.

    A runtime that exits before it asks for the next event has failed its invocation: AWS's emulator then answers 502
    although it has the response. So we ask, give the request a moment to arrive, and go.
    """
    connection = http.client.HTTPConnection(os.environ[_RUNTIME_API])
    runtime = "/2018-06-01/runtime/invocation"
    headers = {"Content-Type": "application/json"}
    connection.request("POST", f"{runtime}/{request_id}/response", json.dumps(reply).encode(), headers)
    connection.getresponse().read()
    connection.request("GET", f"{runtime}/next")
    time.sleep(_ARRIVAL_SECONDS)
    os._exit(1)


# Lambda's INIT phase: the libraries are loaded before the first event comes.
if _RUNTIME_API in os.environ:
    _started_runner()
