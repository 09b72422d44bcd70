"""A CSV file of ten good rows, some of them replies, and three bad ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.replay import Config
from tests.contract.connectors import Ready

_MAP = {"id": "tweet", "text": "said", "author": "who", "created_at": "at", "parent": "to"}


class ReplayHarness:
    finite = True

    @contextmanager
    def ready(self, folder: Path) -> Iterator[Ready]:
        rows = [
            b'%d,"row %d,\nsaid",ana,2026-01-05T09:00:%02dZ,%s\n' % (n, n, n, b"" if n < 3 else b"%d.0" % (n - 2))
            for n in range(10)
        ]
        rows.insert(3, b"77,,ana,2026-01-05T09:00:00Z,\n")
        rows.insert(6, b"78,caf\xe9,ana,2026-01-05T09:00:00Z,\n")
        rows.append(b'79,"never closed,ana,2026-01-05T09:00:00Z,\n')
        path = folder / "mentions.csv"
        path.write_bytes(b"tweet,said,who,at,to\n" + b"".join(rows))
        yield Ready(
            config=Config(path=path, source="demo", map=_MAP, brand="Acme", page_size=3),
            source="demo",
            expected=frozenset(f"demo:{number}" for number in range(10)),
            bad=3,
            brand="Acme",
            failing=Config(path=folder / "missing.csv"),
        )


harness = ReplayHarness()
