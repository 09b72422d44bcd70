"""Mail: what arrives in the folders of one account, by IMAP; and answers to it, by SMTP.

From RFC 3501: a UID is never given twice while a folder's UIDVALIDITY stays the same, and a later mail has a higher
one. So the last UID read is an exact cursor, without a lookback; a changed UIDVALIDITY means that all UIDs are new, and
what arrived lately is read again and recognised by its Message-ID. From RFC 2177: a server may log out a client that
idles for 30 minutes, so IDLE is begun anew before 29; routers forget a silent connection sooner, and so here it is
5 minutes unless set otherwise. No delays between attempts are documented.

A mail is kept as one part of a conversation by Message-ID, References and In-Reply-To (RFC 5322, 3.6.4). A mail that is
expunged or moved is no deletion: that is how people tidy up, and its author has no part in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, ClassVar

import msgspec
import structlog
from pydantic import Field, StringConstraints

from connectors._aside import Stopping, aside, resting
from connectors._email_account import Server
from connectors._email_imap import Declined, Folder, Mailbox
from connectors._email_parse import Letter, identity, mention_of
from connectors._email_reply import Answers, Reply
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item
from pipeline.ports import Backoff, Context, Gap, Page, Rejection

log = structlog.get_logger(__name__)

_AT_ONCE = 20
"""Mails fetched, and handed over, at once."""
_WATCH_SECS = 0.25
_KEEP_BYTES = 65_536
_RECENT = 200
_BEFORE = timedelta(days=1)
"""How much further back than the last sign of life is read again when the UIDs are new."""

FolderName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


class Config(Server):
    """Settings of the mail connector, besides those of the server (_email_account.py).

    port           993, or 143 with starttls
    folders        what is read; new mail is told at once in the first only
    addresses      our own, besides the one that answers: what comes from them is our own
    brand          given to every mention: where the mailbox is one brand's
    poll_secs      between two looks where the server does not tell by itself, and at the other folders
    idle_secs      after which the server is asked anew to tell of new mail
    backfill_days  how far back the first start reads
    max_bytes      of one mail that are fetched: headers and text come first, attachments after them
    mark_seen      whether what was taken is marked as read
    reply          the account that answers; without it nobody does
    """

    port: int = Field(default=993, ge=1, le=65535)
    folders: tuple[FolderName, ...] = Field(default=("INBOX",), min_length=1, max_length=20)
    addresses: tuple[str, ...] = ()
    brand: str | None = None
    poll_secs: float = Field(default=60, gt=0)
    idle_secs: float = Field(default=300, gt=0, le=29 * 60)
    backfill_days: int = Field(default=7, ge=0, le=366)
    max_bytes: int = Field(default=262_144, ge=16_384, le=16_000_000)
    mark_seen: bool = False
    reply: Reply | None = None


class Replier(Answers):
    """Answers from the address in `reply` (`_email_reply.py`)."""

    def __init__(self, config: Config, context: Context) -> None:
        if config.reply is None:
            raise ValueError("a source without `reply` cannot answer")
        super().__init__(config.reply, config, config.port, context)


class _Mark(msgspec.Struct, omit_defaults=True):
    """How far a folder was read, when that was (seconds since 1970), and by their hashes the last ids taken."""

    validity: int
    uid: int
    heard: float
    recent: list[str] = []


class Connector:
    """Reads its folders and waits for more, for ever; the cursor is JSON, a mark for each folder."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        "network": Backoff(first=2, factor=2, cap=300),
        "http": Backoff(first=15, factor=2, cap=600),
        "rate_limited": Backoff(first=60, factor=2, cap=3_600),
        "silent": Backoff(first=5, factor=2, cap=300),
    }

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._clock = context.clock
        self._name = context.name
        self._own = {one.lower() for one in config.addresses}
        if config.reply is not None:
            self._own.add(config.reply.address.lower())
        self._marks: dict[str, _Mark] = {}

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """What is new in every folder; from None, what arrived in the last `backfill_days`."""
        self._marks = self._load(cursor)
        config = self._config
        mailbox = Mailbox(config, config.port, config.max_bytes)
        first = True
        try:
            yield from aside(mailbox.open, self._clock)
            while not self._clock.stopping:
                # The first folder comes last: it is the one that stays open, and is waited for.
                for folder in [*config.folders[1:], config.folders[0]]:
                    yield from self._look(mailbox, folder, first)
                first = False
                if not mailbox.more:
                    yield from self._rest(mailbox)
        except Stopping:
            return
        except Declined as refusal:
            raise SourceUnavailable(f"{config.host} refuses a command: {refusal.words}", trouble="http") from None
        finally:
            mailbox.cut()

    def parse(self, payload: bytes) -> Sequence[Item]:
        """Read a kept mail, or its beginning, again."""
        now = self._clock.now()
        return [mention_of(Letter(payload, len(payload), now), self._name, self._config.brand, tuple(self._own))]

    # -------------------------------------------------------------------------------------------------------- looking

    def _look(self, mailbox: Mailbox, name: str, first: bool) -> Generator[Page, None, None]:
        """What a folder holds above its mark, some mails a page."""
        try:
            folder = yield from aside(lambda: mailbox.select(name, not self._config.mark_seen), self._clock)
        except Declined as refusal:
            raise SourceRefused(f"the folder {name} cannot be opened: {refusal.words}") from None
        uids, gaps, known = yield from self._new(mailbox, folder, name, first)
        mark = self._marks[name]
        for start in range(0, len(uids), _AT_ONCE):
            chunk = uids[start : start + _AT_ONCE]
            letters = yield from self._fetched(mailbox, chunk)
            # Beside the pages, as a hostile mail may take a second or two to be read.
            items, taken = yield from aside(partial(self._read, letters, name, known), self._clock)
            mark.recent = [*mark.recent, *taken][-_RECENT:]
            mark.uid, mark.heard = chunk[-1], self._clock.now().timestamp()
            yield Page(items, self._saved(), gaps)
            gaps = []
            if self._config.mark_seen:
                yield from aside(partial(mailbox.seen, chunk), self._clock)
        if not uids:
            mark.heard = self._clock.now().timestamp()
            yield Page((), self._saved(), gaps)

    def _new(
        self, mailbox: Mailbox, folder: Folder, name: str, first: bool
    ) -> Generator[Page, None, tuple[list[int], list[Gap], frozenset[str]]]:
        """Which UIDs to read, what was missed before them, and whose ids (hashed) were taken under other UIDs."""
        mark, now = self._marks.get(name), self._clock.now()
        if mark is not None and mark.validity == folder.validity:
            uids = yield from aside(lambda: mailbox.after(mark.uid), self._clock)
            lost = (folder.next or 0) - 1 - mark.uid - len(uids) if first else 0
            reason = f"{lost} mails came to {name} and were moved or deleted before they were read"
            return uids, [Gap(_moment(mark.heard), now, reason)] if lost > 0 else [], frozenset()
        heard = now - timedelta(days=self._config.backfill_days) if mark is None else _moment(mark.heard)
        day = (heard if mark is None else heard - _BEFORE).date()
        newest = yield from aside(lambda: mailbox.after((folder.next or 1) - 1), self._clock)  # also: news from now on
        uids = yield from aside(lambda: mailbox.since(day), self._clock)
        if mark is None and not self._config.backfill_days:
            uids = newest
        gaps = []
        if mark is not None:
            log.warning("a folder was made anew: reading it again", via=self._name, folder=name)
            note = f"what arrived since {day} is read again, and recognised by Message-ID"
            gaps = [Gap(heard, now, f"the UIDVALIDITY of {name} changed", repaired=True, note=note)]
        recent = [] if mark is None else mark.recent
        start = (folder.next or 1) - 1
        self._marks[name] = _Mark(folder.validity, start if not uids else uids[0] - 1, now.timestamp(), recent)
        return uids, gaps, frozenset(recent)

    def _fetched(self, mailbox: Mailbox, uids: list[int]) -> Generator[Page, None, dict[int, Letter | str]]:
        """The mails; where the server refuses one, its words instead."""
        try:
            return dict((yield from aside(lambda: mailbox.fetch(uids), self._clock)).items())
        except Declined as refusal:
            if len(uids) == 1:
                return {uids[0]: refusal.words}
        found: dict[int, Letter | str] = {}
        for uid in uids:
            found |= yield from self._fetched(mailbox, [uid])
        return found

    def _read(
        self, letters: Mapping[int, Letter | str], name: str, known: frozenset[str]
    ) -> tuple[list[Item | Rejection], list[str]]:
        """The mails as items, but those known, and the hashes of their ids."""
        items: list[Item | Rejection] = []
        taken: list[str] = []
        for uid, letter in letters.items():
            place = f"UID {uid} in {name}"
            if isinstance(letter, str):
                items.append(Rejection(b"", place, f"the server does not give it out: {letter}"))
            elif (id := _hashed(identity(letter))) not in known:
                taken.append(id)
                try:
                    items.append(mention_of(letter, self._name, self._config.brand, tuple(self._own)))
                except BadItem as error:
                    items.append(Rejection(letter.raw[:_KEEP_BYTES], place, str(error)))
        return items, taken

    # -------------------------------------------------------------------------------------------------------- waiting

    def _rest(self, mailbox: Mailbox) -> Generator[Page, None, None]:
        """Until the server tells of something in the first folder, or it is time to look again."""
        config = self._config
        if not (yield from aside(lambda: mailbox.can_idle, self._clock)):
            yield from resting(config.poll_secs, self._clock)
            return
        yield from aside(mailbox.idle, self._clock)
        secs = config.idle_secs if len(config.folders) == 1 else min(config.idle_secs, config.poll_secs)
        until = self._clock.monotonic() + secs
        while not self._clock.stopping and self._clock.monotonic() < until:
            if mailbox.told(_WATCH_SECS):
                return
            yield Page(heard=False)

    # --------------------------------------------------------------------------------------------------------- cursor

    def _load(self, cursor: str | None) -> dict[str, _Mark]:
        try:
            saved = msgspec.json.decode(cursor or "{}", type=dict[str, _Mark])
        except msgspec.MsgspecError:
            log.warning("the saved cursor cannot be read: starting with the backfill", via=self._name)
            return {}
        return {name: mark for name, mark in saved.items() if name in self._config.folders and mark.uid >= 0}

    def _saved(self) -> str:
        return msgspec.json.encode(self._marks).decode()


def _hashed(id: str) -> str:
    return hashlib.blake2b(id.encode(), digest_size=6).hexdigest()


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
