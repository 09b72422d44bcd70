"""The stream's lines, read by a thread of their own so that whoever takes them never waits for long.

Lines end with `\\r\\n`; an empty line is the heartbeat X sends at least every 20 seconds
(docs.x.com/x-api/posts/filtered-stream/integrate/consume-streaming-data). X's own local playground
(docs.x.com/tools/playground) sends server-sent events in their place: `data: ` before each line of JSON, and comments
that begin with a colon. JSON begins with neither, so both are read.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import requests
import urllib3

from pipeline.errors import SourceUnavailable
from pipeline.ports import Clock

_BUFFERED = 5_000
"""Lines held at most (about 15 MB); beyond it the thread stops reading, and X sees a slow client."""
_LONGEST = 1_000_000
"""Bytes of one line at most; a post with all its expansions is some 20 kB."""


class Line(NamedTuple):
    """One line (empty: a heartbeat) and when it arrived."""

    text: bytes
    arrived: datetime


class Lines:
    """An open stream; `take` gives its lines in order, then raises how it ended."""

    def __init__(self, response: requests.Response, clock: Clock) -> None:
        self._response = response
        self._clock = clock
        self._lines: queue.Queue[Line | SourceUnavailable] = queue.Queue(_BUFFERED)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, name="x-stream", daemon=True)
        self._thread.start()

    def take(self, timeout: float) -> Line | None:
        """The next line, or None after `timeout` seconds; raises SourceUnavailable once the stream has ended."""
        try:
            line = self._lines.get(timeout=timeout) if timeout > 0 else self._lines.get_nowait()
        except queue.Empty:
            return None
        if isinstance(line, SourceUnavailable):
            raise line
        return line

    def close(self) -> None:
        """End the stream and its thread."""
        self._closing.set()
        # The thread may be inside a read; closing alone would not wake it.
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            self._response.raw.shutdown()
        self._thread.join(timeout=2)
        self._response.close()

    def _read(self) -> None:
        try:
            for text in self._split():
                if not self._put(Line(text, self._clock.now())):
                    return
            self._put(SourceUnavailable("X closed the stream"))
        except SourceUnavailable as end:
            self._put(end)
        except urllib3.exceptions.TimeoutError:
            self._put(SourceUnavailable("X sent nothing, not even a heartbeat", trouble="silent"))
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self._put(SourceUnavailable(f"the stream broke off ({type(error).__name__})"))

    def _split(self) -> Iterator[bytes]:
        rest = b""
        while data := self._response.raw.read1(65_536):
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.rstrip(b"\r").removeprefix(b"data:") for line in lines if not line.startswith(b":"))
            if len(rest) > _LONGEST:
                raise SourceUnavailable("X sent a line without end", trouble="http")

    def _put(self, line: Line | SourceUnavailable) -> bool:
        while not self._closing.is_set():
            try:
                self._lines.put(line, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False
