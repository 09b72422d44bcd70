"""A hostile server that any connector can be put in front of: a proxy that does to a platform's answers what platforms,
networks and middlemen do to them.

It speaks HTTP/1.1, one request a connection, and lets WebSockets through message by message. `fault` (see
`tests/contract/faults.py`) is what it does now and may be changed at any time; connections it had spoilt are cut then,
as no real one comes back to order. Where the connector is the one that is sent to (`pushed`), it stands between the
senders and the connector and spoils the requests instead of the answers.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO, Self
from urllib.parse import urlsplit

from tests.contract.faults import Asked, End, Fault, Spoilt, Told

_PATIENCE = 20.0
_NO_BODY = (204, 304)


class _Cut(Exception):
    """This connection ends now."""


@dataclass
class _Message:
    """The start of a request or of an answer: its first line and its headers, names as they were sent."""

    line: str
    headers: list[tuple[str, str]]

    @classmethod
    def read(cls, source: BinaryIO) -> _Message:
        first = source.readline(65_537)
        if not first.endswith(b"\n"):
            raise _Cut
        headers = []
        while (line := source.readline(65_537)) not in (b"\r\n", b"\n"):
            if not line:
                raise _Cut
            name, _, value = line.decode("latin-1").partition(":")
            headers.append((name, value.strip()))
        return cls(first.decode("latin-1").rstrip("\r\n"), headers)

    def get(self, name: str) -> str:
        return next((value for known, value in self.headers if known.lower() == name), "")

    def put(self, name: str, value: str | None) -> None:
        """Set it, or take it away."""
        self.headers = [(known, said) for known, said in self.headers if known.lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))

    def bytes(self) -> bytes:
        return "".join([f"{self.line}\r\n", *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]).encode(
            "latin-1"
        )


@dataclass(eq=False)
class _Link:
    """One connection of a client, and ours to the platform; `spoilt` once a stream on it is no longer what it was."""

    client: socket.socket
    base: str
    platform: socket.socket | None = None
    spoilt: bool = False

    def reset(self) -> None:
        """End it as a crash does: without a word, and what is under way is lost."""
        for one in (self.client, self.platform):
            if one is not None:
                with suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.end()

    def end(self) -> None:
        """Say no more on either side."""
        for one in (self.client, self.platform):
            if one is not None:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for one in (self.client, self.platform):
            if one is not None:
                one.close()


@dataclass
class Hostile:
    """`front` gives the address to use instead of a platform's; `asked` is every request in order. `before` is told of
    each request and may answer it (a rate limit)."""

    pushed: bool = False
    before: Callable[[Asked], Told | None] = lambda _: None
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._fault: Fault = Fault()
        self._changed = threading.Condition()
        self._closing = False
        self._fronts: dict[str, str] = {}
        self._listeners: list[socket.socket] = []
        self._links: set[_Link] = set()
        self._threads: list[threading.Thread] = []

    @property
    def fault(self) -> Fault:
        """What is done now."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        with self._changed:
            before, self._fault = self._fault, fault
            links = [link for link in self._links if link.spoilt or (before.cuts or fault.cuts)]
            self._changed.notify_all()
        for link in links:
            link.reset()

    def front(self, base: str) -> str:
        """The address under which the platform at `base` is to be found."""
        if base not in self._fronts:
            listener = socket.create_server(("127.0.0.1", 0))
            self._listeners.append(listener)
            self._fronts[base] = f"{urlsplit(base).scheme}://127.0.0.1:{listener.getsockname()[1]}"
            self._start(self._accept, listener, base)
        return self._fronts[base]

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Until the end of the block."""
        try:
            yield self
        finally:
            with self._changed:
                self._closing = True
                links = list(self._links)
                self._changed.notify_all()
            for listener in self._listeners:
                with suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                listener.close()
            for link in links:
                link.reset()
            for thread in self._threads:
                thread.join(timeout=_PATIENCE)
                assert not thread.is_alive()

    def _start(self, work: Callable[..., None], *with_these: object) -> None:
        thread = threading.Thread(target=work, args=with_these, name="hostile")
        self._threads = [known for known in self._threads if known.is_alive()]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, base: str) -> None:
        while not self._closing:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            client.settimeout(_PATIENCE)
            self._start(self._serve, _Link(client, base))

    def _serve(self, link: _Link) -> None:
        with self._changed:
            self._links.add(link)
        try:
            with link.client.makefile("rb") as heard:
                try:
                    self._exchange(link, heard)
                finally:
                    link.end()  # before `heard` is closed, or whoever still reads it would be waited for
        except (OSError, ValueError, _Cut):
            pass  # one side left, or was made to
        finally:
            with self._changed:
                self._links.discard(link)
            link.close()

    # ---------------------------------------------------------------------------------------------- one exchange

    def _exchange(self, link: _Link, heard: BinaryIO) -> None:
        if self._fault.refuses:
            link.reset()
            return
        request = _Message.read(heard)
        body = heard.read(int(request.get("content-length") or 0))
        method, path, _ = request.line.split(" ", 2)
        asked = Asked(method, path, {name.lower(): value for name, value in request.headers}, body)
        self.asked.append(asked)
        fault = self._fault
        told = self.before(asked) or fault.instead(asked)
        if isinstance(told, End):
            self._mute(fault)
        elif told is not None:
            self._tell(link, told)
        else:
            self._forward(link, heard, request, asked, fault)

    def _mute(self, fault: Fault) -> None:
        """Nothing, until something else is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._fault is not fault, timeout=_PATIENCE)

    @staticmethod
    def _tell(link: _Link, told: Told) -> None:
        headers = [*told.headers.items(), ("Content-Length", str(len(told.body))), ("Connection", "close")]
        link.client.sendall(_Message(f"HTTP/1.1 {told.status} Told", headers).bytes() + told.body)

    def _forward(self, link: _Link, heard: BinaryIO, request: _Message, asked: Asked, fault: Fault) -> None:
        upgrade = request.get("upgrade").lower() == "websocket"
        where = urlsplit(link.base)
        assert where.hostname
        assert where.port
        link.platform = platform = socket.create_connection((where.hostname, where.port), timeout=_PATIENCE)
        request.put("Accept-Encoding", "identity")
        if not upgrade:
            request.put("Connection", "close")
        for name in fault.hides:
            request.put(name, None)
        if self.pushed:
            self._send(platform, link, request, fault.body(asked.body, request.get("content-type")))
        else:
            platform.sendall(request.bytes() + asked.body)
        with platform.makefile("rb") as answers:
            answer = _Message.read(answers)
            status = int(answer.line.split(" ")[1])
            fault.head(answer.put, answer.get)
            if status == 101:
                link.client.sendall(answer.bytes())
                self._start(self._pump, heard, platform)
                self._stream(link, _frames(answers), link.client.sendall, framed=True)
            elif asked.method == "HEAD" or status in _NO_BODY:
                link.client.sendall(answer.bytes())
            elif length := answer.get("content-length"):
                whole = answers.read(int(length))
                spoilt = (
                    Spoilt(whole) if self.pushed or status >= 300 else fault.body(whole, answer.get("content-type"))
                )
                self._send(link.client, link, answer, spoilt)
            else:
                self._answer_stream(link, answers, answer)

    def _send(self, to: socket.socket, link: _Link, message: _Message, spoilt: Spoilt) -> None:
        for name, value in spoilt.headers.items():
            message.put(name, value)
        message.put("Content-Length", str(spoilt.length))
        to.sendall(message.bytes())
        for part in spoilt.parts:
            to.sendall(part)
        if spoilt.end is not None:
            if spoilt.end is End.RESET:
                link.reset()
            raise _Cut

    @staticmethod
    def _pump(heard: BinaryIO, platform: socket.socket) -> None:
        """What the client says on a WebSocket, as it is."""
        with suppress(OSError, ValueError):
            while data := heard.read1(65_536):  # type: ignore[attr-defined]  # typeshed: not every BinaryIO is buffered
                platform.sendall(data)
        with suppress(OSError):
            platform.shutdown(socket.SHUT_RDWR)

    # -------------------------------------------------------------------------------------------------- streams

    def _answer_stream(self, link: _Link, answers: BinaryIO, answer: _Message) -> None:
        """A body without a length: lines, or the blocks of server-sent events."""
        chunked = answer.get("transfer-encoding").lower() == "chunked"
        answer.put("Connection", "close")
        link.client.sendall(answer.bytes())
        blocks = "event-stream" in answer.get("content-type")

        def say(data: bytes) -> None:
            link.client.sendall(b"%x\r\n%s\r\n" % (len(data), data) if chunked and data else data)

        self._stream(link, _lines(_chunks(answers) if chunked else answers, blocks), say, framed=False)
        if chunked:
            link.client.sendall(b"0\r\n\r\n")

    def _stream(self, link: _Link, messages: Iterator[bytes], say: Callable[[bytes], None], *, framed: bool) -> None:
        """Each message as the fault of its moment leaves it; heartbeats and control frames as they are."""
        mute = False
        for message in messages:
            fault = self._fault
            mute = mute or fault.mutes
            link.spoilt = link.spoilt or mute
            if mute:
                continue
            payload = _payload(message) if framed else message
            if payload is None or not payload.strip(b"\r\n"):
                say(message)
                continue
            for part in fault.message(payload):
                if isinstance(part, End):
                    if part is End.RESET:
                        link.reset()
                    raise _Cut
                for data in _framed(part) if framed else part.parts:
                    say(data)


# ------------------------------------------------------------------------------------------------------- framing


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    """The chunks of a chunked body; the end of them without the last one is a cut."""
    while size := int(source.readline().split(b";")[0] or b"-1", 16):
        data = source.read(size) if size > 0 else b""
        if size < 0 or len(data) < size:
            raise _Cut
        source.readline()
        yield data


def _lines(source: Iterator[bytes] | BinaryIO, blocks: bool) -> Iterator[bytes]:
    """Whole lines with their ends (or blocks with the empty line behind them), then what is left."""
    rest, end = b"", b"\n\n" if blocks else b"\n"
    for data in source:
        rest += data
        while (at := rest.find(end)) >= 0:
            yield rest[: at + len(end)]
            rest = rest[at + len(end) :]
    if rest:
        yield rest


def _frames(source: BinaryIO) -> Iterator[bytes]:
    """WebSocket frames of a server (RFC 6455, section 5.2), whole."""
    while len(head := source.read(2)) == 2:
        length, more = head[1] & 0x7F, b""
        if length >= 126:
            more = source.read(2 if length == 126 else 8)
            length = int.from_bytes(more, "big")
        yield head + more + source.read(length)


def _payload(frame: bytes) -> bytes | None:
    """What a text or binary frame says; None of a control frame."""
    if frame[0] & 0x0F not in (1, 2):
        return None
    return frame[{126: 4, 127: 10}.get(frame[1] & 0x7F, 2) :]


def _framed(spoilt: Spoilt) -> Iterator[bytes]:
    """As one text frame of the length it claims."""
    if spoilt.length < 126:
        yield struct.pack("!BB", 0x81, spoilt.length)
    elif spoilt.length < 65_536:
        yield struct.pack("!BBH", 0x81, 126, spoilt.length)
    else:
        yield struct.pack("!BBQ", 0x81, 127, spoilt.length)
    yield from spoilt.parts
