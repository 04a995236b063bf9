"""Starts ministack on a free port of this machine, with what AWS does and it does not laid over it.

Writes one line, `ready <port>`, to standard output. Ends when standard input ends, so it never outlives its parent.
"""

import asyncio
import logging
import os
import socket
import sys
import threading

LISTEN_BACKLOG = 512


def main() -> None:
    """Listen, lay the overlay, serve."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=LISTEN_BACKLOG)
    port = listener.getsockname()[1]
    os.environ["GATEWAY_PORT"] = str(port)
    os.environ["BIND_HOST"] = "127.0.0.1"
    os.environ.setdefault("IOT_MTLS_ENABLED", "0")
    os.environ.setdefault("SFTP_ENABLED", "0")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    asyncio.run(_serve(listener, port))


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


async def _serve(listener: socket.socket, port: int) -> None:
    # After the variables are set: the emulator reads them when it is imported.
    from hypercorn.asyncio import serve  # noqa: PLC0415
    from hypercorn.config import Config  # noqa: PLC0415

    from overlay.lay import lay  # noqa: PLC0415

    app = lay()
    logging.getLogger("hypercorn.error").setLevel(logging.WARNING)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 3600
    config.accesslog = None
    await serve(app, config, shutdown_trigger=_announced(port))  # type: ignore[arg-type]


def _announced(port: int):  # noqa: ANN202 - hypercorn takes any awaitable
    async def forever() -> None:
        print(f"ready {port}", flush=True)
        await asyncio.Event().wait()

    return forever


if __name__ == "__main__":
    sys.exit(main())
