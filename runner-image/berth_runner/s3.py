"""S3 with the role's own credentials. Only the supervisor has them, and only it talks to S3.

botocore is loaded when it is first needed: it takes a third of a second, and a runner of one machine never needs it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

CONNECTIONS = 8
_TRIES = 3
_CONNECT_SECONDS = 3
_READ_SECONDS = 10
_MISSING = {"NoSuchKey", "404", "NotFound"}
_DENIED = {"AccessDenied", "403", "Forbidden"}


class S3Error(Exception):
    """S3 did not do what was asked. The text is S3's code alone: its own words name keys, roles and accounts."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code

    @property
    def is_missing(self) -> bool:
        """Return whether the key does not exist."""
        return self.code in _MISSING

    @property
    def is_denied(self) -> bool:
        """Return whether the role may not do this."""
        return self.code in _DENIED


class _Shared:
    lock = threading.Lock()
    client: Any = None


def client() -> Any:  # noqa: ANN401 - botocore has no types
    """Return the one client of this process. Raises S3Error."""
    with _Shared.lock:
        if _Shared.client is None:
            with translated():
                _Shared.client = _make_client()
        return _Shared.client


def warm() -> None:
    """Make the client in a thread, while other processes warm up too. The first use waits for it."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        threading.Thread(target=_warm, name="s3-warm-up", daemon=True).start()


def _warm() -> None:
    # Who needs S3 asks again, and is told what is wrong.
    with suppress(S3Error):
        client()


@contextmanager
def translated() -> Iterator[None]:
    """Turn botocore's errors into S3Error."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except ClientError as error:
        raise S3Error(str(error.response.get("Error", {}).get("Code") or "Unknown")[:64]) from error
    except BotoCoreError as error:
        raise S3Error(type(error).__name__) from error


def exists(bucket: str, key: str) -> bool:
    """Return whether a key exists, by listing: without the right to list the whole bucket S3 denies missing keys."""
    with translated():
        found = client().list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return any(entry["Key"] == key for entry in found.get("Contents", []))


def _make_client() -> Any:  # noqa: ANN401
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415
    from botocore.loaders import Loader  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        raise NoCredentialsError
    session = Session()
    # The home folder is open to code of the tenant: neither settings nor models may come from there.
    for variable in ("config_file", "credentials_file"):
        session.set_config_variable(variable, os.devnull)
    models = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    session.register_component("data_loader", models)
    session.set_credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN"))
    settings = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        max_pool_connections=CONNECTIONS,
    )
    return session.create_client("s3", region_name=os.environ.get("AWS_REGION"), config=settings)
