"""Keeps artifacts below the run's prefix in S3: large ones in parts, and none of it visible unless all of it is."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from berth_runner import s3
from berth_runner.s3 import S3Error

_PART_BYTES = 8 * 1024 * 1024
_PARTS_AT_ONCE = 3
_MAX_KEY_BYTES = 1024
# What the bucket's lifecycle looks for (templates/foundation.yaml); the role may write no other tag.
_TAGGING = "berth-area=run"

Name = tuple[str, ...]


class KeptNotError(Exception):
    """An artifact could not be kept."""


class S3Keeper:
    """One run's prefix. Small artifacts need not come here: inside the reply they save the way."""

    spares_small = True

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._failure: S3Error | None = None

    def put(self, name: Name, chunks: Iterator[bytes]) -> None:
        """Keep a file. Raises KeptNotError; after the first failure at once, for each try takes long."""
        place = {"Bucket": self._bucket, "Key": self._key(name)}
        parts = _in_parts(chunks)
        first = next(parts, b"")
        second = next(parts, None)
        if self._failure is not None:
            raise KeptNotError(self._failure.code)
        try:
            if second is None:
                with s3.translated():
                    s3.client().put_object(**place, Body=first, Tagging=_TAGGING)
            else:
                _put_in_parts(place, _chained(first, second, parts))
        except S3Error as error:
            self._failure = error
            raise KeptNotError(error.code) from error

    def _key(self, name: Name) -> str:
        key = self._prefix + "/".join(name)
        if any(part in {"", ".", ".."} for part in name) or len(key.encode()) > _MAX_KEY_BYTES:
            raise KeptNotError("its name cannot be a key of S3")
        return key


def s3_keeper(prefix: Mapping[str, Any]) -> S3Keeper:
    """Make the keeper of a run's prefix."""
    return S3Keeper(prefix["bucket"], prefix["run"])


def _chained(first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield second
    yield from rest


def _in_parts(chunks: Iterator[bytes]) -> Iterator[bytes]:
    part = bytearray()
    for chunk in chunks:
        part += chunk
        while len(part) >= _PART_BYTES:
            yield bytes(part[:_PART_BYTES])
            del part[:_PART_BYTES]
    if part:
        yield bytes(part)


def _put_in_parts(place: dict[str, str], parts: Iterator[bytes]) -> None:
    with s3.translated():
        upload = {**place, "UploadId": s3.client().create_multipart_upload(**place, Tagging=_TAGGING)["UploadId"]}
        try:
            sent = _send_parts(upload, parts)
            s3.client().complete_multipart_upload(**upload, MultipartUpload={"Parts": sent})
        except BaseException:
            with suppress(Exception):
                s3.client().abort_multipart_upload(**upload)
            raise


def _send_parts(upload: dict[str, str], parts: Iterator[bytes]) -> list[dict[str, object]]:
    sent: list[dict[str, object]] = []
    going: deque[Future[dict[str, object]]] = deque()
    with ThreadPoolExecutor(_PARTS_AT_ONCE, "s3-part") as pool:
        try:
            for number, part in enumerate(parts, 1):
                if len(going) == _PARTS_AT_ONCE:
                    sent.append(going.popleft().result())
                going.append(pool.submit(_send_part, upload, number, part))
            sent += [each.result() for each in going]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return sent


def _send_part(upload: dict[str, str], number: int, part: bytes) -> dict[str, object]:
    answer = s3.client().upload_part(**upload, PartNumber=number, Body=part)
    # What S3 has checked at each part it wants to see again at the end.
    checksums = {name: answer[name] for name in answer if name.startswith("Checksum") and name != "ChecksumType"}
    return {"PartNumber": number, "ETag": answer["ETag"], **checksums}
