"""Two feeds on a local host: one in good health with a bad entry, one that is gone; its cursor repeats nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path

from connectors._entries import Entry, key_of
from connectors.rss import Config
from tests.contract.connectors import Front, Ready, direct
from tests.fixtures.feeds import Answer, FeedHost, item, rss


class RssHarness:
    finite = False

    @contextmanager
    def ready(self, folder: Path, front: Front = direct) -> Iterator[Ready]:
        with FeedHost() as host:
            entries = [
                item(f"n{number}", f"Parcel {number}", f"<p>Parcel {number} was late</p>") for number in range(6)
            ]
            host.answers["/a.rss"] = Answer(rss(*entries[:4], "<item/>"))
            host.answers["/b.rss"] = Answer(rss(*entries[4:], "<item><link/></item>"))
            host.answers["/gone.rss"] = Answer(status=410)
            base = front(host.url(""))
            urls = [base + path for path in ("/a.rss", "/b.rss", "/gone.rss")]
            names = [(urls[0] if number < 4 else urls[1], f"n{number}") for number in range(6)]

            def identify(url: str, guid: str) -> str:
                return f"rss:{Entry(feed=key_of(url), id=guid).native_id}"

            def add(moment: datetime) -> str:
                entries.append(item(f"n{len(entries)}", "Parcel", "Late again", format_datetime(moment)))
                host.answers["/b.rss"] = Answer(rss(*entries[:3:-1][:20]))
                return identify(urls[1], f"n{len(entries) - 1}")

            yield Ready(
                config=Config(urls=urls, interval_seconds=0.5, brand="Acme", allow_private=True, timeout_seconds=2),
                source="rss",
                expected=frozenset(identify(url, guid) for url, guid in names),
                bad=2,
                brand="Acme",
                add=add,
                at_once=len(urls),
                alone=True,
            )


harness = RssHarness()
