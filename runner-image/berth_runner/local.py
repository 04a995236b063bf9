"""The runner as a child process of the server: frames on stdin and stdout. `python -m berth_runner.local '<json>'`."""

import asyncio
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import Any

from berth_runner import frames, linux
from berth_runner.config import Config, parse_config
from berth_runner.levels import NoLevelError
from berth_runner.nesting import MAX_DEPTH
from berth_runner.protocol import PROTOCOL, refusal
from berth_runner.supervisor import Supervisor

_EX_CONFIG = 78
Message = dict[str, Any]


class Local:
    """Speaks frames with the server."""

    def __init__(self, supervisor: Supervisor, output: asyncio.WriteTransport) -> None:
        self._supervisor = supervisor
        self._output = output
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Obey until the server closes our stdin."""
        self._send({"kind": "ready", **self._supervisor.describe()})
        stopping = asyncio.get_running_loop().create_task(self._stop.wait())
        while not self._stop.is_set():
            reading = asyncio.get_running_loop().create_task(_read_frame(reader))
            await asyncio.wait([reading, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
                break
            try:
                self._begin(reading.result())
            except asyncio.IncompleteReadError:
                stopping.cancel()
                return
        # What runs already may finish; what was not begun the server sends to the next runner.
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, message: Message) -> None:
        task = asyncio.get_running_loop().create_task(self._obey(message))
        self._tasks.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # A bug. The run may have started, so no refusal may be sent; the end of this process tells the server.
            traceback.print_exception(error)
            self._supervisor.must_exit = True
            self._stop.set()

    async def _obey(self, message: Message) -> None:
        kind = message.get("kind")
        if kind == "cancel":
            await self._supervisor.cancel(str(message.get("runId")))
        elif kind == "recycle":
            await self._supervisor.recycle()
            self._send({"kind": "recycled"})
        elif kind == "too_deep":
            detail = f"variables: expected at most {MAX_DEPTH} levels, got more"
            self._send(refusal(message["runId"], "malformed_request", detail))
        else:
            await self._run(message)

    async def _run(self, message: Message) -> None:
        about = {"protocol": PROTOCOL, "runId": message.get("runId")}

        def on_output(stream: str, text: str) -> None:
            self._send({**about, "kind": "output", "stream": stream, "text": text})

        def on_start() -> None:
            self._send({"kind": "started", "runId": message.get("runId")})

        self._send(await self._supervisor.execute(message, on_output, on_start))
        if self._supervisor.must_exit:
            self._stop.set()

    def _send(self, message: Message) -> None:
        self._output.write(frames.encode(message))


async def _read_frame(reader: asyncio.StreamReader) -> Message:
    length = frames.body_length(await reader.readexactly(frames.HEADER_BYTES))
    body = await reader.readexactly(length)
    try:
        message = json.loads(body)
    except RecursionError:
        # One request must not end the runs of all others. The server writes its id before anything that nests.
        return {"kind": "too_deep", "runId": frames.run_id(body)}
    if not isinstance(message, dict):
        raise ValueError(f"a frame holds an object, got {type(message).__name__}")
    return message


def _take_stdout() -> int:
    """Keep stdout for frames: whatever else prints in this process goes to stderr."""
    output = os.dup(1)
    os.dup2(2, 1)
    os.set_inheritable(output, False)
    return output


async def _serve(config: Config, output_fd: int) -> None:
    supervisor = Supervisor(config)
    await supervisor.start()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb", closefd=False))
    transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(output_fd, "wb"))
    serving = loop.create_task(Local(supervisor, transport).serve(reader))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await serving
    finally:
        await supervisor.close()


def main(arguments: list[str]) -> int:
    """Serve until stdin ends; return the exit status."""
    try:
        config = parse_config(json.loads(arguments[0]) if arguments else {})
    except ValueError as error:
        print(json.dumps({"code": "config_invalid", "detail": str(error)}), file=sys.stderr)
        return _EX_CONFIG
    return run(config)


def run(config: Config) -> int:
    """Serve with a checked configuration; return the exit status."""
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGTERM)
    try:
        asyncio.run(_serve(config, _take_stdout()))
    except NoLevelError as error:
        print(json.dumps({"code": "sandbox_unavailable", "detail": str(error)}), file=sys.stderr)
        return _EX_CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
