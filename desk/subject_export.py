"""Everything the store holds on one person, as one JSON document: to hand to them, or to whoever asks in their name.

Other people's mentions that name them are not in it: those are other people's data.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from desk.customers import profile
from desk.erasure import known_as
from pipeline.errors import ConfigError, Problem
from pipeline.store import Store

FORMAT = "subject-export/1"


def held_on(store: Store, author: str, now: datetime) -> dict[str, Any]:
    """What is held on `source:author_id`, in plain JSON types: their mentions whole, with what was found in each and
    decided on it; dead letters known to be theirs; what the ledger and the outbox keep on them; their cases with all
    that happened in them, drafts, figures and clocks; what links and a CRM say of the account; the tombstone."""
    said = list(store.mentions_of(author))
    letters = store.letters_of(author)
    ids = [*(routed.mention.id for routed in said), *(letter.intake_id for letter in letters)]
    kept: dict[str, list[Any]] = {"intake": [], "outbox": [], "removed": []}
    for found in (*store.rows_about(ids), *store.cases_of(author, known_as(store, author).accounts)):
        kept.setdefault(found.table, []).append({name: _plain(value) for name, value in found.row.items()})
    found_profile = profile(author, said, now)
    stone = store.tombstone_of(author)
    document: dict[str, Any] = {
        "format": FORMAT,
        "subject": author,
        "made_at": now,
        "profile": asdict(found_profile) if found_profile else None,
        "mentions": said,
        "dead_letters": [{name: _plain(value) for name, value in asdict(letter).items()} for letter in letters],
        "tombstone": asdict(stone) if stone else None,
        **kept,
    }
    plain: dict[str, Any] = msgspec.to_builtins(document)
    return plain


def write(document: dict[str, Any], path: Path) -> int:
    """Write it to a new file that only its owner may read; returns the bytes written. Raises ConfigError for a file
    that is there already, or a place that cannot be written to."""
    data = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
    except FileExistsError as error:
        raise ConfigError([Problem(str(path), "is there already", "name another file")]) from error
    except OSError as error:
        raise ConfigError([Problem(str(path), f"cannot be written: {error.strerror}", "name another file")]) from error
    return len(data)


def _plain(value: Any) -> Any:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
