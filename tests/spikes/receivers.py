"""Receivers for alerts: a real HTTP server and a real SMTP server on this machine, that can be down, refuse or hang."""

from __future__ import annotations

import threading
from asyncio.base_events import Server as Listening
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Post:
    """One request as it came, headers in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What it got, and how it is to answer: with these statuses first (0: not at all, until the client gives up), then
    with `always`. `kept` holds what was answered with 2xx, once a key."""

    port: int = 0
    posts: list[Post] = field(default_factory=list)
    kept: dict[str, Post] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    always: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/T000/secret-token"


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """An HTTP server on a free port, or the one given, while the context lasts."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            post = Post(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            receiver.posts.append(post)
            status = receiver.statuses.pop(0) if receiver.statuses else receiver.always
            if not status:
                receiver.over.wait(30)
                return
            if 200 <= status < 300:
                receiver.kept.setdefault(post.headers.get("idempotency-key", str(len(receiver.posts))), post)
            with suppress(ConnectionError):
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", port), Handler) as server:
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.over.set()
            server.shutdown()
            thread.join()


@dataclass
class Mailbox:
    """A mail server's memory, and how it is to answer: `answer` after the mail's end, `answers` to single
    recipients."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    answer: str = "250 OK"
    answers: dict[str, str] = field(default_factory=dict)
    logins: list[tuple[str, str]] = field(default_factory=list)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        if (answer := self.answers.get(address)) is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("2"):
            mail = message_from_bytes(envelope.content, policy=default)  # type: ignore[arg-type]  # it is bytes
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.recipients.append(envelope.rcpt_tos)
        return self.answer


class _Controller(Controller):
    """On a port that the system chooses."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, Listening)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd's own


@contextmanager
def mailing(**options: Any) -> Iterator[Mailbox]:
    """An SMTP server on a free port while the context lasts."""
    mailbox = Mailbox()
    controller = _Controller(mailbox, hostname="127.0.0.1", port=0, **options)
    controller.start()
    try:
        mailbox.port = controller.port
        yield mailbox
    finally:
        controller.stop()
