"""An IMAP server with one folder; its cursor is exact, so that a resume repeats nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from connectors.email import Config
from tests.contract.connectors import Ready
from tests.fixtures.imap import PASSWORD, USER, Imap, letter


class EmailHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path) -> Iterator[Ready]:
        with Imap().running() as imap:
            for number in range(21):  # two pages
                imap.deliver(letter(f"{number}@mail.example", f"Acme lost parcel {number}"))
            imap.deliver(letter("nobody@mail.example", sender=""))
            imap.deliver(b"\xff\xfe\x00 no mail at all")
            imap.deliver(letter("last@mail.example", "Acme & co", sender="Ben <ben@mail.example>"))

            def add(moment: datetime) -> str:
                id = f"{len(imap.boxes['INBOX'].mails)}.new@mail.example"
                imap.deliver(letter(id, "Acme is late", date=moment), arrived=moment)
                return f"email:{id}"

            def config(password: str, port: int) -> Config:
                return Config(
                    host="127.0.0.1",
                    port=port,
                    security="none",
                    username=USER,
                    password=SecretStr(password),
                    timeout_secs=5,
                    poll_secs=0.2,
                )

            yield Ready(
                config=config(PASSWORD, imap.port),
                source="email",
                expected=frozenset(
                    [*(f"email:{number}@mail.example" for number in range(21)), "email:last@mail.example"]
                ),
                bad=2,
                secrets=(PASSWORD,),
                failing=config(PASSWORD, 9),
                add=add,
            )


harness = EmailHarness()
