"""A destination for the webhook sink: a real HTTP server that does each thing once, by its idempotency key."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pipeline import codec
from pipeline.mention import Removal, Routed

SECRET = "a-shared-secret-of-some-length"  # noqa: S105 (a test's)


@dataclass
class Request:
    """One request as it came, headers in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What it holds, what it saw, and how it is to answer."""

    port: int = 0
    held: dict[str, Routed] = field(default_factory=dict)
    effects: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    statuses: list[int] = field(default_factory=list)
    always: int | None = None
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer_body: bytes = b"thank you"
    refuses: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mentions"

    def take(self, request: Request) -> int:
        """Do what the request asks unless it was done before; returns the status to answer with."""
        self.requests.append(request)
        if self.statuses:
            return self.statuses.pop(0)
        if self.always is not None:
            return self.always
        signed = request.headers.get("x-harken-timestamp", "").encode() + b"." + request.body
        wanted = "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, request.headers.get("x-harken-signature", "")):
            return 401
        key = request.headers["idempotency-key"]
        if key in self.effects:
            return 200
        record = codec.decode(request.body)
        if isinstance(record, Routed):
            if record.mention.id in self.refuses:
                return 422
            before = self.held.get(record.mention.id)
            if before is None or before.mention.revision <= record.mention.revision:
                self.held[record.mention.id] = record
        elif isinstance(record, Removal):
            for id, routed in list(self.held.items()):
                author = f"{routed.mention.source}:{routed.mention.author.id}"
                if record.mention == id or record.author == author:
                    del self.held[id]
        self.effects.append(key)
        return 200


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens on a free port of this machine while the context lasts."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            receiver.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.take(Request(self.path, headers, body))
            self.send_response(status)
            for name, value in receiver.answer_headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.answer_body)))
            self.end_headers()
            with suppress(ConnectionError):  # a client need not read a long answer to its end
                self.wfile.write(receiver.answer_body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
