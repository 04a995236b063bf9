"""An address for one server of a test."""

import secrets


def own_address() -> str:
    """Return a loopback address of this machine that nobody else uses, so that every port of it is free and stays so.

    Of 127.0.0.1 a port that was free a moment ago may be taken by a connection of another process.
    """
    return f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}"
