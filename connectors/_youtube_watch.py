"""What is read on YouTube and how far: the threads of channels and videos, of videos that a search found, and the
replies in threads already known. This is what the cursor holds.

A thread stays where its first comment put it, whatever is said in it later: so the newest threads known are asked for
again, 50 at once, and those that have grown are read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from connectors._youtube_items import Where
from pipeline.ports import Brand, Gap, Query

DEEPEST = 2_000
"""Threads of one target that are read back at most."""
_QUERY_CHARS = 200
"""YouTube documents no limit; every query costs as much as another."""
_TITLE_CHARS = 200
_RARELY = 5
"""How many times rarer than a configured channel a found video, and a batch of known threads, is read."""
_AWAY_SECS = 300.0


class Mark(Struct, omit_defaults=True):
    """How far a target was read: its newest thread, and when it last answered; seconds since 1970."""

    newest: float = 0.0
    asked: float = 0.0


class Followed(Struct, omit_defaults=True):
    """A video that a search found: its title, and when it was found."""

    title: str
    at: float


class Cursor(Struct, omit_defaults=True):
    """All that has to survive a restart; `threads` has how many replies of each were passed on, `searched` when each
    search was made."""

    marks: dict[str, Mark] = {}
    followed: dict[str, Followed] = {}
    threads: dict[str, int] = {}
    searched: dict[str, float] = {}
    day: str = ""
    units: int = 0
    searches: int = 0


@dataclass(eq=False)
class Target:
    """Something to be read every so many seconds: threads by their parameters for `commentThreads.list`, whether a
    search `found` them, and when they are due by the monotonic clock."""

    name: str
    params: Mapping[str, str]
    every: float
    due: float
    found: bool = False


@dataclass(frozen=True)
class Growth:
    """A thread whose replies are to be read, on so many pages at most."""

    where: Where
    total: int
    pages: int


@dataclass
class Watch:
    """What there is to read, and when; `cursor` is changed in place. `now` is by the monotonic clock."""

    cursor: Cursor
    poll_secs: float
    now: float
    grown: deque[Growth] = field(default_factory=deque, init=False)

    def __post_init__(self) -> None:
        self.targets: list[Target] = []
        self.search = Target("search", {}, self.poll_secs, self.now)
        self.known = Target("known threads", {}, _RARELY * self.poll_secs, self.now)
        self._growth_due = self.now
        self._turn = 0

    def go_on(self, before: Watch) -> None:
        """Have the rest due when it was due before."""
        self.grown, self._growth_due, self._turn = before.grown, before._growth_due, before._turn
        self.search.due, self.known.due = before.search.due, before.known.due

    def begin(self, channels: Sequence[str], videos: Sequence[str], found_after: float, seconds: float) -> None:
        """Read these, and the videos found since then; `seconds` since 1970 is now. What waited longest comes first."""
        self.targets = [
            *(Target(id, {"allThreadsRelatedToChannelId": id}, self.poll_secs, self.now) for id in channels),
            *(Target(id, {"videoId": id}, self.poll_secs, self.now) for id in videos),
        ]
        configured = {one.name for one in self.targets}
        followed = {id: known for id, known in self.cursor.followed.items() if id not in configured}
        self.cursor.followed = {}
        for id, known in followed.items():
            self.follow(id, known.title, known.at, self.now)
        self.cursor.marks = {one.name: self.cursor.marks.get(one.name, Mark()) for one in self.targets}
        for one in self.targets:
            one.due = self.now + one.every - max(0.0, seconds - self.cursor.marks[one.name].asked)
        self.shorten(len(followed), found_after)

    def next(self, now: float, units: float, searching: float | None) -> tuple[float, Growth | Target]:
        """What can be done soonest and in how many seconds, when a unit may be spent in `units` seconds and a search
        in `searching` (None: there is nothing to search for)."""
        jobs: list[tuple[float, float, Growth | Target]]
        jobs = [(max(units, one.due - now), one.due, one) for one in self.targets]
        if self.grown:  # one after the other, and what is overdue in between
            jobs.append((units, self._growth_due, self.grown[0]))
        if searching is not None:
            jobs.append((max(searching, self.search.due - now), self.search.due, self.search))
        if self.cursor.threads:
            jobs.append((max(units, self.known.due - now), self.known.due, self.known))
        wait, _, job = min(jobs, key=lambda one: one[:2])
        return wait, job

    def title(self, video: str) -> str:
        """The title of a video that a search found; empty of others."""
        known = self.cursor.followed.get(video)
        return known.title if known else ""

    def follow(self, video: str, title: str, found: float, now: float) -> None:
        """Read the threads of a found video from now on, unless they are read already."""
        if any(one.name == video for one in self.targets):
            return
        self.cursor.followed[video] = Followed(title[:_TITLE_CHARS], found)
        self.targets.append(Target(video, {"videoId": video}, _RARELY * self.poll_secs, now, found=True))

    def shorten(self, most: int, found_after: float) -> None:
        """Follow no more than the newest `most` videos, found since then."""
        followed = self.cursor.followed
        ended = [id for id, known in followed.items() if known.at < found_after]
        for video in dict.fromkeys([*ended, *list(followed)[: max(0, len(followed) - most)]]):
            self.leave(video)

    def grow(self, job: Growth, most: int) -> None:
        """A thread has more replies than came with it: they are to be read, unless they have been."""
        thread = job.where.thread
        known = self.cursor.threads.get(thread)
        if known == job.total or any(other.where.thread == thread for other in self.grown):
            return
        self.grown.append(job)
        if known is None:  # so that it is asked for again, should they not be read before a restart
            self.counted(thread, 0, most)

    def settled(self, most: int, now: float) -> None:
        """The replies of the first thread that had grown were passed on; the newest `most` threads are kept."""
        job = self.grown.popleft()
        self._growth_due = now
        self.counted(job.where.thread, job.total, most)

    def leave(self, video: str) -> None:
        """Read them no longer."""
        self.cursor.followed.pop(video, None)
        self.cursor.marks.pop(video, None)
        self.targets = [one for one in self.targets if not (one.found and one.name == video)]

    def batch(self, size: int) -> list[str]:
        """The next threads to ask for again, in turn."""
        known = list(self.cursor.threads)
        at = self._turn if self._turn < len(known) else 0
        self._turn = at + size
        return known[at : at + size]

    def counted(self, thread: str, replies: int, most: int) -> None:
        """So many replies of this thread were passed on; the newest `most` threads are kept."""
        self.cursor.threads[thread] = replies
        while len(self.cursor.threads) > most:
            del self.cursor.threads[next(iter(self.cursor.threads))]


def load(cursor: str | None) -> Cursor | None:
    """A saved cursor; None where it cannot be read."""
    try:
        return msgspec.json.decode(cursor or "{}", type=Cursor)
    except msgspec.MsgspecError:
        return None


def searches(brands: Sequence[Brand]) -> list[Query]:
    """The brands' terms and handles as searches for videos, joined by `|` (or), as few as possible: a day has 100.

    Excluded phrases, context words and languages are left to the brand stage: `-` would lose a video that names the
    brand as well, and YouTube knows no brackets.
    """
    found = []
    for brand in brands:
        names = (*brand.handles, *(name for name in brand.own_accounts.get("youtube", ()) if not name.startswith("UC")))
        terms = [*(_quoted(term) for term in brand.terms), *(_quoted(name.lstrip("@")) for name in names)]
        left = [
            what
            for what, given in (
                ("exclusions", brand.exclude),
                ("context words", brand.context),
                ("languages", brand.languages),
            )
            if given
        ]
        note = f"finds videos, no comments{'; left to the brand stage: ' if left else ''}{', '.join(left)}"
        texts: list[str] = []
        for term in dict.fromkeys(one for one in terms if one != '""'):
            if texts and len(texts[-1]) + 1 + len(term) <= _QUERY_CHARS:
                texts[-1] += f"|{term}"
            else:
                texts.append(term)
        found += [Query(text, brand.name, "videos", note) for text in texts]
    return found


def _quoted(term: str) -> str:
    return f'"{" ".join(term.replace(chr(34), " ").split())}"'


def encoded(cursor: Cursor) -> str:
    """As it is saved."""
    return msgspec.json.encode(cursor).decode()


def threads_page(target: Target, token: str, limit: int) -> dict[str, Any]:
    """The parameters of one page of a target's threads, newest first."""
    params = {"part": "snippet,replies", "order": "time", "maxResults": limit, "textFormat": "plainText"}
    return {**params, **target.params, **({"pageToken": token} if token else {})}


def gaps_of(target: Target, mark: Mark, oldest: float, now: datetime, met: bool) -> list[Gap]:
    """The hole since a target was read last: where reading back did not meet what was known, or after a pause."""
    if not met:
        since = datetime.fromtimestamp(mark.newest or mark.asked, UTC)
        until = max(since, datetime.fromtimestamp(oldest, UTC))
        note = f"read back {DEEPEST:,} threads and no further"
        return [Gap(since, until, f"too many new threads on {target.name}", note=note)]
    if now.timestamp() - mark.asked > max(_AWAY_SECS, 3 * target.every) and not target.found:
        since = datetime.fromtimestamp(mark.asked, UTC)
        return [Gap(since, now, f"{target.name} was not read", repaired=True, note="read back since")]
    return []
