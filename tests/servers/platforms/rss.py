"""nginx with a feed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from tests.fixtures.circle import Cable
from tests.fixtures.feeds import item, rss
from tests.servers.platforms.wired import Wired, cable_to
from tests.servers.test_feeds_nginx import Nginx


class Feed(Wired):
    """A feed on nginx."""

    name = "rss"
    cannot = {
        "answer": "a feed takes no answers",
        "delete": "an entry that is no longer in a feed may be old as well as taken back",
    }

    def __init__(self, nginx: Nginx, cable: Cable) -> None:
        self.cable, self._nginx = cable, nginx
        self._entries: dict[str, str] = {}
        self._write()
        url = f"{cable.url}/feed.rss"
        self.source = {"type": "rss", "urls": [url], "brand": "acme", "interval_seconds": 0.5, "allow_private": True}

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Feed]:
        with ExitStack() as stack:
            nginx = Nginx(folder)
            stack.callback(nginx.process.wait, timeout=10)
            stack.callback(nginx.process.terminate)
            nginx.ready()
            yield cls(nginx, cable_to(stack, nginx.port))

    def say(self, text: str, by: str) -> str:
        guid = f"g{len(self._entries)}"
        extra = f"<author>{by}</author>"
        self._entries[guid] = item(guid, text, date=format_datetime(datetime.now(UTC)), extra=extra)
        self._write()
        return guid

    def edit(self, thing: str, text: str) -> None:
        self._entries[thing] = re.sub("<title>.*</title>", f"<title>{text}</title>", self._entries[thing])
        self._write()

    def _write(self) -> None:
        new = self._nginx.folder / "new.rss"
        new.write_bytes(rss(*self._entries.values()))
        new.rename(self._nginx.folder / "feed.rss")
