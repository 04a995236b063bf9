"""Takes what a run prints, up to a limit for both streams together, and counts what it had to drop."""

import codecs
import fcntl
import os
from collections.abc import Callable

_CHUNK = 65_536

OnOutput = Callable[[str, str], None]
_STREAMS = ("stdout", "stderr")


class Capture:
    """What one run has printed so far."""

    def __init__(self, limit: int, on_output: OnOutput | None) -> None:
        self.dropped_bytes = 0
        self.taken_bytes = 0
        self._left = limit
        self._on_output = on_output
        self._texts: dict[str, list[str]] = {name: [] for name in _STREAMS}
        self._truncated = dict.fromkeys(_STREAMS, False)
        # Incremental, so that a character cut by a read is whole again; what is not UTF-8 becomes U+FFFD.
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in _STREAMS}

    @property
    def is_over(self) -> bool:
        """Return whether more was printed than the limit allows."""
        return self.dropped_bytes > 0

    def read(self, stream: str, fd: int) -> bool:
        """Take one portion. False at the end of the stream, and when nothing is there now."""
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:
            return False
        self._take(stream, chunk)
        return bool(chunk)

    def drain(self, fds: dict[str, int]) -> None:
        """Take what lies in the pipes now. Ends at the limit, so a thread that goes on printing can't hold us."""
        for stream, fd in fds.items():
            while self.read(stream, fd) and not self.is_over:
                pass

    def drop_rest(self, fds: dict[str, int]) -> None:
        """Count what the pipes still hold; no more than fits, for where nothing swept yet a writer may be alive."""
        for stream, fd in fds.items():
            for _ in range(fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) // _CHUNK + 1):
                if not self.read(stream, fd):
                    break

    def finish(self) -> None:
        """Let go of a character that was never completed."""
        for stream in _STREAMS:
            if not self._truncated[stream]:
                self._emit(stream, self._decoders[stream].decode(b"", final=True))

    def logs(self) -> dict[str, object]:
        """Return the logs as the reply carries them."""
        texts = {stream: "".join(parts) for stream, parts in self._texts.items()}
        return {**texts, "truncated": self._truncated, "droppedBytes": self.dropped_bytes}

    def _take(self, stream: str, chunk: bytes) -> None:
        kept = chunk[: self._left]
        self._left -= len(kept)
        self.taken_bytes += len(chunk)
        if len(kept) < len(chunk):
            self.dropped_bytes += len(chunk) - len(kept)
            self._truncated[stream] = True
        self._emit(stream, self._decoders[stream].decode(kept))

    def _emit(self, stream: str, text: str) -> None:
        if not text:
            return
        self._texts[stream].append(text)
        if self._on_output is not None:
            self._on_output(stream, text)
