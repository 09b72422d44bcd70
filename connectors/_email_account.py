"""Who we are to a mail server, and how its line is secured: what collecting and answering have in common.

Ports from RFC 8314: 993 for IMAP and 465 for submission over TLS from the first byte; 143 and 587 with STARTTLS.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, Self

from pydantic import Field, FilePath, model_validator

from pipeline.ports import Secret, Settings

Security = Literal["tls", "starttls", "none"]
_HERE = ("127.0.0.1", "localhost", "::1")


class Server(Settings):
    """A mail server, and the account on it.

    host          its name, which its certificate must bear
    security      `tls` from the first byte, `starttls`, or `none`, which only a server on this machine may have
    ca_file       certificates to trust instead of the system's, in PEM: for a server with a certificate of its own
    username      whose account; usually the address
    password      of the account; or
    token         an OAuth 2 access token instead (SASL XOAUTH2)
    timeout_secs  to wait for an answer of the server
    """

    host: str = Field(pattern=r"^[A-Za-z0-9.:_-]+$", max_length=253)
    security: Security = "tls"
    ca_file: FilePath | None = None
    username: str = Field(min_length=1, max_length=320)
    password: Secret | None = None
    token: Secret | None = None
    timeout_secs: float = Field(default=30, gt=0, le=300)

    @model_validator(mode="after")
    def _one_secret_on_a_safe_line(self) -> Self:
        if (self.password is None) == (self.token is None):
            raise ValueError("give either password or token")
        if self.security == "none" and self.host not in _HERE:
            raise ValueError("security: none is only for a server on this machine, or the password could be read")
        return self

    @property
    def secret(self) -> str:
        """The password or the token."""
        given = self.password or self.token
        return given.get_secret_value() if given is not None else ""

    def context(self) -> ssl.SSLContext:
        """Verifies the certificate and the name it was made out to."""
        return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)


def xoauth2(server: Server) -> str:
    """The initial response of SASL XOAUTH2 (developers.google.com/gmail/imap/xoauth2-protocol), not yet in base64."""
    return f"user={server.username}\x01auth=Bearer {server.secret}\x01\x01"


@contextmanager
def bounded(seconds: float, cut: Callable[[], None]) -> Iterator[None]:
    """Cut the line when what is done here takes longer: a server that sends a byte now and then never times out."""
    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join(timeout=1)
