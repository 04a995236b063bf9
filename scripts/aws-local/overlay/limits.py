"""Lambda's rates of requests per account and Region: GetFunction has its own, all other requests share one."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc

from overlay.aws_errors import lambda_error
from overlay.switches import SWITCHES

Pool = Literal["lambda", "getFunction"]
_ASK_AGAIN_SECONDS = 0.05


class Calls:
    """How often each pool was used, to show that a caller stays below its budget."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget."""
        self._taken: dict[str, list[float]] = defaultdict(list)
        self._refused: dict[str, int] = defaultdict(int)

    def note(self, pool: str, *, taken: bool) -> None:
        """Count one request."""
        if taken:
            self._taken[pool].append(time.monotonic())
        else:
            self._refused[pool] += 1

    def report(self) -> dict[str, dict[str, int]]:
        """Return per pool: requests, refusals, and the most requests within any one second."""
        pools = sorted({*self._taken, *self._refused})
        return {
            pool: {
                "requests": len(self._taken[pool]),
                "refused": self._refused[pool],
                "mostInOneSecond": _most_in_one_second(self._taken[pool]),
            }
            for pool in pools
        }


def _most_in_one_second(times: list[float]) -> int:
    most, first = 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


class _Bucket:
    def __init__(self) -> None:
        self._tokens: float | None = None
        self._at = 0.0

    def take(self, rate: float, burst: float) -> bool:
        now = time.monotonic()
        tokens = burst if self._tokens is None else min(burst, self._tokens + (now - self._at) * rate)
        self._at = now
        self._tokens = tokens - 1 if tokens >= 1 else tokens
        return tokens >= 1


CALLS = Calls()
_buckets: dict[tuple[str, str, str], _Bucket] = defaultdict(_Bucket)


def rest() -> None:
    """Fill every pool, as after a quiet while."""
    _buckets.clear()


def take(pool: Pool) -> bool:
    """Count a request of this account and Region; False when the pool is empty."""
    taken = True
    if SWITCHES.limits:
        rate = SWITCHES.lambda_per_second if pool == "lambda" else SWITCHES.get_function_per_second
        burst = rate if SWITCHES.burst is None else SWITCHES.burst
        taken = _buckets[(get_account_id(), get_region(), pool)].take(rate, burst)
    CALLS.note(pool, taken=taken)
    return taken


async def take_patiently(pool: Pool) -> None:
    """As CloudFormation does: try again for a while, then give up with Lambda's words."""
    deadline = time.monotonic() + SWITCHES.patience_ms / 1000
    while not take(pool):
        if time.monotonic() >= deadline:
            message = (
                'Resource handler returned message: "Rate exceeded (Service: Lambda, Status Code: 429)" '
                "(HandlerErrorCode: Throttling)"
            )
            raise ValueError(message)
        await asyncio.sleep(_ASK_AGAIN_SECONDS)


Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[tuple[Any, ...]]]


def lay() -> None:
    """Put the limits before the emulator's Lambda."""
    inner: Handler = lambda_svc.handle_request

    async def limited(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
    ) -> tuple[Any, ...]:
        pool = _pool_of(method, path)
        if pool is not None and not take(pool):
            return lambda_error("TooManyRequestsException", "Rate exceeded", 429, Reason="CallerRateLimitExceeded")
        return await inner(method, path, headers, body, query_params)

    lambda_svc.handle_request = limited


def _pool_of(method: str, path: str) -> Pool | None:
    parts = path.rstrip("/").split("/")
    if parts[-1] in ("invocations", "response-streaming-invocations"):
        return None
    is_function = len(parts) == 4 and parts[2] == "functions"
    return "getFunction" if is_function and method == "GET" else "lambda"
