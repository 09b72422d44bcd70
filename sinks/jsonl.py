"""Files of JSON lines: each routed mention is one line, in the file of the day on which it was routed (UTC).

The files are the truth. A small SQLite file beside them remembers where each mention's line is, so that a batch costs
the same however many days there are, and how each file looked when it was last left. A file that looks different (a
crash between the two, a restored backup) is read again, and a line that a crash cut short is cut off.

A mention that comes again unchanged, or in an older revision, changes nothing; in a newer one, its old line goes. To
take a line away its file is written anew beside the old one and put in its place: the old bytes are gone, and a reader
sees either the old file or the new one. That costs a copy of the day's file, once a batch.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog
from pydantic import field_validator

from pipeline.errors import SinkUnavailable
from pipeline.mention import Mention, Removal, Routed
from pipeline.ports import Delivery, Settings

log = structlog.get_logger(__name__)

_LOCK_TIMEOUT_SECS = 5.0
_UNFINISHED = ".unfinished"

_TABLES = """
CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, looks TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lines (
  mention TEXT PRIMARY KEY, file TEXT NOT NULL, author TEXT NOT NULL, noticed TEXT NOT NULL, version TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS lines_of_author ON lines (author);
CREATE INDEX IF NOT EXISTS lines_of_file ON lines (file);
CREATE TABLE IF NOT EXISTS removals (target TEXT, key TEXT, noticed TEXT NOT NULL, PRIMARY KEY (target, key));
"""


class Config(Settings):
    """Where the files go: `path` holds `{day}` once, in its last part (`var/out/mentions-{day}.jsonl`)."""

    path: Path = Path("var/out/mentions-{day}.jsonl")

    @field_validator("path")
    @classmethod
    def _one_file_a_day(cls, path: Path) -> Path:
        if path.name.count("{day}") != 1 or "{" in path.name.replace("{day}", "") or "{" in str(path.parent):
            raise ValueError("the file's name holds {day} once, for example var/out/mentions-{day}.jsonl")
        return path


class _Place(NamedTuple):
    """What is remembered of one line. `version` orders the versions of one mention: revision, then decision."""

    file: str
    author: str
    noticed: str
    version: str


class _Change(NamedTuple):
    """What a batch does to one file: the mentions whose lines go, and the lines that come."""

    drop: set[str]
    add: dict[str, bytes]


class Sink:
    """Appends each mention's line, durably, once. Holds nothing open between two batches; several processes may
    write to the same files, one batch at a time. A full disk leaves no half-written line behind."""

    def __init__(self, config: Config) -> None:
        self._folder = config.path.parent
        self._before, _, self._after = config.path.name.partition("{day}")
        self._index = self._folder / f".{self._before}index{self._after}.sqlite3"

    def deliver(self, batch: Sequence[Delivery]) -> Sequence[str | None]:
        """Write the batch; raises SinkUnavailable when the disk is full or not there, or another holds the files."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._index, timeout=_LOCK_TIMEOUT_SECS, isolation_level=None)
            with closing(connection) as index:
                index.execute("PRAGMA secure_delete = ON")
                index.execute("BEGIN IMMEDIATE")
                for statement in filter(str.strip, _TABLES.split(";")):
                    index.execute(statement)
                self._reconcile(index)
                results = self._write(index, batch)
                index.execute("COMMIT")
                return results
        except OSError as error:
            raise SinkUnavailable(f"cannot write to {self._folder}: {error.strerror}") from error
        except sqlite3.Error as error:
            remedy = " (remove that file; it is made again from the lines)" if _is_damaged(error) else ""
            raise SinkUnavailable(f"cannot use {self._index}: {error}{remedy}") from error

    def close(self) -> None:
        """Nothing is held open."""

    def files(self) -> list[Path]:
        """What it has written so far and is still there: the files of lines, the index, what a crash left."""
        if not self._folder.is_dir():
            return []
        lines = self._folder.glob(f"{escape(self._before)}*{escape(self._after)}*")
        logs = self._index.name + "-"
        return sorted({path for path in (*lines, self._index) if path.is_file() and not path.name.startswith(logs)})

    def forget(self, gone: Callable[[str], bool]) -> None:
        """Remember no longer that these mentions were taken back: nothing brings them again."""
        if not self._index.is_file():
            return
        with closing(sqlite3.connect(self._index, timeout=_LOCK_TIMEOUT_SECS, isolation_level=None)) as index:
            index.execute("PRAGMA secure_delete = ON")
            if index.execute("SELECT 1 FROM sqlite_schema WHERE name = 'removals'").fetchone():
                targets = [target for (target,) in index.execute("SELECT target FROM removals")]
                theirs = [(target,) for target in targets if gone(target.removeprefix("mention:"))]
                index.executemany("DELETE FROM removals WHERE target = ?", theirs)

    # -------------------------------------------------------------------- one batch

    def _write(self, index: sqlite3.Connection, batch: Sequence[Delivery]) -> list[str | None]:
        changes: dict[str, _Change] = {}
        results: list[str | None] = []
        for delivery in batch:
            if isinstance(delivery.record, Removal):
                self._remove(index, delivery.key, delivery.record, changes)
                results.append(None)
                continue
            try:
                line = msgspec.json.encode(delivery.record)
            except UnicodeEncodeError:
                results.append("its text is not valid Unicode and cannot be written")
                continue
            self._put(index, delivery.record, line, changes)
            results.append(None)
        # What comes is safe before what it replaces goes.
        for name in sorted(changes, key=lambda name: not changes[name].add):
            drop, add = changes[name]
            path = self._folder / name
            if drop:
                _rewrite(path, drop, add.values())
            elif add:
                _append(path, b"".join(line + b"\n" for line in add.values()))
            _remember_looks(index, path)
        return results

    def _put(self, index: sqlite3.Connection, routed: Routed, line: bytes, changes: dict[str, _Change]) -> None:
        mention = routed.mention
        place = _place(routed, self._before + _sortable(routed.decision.decided_at)[:10] + self._after)
        held = _held(index, mention.id)
        if (held and held.version >= place.version) or _taken_back(index, mention, place):
            return
        if held:
            _drop(changes, held.file, mention.id)
        index.execute("REPLACE INTO lines VALUES (?, ?, ?, ?, ?)", (mention.id, *place))
        changes.setdefault(place.file, _Change(set(), {})).add[mention.id] = line

    def _remove(self, index: sqlite3.Connection, key: str, removal: Removal, changes: dict[str, _Change]) -> None:
        seen = "SELECT 1 FROM removals WHERE target = ? AND key = ?"
        if index.execute(seen, (removal.target, key)).fetchone():
            return
        noticed = _sortable(removal.noticed_at)
        if removal.mention:
            held = _held(index, removal.mention)
            rows = [(removal.mention, held.file)] if held else []
            # Whatever the clocks say, what it takes away now must not come back with a retry.
            noticed = max(noticed, held.noticed) if held else noticed
        else:
            rows = index.execute(
                "SELECT mention, file FROM lines WHERE author = ? AND noticed <= ?", (removal.author, noticed)
            ).fetchall()
        index.execute("INSERT INTO removals VALUES (?, ?, ?)", (removal.target, key, noticed))
        for mention, file in rows:
            _drop(changes, file, mention)
        index.executemany("DELETE FROM lines WHERE mention = ?", [(mention,) for mention, _ in rows])

    # -------------------------------------------------------------------- files and index agree

    def _reconcile(self, index: sqlite3.Connection) -> None:
        """Read again every file that does not look as it was left, and forget those that are gone."""
        known = dict(index.execute("SELECT name, looks FROM files").fetchall())
        day = re.compile(re.escape(self._before) + r"\d{4}-\d\d-\d\d" + re.escape(self._after))
        present: dict[str, str] = {}
        for entry in self._folder.iterdir():
            if day.fullmatch(entry.name):
                present[entry.name] = _looks(entry.stat())
            elif entry.name.endswith(_UNFINISHED) and day.fullmatch(entry.name.removesuffix(_UNFINISHED)):
                entry.unlink()  # a crash left it; the file it was to replace is whole
        changed = [name for name, looks in present.items() if known.get(name) != looks]
        for name in (*changed, *(known.keys() - present.keys())):
            index.execute("DELETE FROM lines WHERE file = ?", (name,))
            index.execute("DELETE FROM files WHERE name = ?", (name,))
        stale: dict[str, _Change] = {}
        for name in sorted(changed):
            log.info("reading a file of lines again", file=name)
            self._read_again(index, self._folder / name, stale)
        for name, (drop, _) in stale.items():
            _rewrite(self._folder / name, drop, ())
        for name in {*changed, *stale}:
            _remember_looks(index, self._folder / name)

    def _read_again(self, index: sqlite3.Connection, path: Path, stale: dict[str, _Change]) -> None:
        unreadable = whole = 0
        with path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                try:
                    routed = _reader.decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    unreadable += 1
                    continue
                place, mention = _place(routed, path.name), routed.mention
                held = _held(index, mention.id)
                if (held and held.version > place.version) or _taken_back(index, mention, place):
                    _drop(stale, path.name, mention.id)
                    continue
                if held and held.file != path.name:
                    _drop(stale, held.file, mention.id)
                index.execute("REPLACE INTO lines VALUES (?, ?, ?, ?, ?)", (mention.id, *place))
        if whole < path.stat().st_size:
            os.truncate(path, whole)
        if unreadable:
            log.warning("lines that are not mentions are left as they are", file=path.name, lines=unreadable)


# ------------------------------------------------------------------------ the index


class _Author(msgspec.Struct):
    id: str


class _Mention(msgspec.Struct):
    id: str
    source: str
    author: _Author
    created_at: datetime
    edited_at: datetime | None = None
    collected_at: datetime | None = None

    @property
    def revision(self) -> datetime:
        return self.edited_at or self.created_at


class _Decision(msgspec.Struct):
    decided_at: datetime


class _Line(msgspec.Struct):
    """What must be known of a line, whatever the schema version it was written in."""

    mention: _Mention
    decision: _Decision


_reader = msgspec.json.Decoder(_Line)


def _place(routed: Routed | _Line, file: str) -> _Place:
    mention = routed.mention
    return _Place(
        file=file,
        author=f"{mention.source}:{mention.author.id}",
        noticed=_sortable(mention.collected_at or mention.revision),
        version=f"{_sortable(mention.revision)} {_sortable(routed.decision.decided_at)}",
    )


def _held(index: sqlite3.Connection, mention: str) -> _Place | None:
    row = index.execute("SELECT file, author, noticed, version FROM lines WHERE mention = ?", (mention,)).fetchone()
    return _Place(*row) if row else None


def _taken_back(index: sqlite3.Connection, mention: Mention | _Mention, place: _Place) -> bool:
    """Whether a removal that was noticed later than this mention has taken it back already."""
    found = index.execute(
        "SELECT 1 FROM removals WHERE target IN (?, ?) AND noticed >= ?",
        (f"mention:{mention.id}", f"author:{place.author}", place.noticed),
    ).fetchone()
    return found is not None


def _sortable(moment: datetime) -> str:
    """A time as text that sorts as the times do."""
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:  # within a day of the calendar's ends
        moment = moment.replace(tzinfo=UTC)
    return moment.isoformat(timespec="microseconds")


def _is_damaged(error: sqlite3.Error) -> bool:
    # The locked, the full and the missing are an OperationalError; a file that is no database is the bare class.
    return type(error) is sqlite3.DatabaseError


# ------------------------------------------------------------------------ the files


def _drop(changes: dict[str, _Change], file: str, mention: str) -> None:
    change = changes.setdefault(file, _Change(set(), {}))
    if change.add.pop(mention, None) is None:
        change.drop.add(mention)


def _looks(stat: os.stat_result) -> str:
    return f"{stat.st_ino} {stat.st_size} {stat.st_mtime_ns}"


def _remember_looks(index: sqlite3.Connection, path: Path) -> None:
    if path.exists():
        index.execute("REPLACE INTO files VALUES (?, ?)", (path.name, _looks(path.stat())))


def _append(path: Path, data: bytes) -> None:
    """Append durably, or leave the file as it was."""
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise
    if size == 0:
        _sync_folder(path.parent)


def _rewrite(path: Path, drop: set[str], add: Iterable[bytes]) -> None:
    """Put in the file's place one without the lines of `drop` and with those of `add`, or leave it as it was."""
    unfinished = path.with_name(path.name + _UNFINISHED)
    try:
        with path.open("rb") as old, unfinished.open("wb") as new:
            new.writelines(line for line in old if _mention_of(line) not in drop)
            new.writelines(line + b"\n" for line in add)
            new.flush()
            os.fsync(new.fileno())
        shutil.copymode(path, unfinished)
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _mention_of(line: bytes) -> str | None:
    try:
        return _reader.decode(line).mention.id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _sync_folder(folder: Path) -> None:
    """Make a new name in the folder durable."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
