"""The Lambda entry: awslambdaric calls `handler` with one run at a time; the same supervisor as everywhere answers.

Errors of the tenant's code are replies, never exceptions: an exception here would be Lambda's own error and retryable.
"""

import asyncio
import http.client
import json
import os
import time
from typing import Any, NoReturn

from berth_runner import protocol
from berth_runner.config import SHARED_FOLDERS, Config
from berth_runner.reply_size import fit_reply
from berth_runner.self_test import self_test
from berth_runner.supervisor import Supervisor

_RUNTIME_API = "AWS_LAMBDA_RUNTIME_API"
_ARRIVAL_SECONDS = 0.02


class LambdaRunner:
    """One supervisor for the life of one Lambda environment, on an event loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # Lambda refuses namespaces. The boundary there is the microVM and the role; this keeps runs apart in time,
        # and nobody else writes into the environment's shared folders.
        config = Config(level="guard", allow_unsafe=True, max_concurrency=1, sweep_folders=SHARED_FOLDERS)
        self._supervisor = Supervisor(config)
        self._loop.run_until_complete(self._supervisor.start())

    @property
    def must_exit(self) -> bool:
        """Return whether this environment must not be used again."""
        return self._supervisor.must_exit

    def answer(self, event: object) -> dict[str, Any]:
        """Return the reply, the refusal or the report. What is left behind the answer is done before it leaves."""
        return self._loop.run_until_complete(self._answer(event))

    def close(self) -> None:
        """End every process of the supervisor."""
        self._loop.run_until_complete(self._supervisor.close())
        self._loop.close()

    async def _answer(self, event: object) -> dict[str, Any]:
        if isinstance(event, dict) and event.get("kind") == "self_test":
            report = await self_test(self._supervisor)
        else:
            report = await self._run(event)
        # Lambda freezes the environment as soon as the answer is out.
        await self._supervisor.settle()
        return report

    async def _run(self, event: object) -> dict[str, Any]:
        problem = _problem_of_files(event)
        if problem is not None and isinstance(event, dict):
            return protocol.refusal(event.get("runId"), "malformed_request", problem)
        try:
            reply = await self._supervisor.execute(event)
        except Exception as error:
            # A bug, so nothing is proven about what is left of the run.
            self._supervisor.must_exit = True
            run_id = event.get("runId") if isinstance(event, dict) else None
            return protocol.refusal(run_id, "runner_failed", f"{type(error).__name__}: {error}"[:500])
        return fit_reply(reply, protocol.DEFAULT_LIMITS["maxPayloadBytes"])


def _problem_of_files(event: object) -> str | None:
    prefix = event.get("prefix") if isinstance(event, dict) else None
    if isinstance(event, dict) and isinstance(prefix, dict) and prefix.get("kind") == "s3" and event.get("files"):
        return "files: expected none, for this runner reads no files from S3"
    return None


_runner: LambdaRunner | None = None


def _started_runner() -> LambdaRunner:
    global _runner
    if _runner is None:
        _runner = LambdaRunner()
    return _runner


def handler(event: object, context: Any) -> dict[str, Any]:  # noqa: ANN401 - awslambdaric has no types
    """Answer one invocation."""
    runner = _started_runner()
    reply = runner.answer(event)
    if runner.must_exit:
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
