"""A connection to an IMAP server (RFC 3501; RFC 2177: IDLE), bounded in time and size, that can be cut at any moment.

IMAPClient 4 is used: it takes a TLS context and time-outs, and parses what servers answer. What it leaves open is
closed here: it has no limit on what a server may send (a literal of any length is read into memory), its time-out is
one of silence only (a byte now and then keeps a call alive for ever), and its `idle_check` takes the end of the
connection for "nothing new".
"""

from __future__ import annotations

import base64
import contextlib
import imaplib
import re
import select
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from imapclient import IMAPClient  # type: ignore[import-untyped]  # annotated in part, without py.typed
from imapclient.exceptions import IMAPClientError, LoginError  # type: ignore[import-untyped]  # as above

from connectors._email_account import Server, bounded, xoauth2
from connectors._email_parse import Letter
from connectors._exchange import plain
from pipeline.errors import SourceRefused, SourceUnavailable, Trouble

_CALL_TIMES = 4
"""One call, of several answers, may take so many times as long as one answer."""
_SPARE_BYTES = 1_000_000
_CODE = re.compile(r"\[([A-Z-]+)")
_LATER: Mapping[str, Trouble] = {
    "UNAVAILABLE": "http",
    "SERVERBUG": "http",
    "INUSE": "http",
    "CONTACTADMIN": "http",
    "LIMIT": "rate_limited",
}
"""Response codes (RFC 5530) of what passes by itself; LIMIT is of too many connections or commands."""
_CROWDED = re.compile(r"too many|rate|limit exceeded|throttl|maximum number of connections", re.IGNORECASE)
_BROKEN = (OSError, imaplib.IMAP4.abort, EOFError)
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, AssertionError)
_SECTION = b"BODY[]<0>"

Found = TypeVar("Found")


class Declined(Exception):
    """The server answered NO or BAD; `words` are its own, for a person."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


@dataclass(frozen=True)
class Folder:
    """An opened folder: UIDVALIDITY, and the UID the next mail will have (None where the server does not say)."""

    validity: int
    next: int | None


class Mailbox:
    """One account's mail; calls block, `cut` ends them from any thread. Raises SourceUnavailable, SourceRefused (of the
    account) and Declined."""

    def __init__(self, server: Server, port: int, most_bytes: int) -> None:
        self._server = server
        self._port = port
        self._most = most_bytes
        self._client: Any = None
        self._lock = threading.Lock()
        self._cut = False
        self._idling = False

    # ---------------------------------------------------------------------------------------------------- connection

    def open(self) -> None:
        """Connect and log in."""
        try:
            self._do(lambda _: self._begin())
        except Declined as refusal:
            raise SourceRefused(f"{self._server.host} does not accept this account: {refusal.words}") from None

    def _begin(self) -> None:
        client = self._connected()
        with self._lock:
            self._client = client
            if self._cut:
                self._end()
        self._log_in()

    def cut(self) -> None:
        """End the connection now, whatever is under way."""
        with self._lock:
            self._cut = True
            self._end()

    def close(self) -> None:
        """Log out where that is quickly done, and end the connection."""
        client = self._client
        if client is not None and not self._cut:
            with contextlib.suppress(*_BROKEN, IMAPClientError), bounded(1.0, self.cut):
                if self._idling:
                    client.idle_done()
                client.logout()
        self.cut()

    def _end(self) -> None:
        if self._client is not None:
            # Shut down before it is closed: a thread that reads it is woken only so.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._client.socket(), socket.SHUT_RDWR)
            with contextlib.suppress(*_BROKEN, ValueError):
                self._client.shutdown()

    def _connected(self) -> Any:
        server = self._server
        client = IMAPClient(
            server.host,
            self._port,
            ssl=server.security == "tls",
            ssl_context=server.context() if server.security == "tls" else None,
            timeout=server.timeout_secs,
        )
        client.normalise_times = False
        # IMAPClient sends a command in pieces, the later of which would wait for the server's ACK: 40 ms each.
        client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._limit(client)
        if server.security == "starttls":
            try:
                client.starttls(server.context())
            except Exception:
                with contextlib.suppress(*_BROKEN):
                    client.shutdown()
                raise
        return client

    def _limit(self, client: Any) -> None:
        """`imaplib.IMAP4.read` is what reads a literal, and is there to be replaced (its documentation says so)."""
        read = client._imap.read

        def limited(size: int) -> bytes:
            if size > self._most + _SPARE_BYTES:
                raise imaplib.IMAP4.abort(f"the server sends {size:,} bytes where {self._most:,} were asked for")
            return bytes(read(size))

        client._imap.read = limited

    def _log_in(self) -> None:
        server = self._server
        if server.token is None:
            self._client.login(server.username, server.secret)
        else:
            answers = iter((xoauth2(server).encode(), b""))  # after a refusal the server waits for an empty line
            self._client.sasl_login("XOAUTH2", lambda _: next(answers, b""))

    def _do(self, work: Callable[[Any], Found]) -> Found:
        """What the client is to do, ending an IDLE before it."""
        try:
            with bounded(_CALL_TIMES * self._server.timeout_secs, self.cut):
                if self._idling:
                    self._idling = False
                    self._client.idle_done()
                return work(self._client)
        except (*_BROKEN, *_UNREADABLE, IMAPClientError) as error:
            meant = self._meant(error)
        raise meant  # out here, so that it does not carry along what the server said, which may be our secret

    def _meant(self, error: Exception) -> Exception:
        """What IMAPClient raised, as what is to be done about it."""
        if isinstance(error, LoginError) and isinstance(error.__context__, imaplib.IMAP4.abort):
            error = error.__context__  # it calls a connection that ends during the login a refusal
        host, words = self._server.host, self._plain(str(error))
        if isinstance(error, ssl.SSLCertVerificationError):
            return SourceRefused(
                f"the certificate of {host} cannot be trusted ({self._plain(error.verify_message)}): "
                "name the file it was signed with in ca_file"
            )
        if isinstance(error, TimeoutError):
            return SourceUnavailable(f"{host} did not answer within {self._server.timeout_secs:g} seconds")
        if isinstance(error, _BROKEN):
            trouble: Trouble = "rate_limited" if "BYE" in words and _CROWDED.search(words) else "network"
            return SourceUnavailable(
                f"the connection to {host} broke: {words or type(error).__name__}", trouble=trouble
            )
        if isinstance(error, UnicodeEncodeError):
            return Declined("a user name and a password can only be sent in ASCII")
        if isinstance(error, IMAPClientError):
            code = _CODE.search(words)
            later = _LATER.get(code[1]) if code else None
            if later or _CROWDED.search(words):
                return SourceUnavailable(f"{host} says: {words}", trouble=later or "rate_limited")
            return Declined(words)
        # An answer that is no IMAP sets off about anything in the library's parser.
        return SourceUnavailable(f"{host} does not speak IMAP ({type(error).__name__})", trouble="http")

    def _plain(self, words: str) -> str:
        secret = self._server.secret
        return plain(words, (secret, base64.b64encode(xoauth2(self._server).encode()).decode()))

    # ------------------------------------------------------------------------------------------------------- reading

    def select(self, folder: str, readonly: bool) -> Folder:
        """Open a folder; `readonly` by EXAMINE, so that nothing can be marked as read."""
        said = self._do(lambda client: client.select_folder(folder, readonly))
        validity, following = said.get(b"UIDVALIDITY"), said.get(b"UIDNEXT")
        if not isinstance(validity, int):
            raise SourceUnavailable(f"{self._server.host} gives the folder {folder} no UIDVALIDITY", trouble="http")
        return Folder(validity, following if isinstance(following, int) else None)

    def after(self, uid: int) -> list[int]:
        """The UIDs above this one, in their order."""

        def ask(client: Any) -> Any:
            client._imap.response("EXISTS")  # forget what was told before
            return client.search(["UID", f"{uid + 1}:*"])

        return sorted({one for one in self._do(ask) if one > uid})  # `n:*` names the last mail even where it is older

    def since(self, day: date) -> list[int]:
        """The UIDs of what arrived on this day or later, in their order."""
        return sorted(set(self._do(lambda client: client.search(["SINCE", day]))))

    def find(self, message_id: str) -> list[int]:
        """The UIDs of the mails with this Message-ID."""
        return sorted(set(self._do(lambda client: client.search(["HEADER", "Message-ID", f"<{message_id}>"]))))

    def fetch(self, uids: Sequence[int]) -> dict[int, Letter]:
        """These mails' beginnings, without marking them as read; those that are gone are left out."""
        wanted = ["RFC822.SIZE", "INTERNALDATE", f"BODY.PEEK[]<0.{self._most}>"]
        answer = self._do(lambda client: client.fetch(uids, wanted))
        return {uid: letter for uid, found in answer.items() if (letter := self._letter(found)) is not None}

    def _letter(self, found: dict[bytes, Any]) -> Letter | None:
        raw, size, arrived = found.get(_SECTION), found.get(b"RFC822.SIZE"), found.get(b"INTERNALDATE")
        if not isinstance(raw, bytes):
            return None
        if not isinstance(arrived, datetime):
            arrived = datetime.now(UTC)
        return Letter(raw[: self._most], size if isinstance(size, int) else len(raw), arrived)

    def seen(self, uids: Sequence[int]) -> None:
        """Mark them as read."""
        self._do(lambda client: client.add_flags(uids, [b"\\Seen"], silent=True))

    def append(self, folder: str, content: bytes, flags: Sequence[bytes]) -> None:
        """Put a mail into a folder."""
        self._do(lambda client: client.append(folder, content, flags))

    # ------------------------------------------------------------------------------------------------------- waiting

    @property
    def can_idle(self) -> bool:
        """Whether the server tells of new mail by itself."""
        return bool(self._do(lambda client: client.has_capability("IDLE")))

    @property
    def more(self) -> bool:
        """Whether the server told of new mail since `after` was asked: it does so once, with any answer, and then no
        more when IDLE begins."""
        return bool(self._client._imap.response("EXISTS")[1] != [None])

    def idle(self) -> None:
        """Ask to be told of new mail in the open folder."""
        try:
            self._do(lambda client: client.idle())
        except Declined as refusal:  # IMAPClient takes no news before the go-ahead; a new connection finds them
            raise SourceUnavailable(f"{self._server.host} does not begin to wait: {refusal.words}") from None
        self._idling = True

    def told(self, seconds: float) -> bool:
        """Whether the server said anything within so many seconds; the connection's end raises."""
        line = self._client.socket()
        waiting = isinstance(line, ssl.SSLSocket) and line.pending() > 0
        try:
            if not waiting and not select.select([line], [], [], seconds)[0]:
                return False
        except (OSError, ValueError):
            raise SourceUnavailable(f"the connection to {self._server.host} broke") from None
        self._idling = False  # not to be ended by `_do`, but read
        said = self._do(lambda client: client.idle_check(0))
        self._idling = True
        if any(isinstance(one, tuple) and one[:1] == (b"BYE",) for one in said):
            raise SourceUnavailable(f"{self._server.host} ended the connection: {self._plain(str(said[-1]))}")
        if not said:  # TLS had something to say for itself, or the connection has ended
            self.check()
            self.idle()
        return bool(said)

    def check(self) -> None:
        """A sign of life: ends an IDLE, and asks for nothing."""
        self._do(lambda client: client.noop())
