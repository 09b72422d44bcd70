"""Hacker News: every new story and comment is read, and what may concern a brand is passed on.

From github.com/HackerNews/API: `/maxitem` is the newest number, `/item/ID` one item, `/updates` what changed of late
(edits, deletions, points); "there is currently no rate limit". So that nobody regrets that, no more than
`requests_a_minute` are made, `parallel` at once; new items are some 10,000 to 15,000 a day. What was said before the
first start, and what a long pause left out, is searched for at hn.algolia.com/api: 1,000 results a query, 10,000
requests an hour for an address. Neither documents delays between attempts.

There is no Replier: the API reads only, and the site's guidelines and its terms leave posting to people.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import msgspec
from msgspec.structs import replace
from pydantic import Field

from connectors._aside import Stopping, resting
from connectors._hackernews_api import Api, Result
from connectors._hackernews_items import Thing, read, removal, to_mention
from connectors._hackernews_memory import GONE, Known, State, Threads, restored
from connectors._http import Fetched
from connectors._watch import Terms
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable, Trouble
from pipeline.mention import Item, Mention
from pipeline.ports import Backoff, Brand, Clock, Context, Gap, Page, Query, Rejection, Settings

BATCH = 50
"""Items that are read for one page."""
DEEPEST = 5_000
"""Items that are read one by one after a pause, some ten hours of them; what a longer one left out is searched for."""
_KEEP_BYTES = 65_536
_DEEP = 200
"""How far a comment's thread is climbed."""
_LATE_SECS = 600.0
"""How long an item may be `null`, or fail, before it is given up: the newest are numbered before they can be read."""
_AWAY_SECS = 300.0
_OVERLAP = timedelta(minutes=10)
"""How much further back is searched than what was read: the search knows an item some minutes late."""


class Config(Settings):
    """Settings of the Hacker News connector.

    terms              words and phrases that are listened for besides those of the brands
    backfill_hours     how far back is searched on the first start
    poll_secs          between two looks at what is new and what changed
    parallel           items that are fetched at once
    requests_a_minute  that are made at most
    timeout_secs       for one answer
    api_base           where the API is
    search_base        where the search is
    """

    terms: tuple[str, ...] = Field(default=(), max_length=500)
    backfill_hours: float = Field(default=24, ge=0, le=720)
    poll_secs: float = Field(default=30, gt=0)
    parallel: int = Field(default=4, ge=1, le=10)
    requests_a_minute: int = Field(default=300, ge=10, le=1_200)
    timeout_secs: float = Field(default=15, gt=0, le=60)
    api_base: str = Field(
        default="https://hacker-news.firebaseio.com/v0", pattern=r"^(https://|http://(127\.0\.0\.1|localhost)(:|/|$))"
    )
    search_base: str = Field(
        default="https://hn.algolia.com/api/v1", pattern=r"^(https://|http://(127\.0\.0\.1|localhost)(:|/|$))"
    )


def _phrases(config: Config, brands: Sequence[Brand]) -> list[tuple[str, str]]:
    """Every term with the brand it is for (none where it is for several, or for all), each once."""
    found: dict[str, tuple[str, str]] = {}
    named = [(term, brand.name) for brand in brands for term in (*brand.terms, *brand.handles)]
    for term, brand in (*named, *((term, "") for term in config.terms)):
        term = term.strip().lstrip("@")
        known = found.setdefault(term.casefold(), (term, brand))
        if known[1] != brand:
            found[term.casefold()] = (known[0], "")
    return [pair for pair in found.values() if pair[0]]


def queries(config: Config, brands: Sequence[Brand]) -> list[Query]:
    """That everything new is read; and what is searched for in what was said before."""
    whole = Query("", "", "Hacker News", "every new item is read and compared here; the brand stage chooses")
    searched = "only for what was said before the first start, or in a long pause"
    return [whole, *(Query(f'"{term}"', brand, "hn.algolia.com", searched) for term, brand in _phrases(config, brands))]


class Connector:
    """Reads item after item for ever."""

    backoff: ClassVar[Mapping[Trouble, Backoff]] = {
        # None is documented.
        "network": Backoff(first=5, factor=2, cap=300),
        "http": Backoff(first=15, factor=2, cap=600),
        "rate_limited": Backoff(first=60, factor=2, cap=3600),
        "silent": Backoff(first=15, factor=2, cap=300),
    }

    def __init__(self, config: Config, context: Context) -> None:
        self._config = config
        self._clock = context.clock
        self._name = context.name
        self._phrases = _phrases(config, context.brands)
        self._terms = Terms(term for term, _ in self._phrases)
        own = {
            account.lstrip("@").casefold()
            for brand in context.brands
            for account in brand.own_accounts.get("hackernews", ())
        }
        self._api = _api(config, context.clock)
        self._threads = Threads(own)
        self._state = State()

    def pages(self, cursor: str | None) -> Iterator[Page]:
        """What is new, and what changed of what was passed on; from None, first what the search finds in the last
        `backfill_hours`."""
        if not self._terms:
            raise SourceRefused(f"nothing to listen for: give a brand terms, or set sources.{self._name}.terms")
        self._state = restored(cursor, self._name)
        try:
            with self._api:
                while not self._clock.stopping:
                    yield from self._catch_up((yield from self._api.newest()))
                    yield from self._changes()
                    yield from resting(self._config.poll_secs, self._clock)
        except Stopping:
            return

    def parse(self, payload: bytes) -> Sequence[Item]:
        """A kept item."""
        thing = read(payload)
        if thing is None:
            raise BadItem("an item that was not there")
        now = self._clock.now()
        if thing.gone:
            return [removal(thing.id, thing.root, self._name, now)]
        return [to_mention(thing, self._name, now)]

    # ---------------------------------------------------------------------------------------------------- what is new

    def _catch_up(self, newest: int) -> Generator[Page, None, None]:
        """Everything up to the item `newest`, oldest first."""
        state, now = self._state, self._clock.now()
        if not state.last:
            since = now - timedelta(hours=self._config.backfill_hours)
            if self._config.backfill_hours:
                yield from self._search(since, newest)
            self._state = state = State(newest, now.timestamp(), known=state.known)
            yield self._page([])
            return
        gaps = self._away(newest, now)
        if newest - state.last > DEEPEST:
            yield from self._search(state.heard - _OVERLAP, newest - BATCH)
            state.last = newest - BATCH
        while state.last < newest or state.late:
            ids = range(state.last + 1, min(newest, state.last + BATCH) + 1)
            results = yield from self._api.items([*list(state.late)[:BATCH], *ids])
            outage = _outage(results)
            if outage is not None and all(isinstance(result, SourceUnavailable) for result in results.values()):
                raise outage
            items, known, lost = yield from self._read(results, patient=outage is not None)
            state.last = max(state.last, ids[-1] if ids else 0)
            if outage is not None:
                yield self._page(items, lost, known)
                raise outage
            if state.last >= newest:
                state.asked = self._clock.now().timestamp()
                yield self._page(items, [*gaps, *lost], known)
                return
            yield self._page(items, lost, known)
        state.asked = self._clock.now().timestamp()
        yield self._page([], gaps)

    def _read(
        self, results: Mapping[int, Result], patient: bool
    ) -> Generator[Page, None, tuple[list[Item | Rejection], dict[int, Known], list[Gap]]]:
        """What these items bring, what to remember of it, and which were given up: none where we are `patient`."""
        state, now = self._state, self._clock.now()
        items: list[Item | Rejection] = []
        known: dict[int, Known] = {}
        lost: list[Gap] = []
        for id, result in results.items():
            since = state.late.get(id, now.timestamp())
            item, mark, fault = None, None, result if isinstance(result, SourceUnavailable) else None
            absent = isinstance(result, Fetched) and result.body.strip() == b"null"
            if isinstance(result, Fetched) and not absent:
                try:
                    item, mark = yield from self._chosen(id, result.body)
                except SourceUnavailable as error:  # its thread cannot be climbed
                    fault = error
            if (fault or absent) and (patient or now.timestamp() - since < _LATE_SECS):
                state.late[id] = since
                continue
            state.late.pop(id, None)
            if fault:
                lost.append(Gap(datetime.fromtimestamp(since, UTC), now, f"item {id} could not be read: {fault}"))
            if item is not None:
                items.append(item)
            if mark is not None:
                known[id] = mark
        return items, known, lost

    def _chosen(self, id: int, payload: bytes) -> Generator[Page, None, tuple[Item | Rejection | None, Known | None]]:
        """The item as what is passed on where it concerns us, with what is to be remembered of it."""
        try:
            thing = read(payload)
        except BadItem as error:
            # Only where a term stands in it is it ours to reject.
            heard = self._terms.hears(payload.decode(errors="replace"))
            return (Rejection(payload[:_KEEP_BYTES], f"item {id}", str(error)) if heard else None), None
        if thing is None or thing.gone:
            return None, None
        self._threads.note(id, thing)
        if not (self._threads.to_us(thing) or self._threads.by_us(thing) or self._terms.hears(thing.words)):
            return None, None
        try:
            if thing.type == "comment":
                thing.root = yield from self._root(thing)
            return to_mention(thing, self._name, self._clock.now()), Known(thing.wording, thing.root or 0)
        except BadItem as error:
            return _rejected(thing, error), None

    def _root(self, thing: Thing) -> Generator[Page, None, int | None]:
        """The story a comment belongs to, up its parents; None where it cannot be found."""
        at = thing.root or thing.parent or 0
        for _ in range(_DEEP):
            if not at:
                return None
            parent = self._threads.parent(at)
            if parent is None:
                result = (yield from self._api.items([at]))[at]
                if isinstance(result, SourceUnavailable):
                    raise result
                try:
                    above = read(result.body)
                except BadItem:
                    above = None
                if above is None:
                    return None
                self._threads.note(at, above)
                parent = above.parent or 0
            if not parent:
                return at
            at = parent
        return None

    # ---------------------------------------------------------------------------------------------------- what changed

    def _changes(self) -> Generator[Page, None, None]:
        """Rewordings and removals among the mentions passed on last."""
        changed = yield from self._api.changed()
        wanted = [id for id in changed if id in self._state.known]
        if not wanted:
            return
        items: list[Item | Rejection] = []
        known: dict[int, Known] = {}
        for key, result in (yield from self._api.items(wanted)).items():
            before = self._state.known[key]
            if isinstance(result, SourceUnavailable):
                continue  # it is looked at again when it is named again, and by the Rechecker
            try:
                thing = read(result.body)
                if thing is None:
                    continue
                wording = GONE if thing.gone else thing.wording
                if wording == before.wording:
                    continue
                if thing.gone:
                    items.append(removal(key, before.root, self._name, self._clock.now()))
                else:
                    thing.root = before.root or None
                    items.append(to_mention(thing, self._name, self._clock.now(), edited=True))
                known[key] = Known(wording, before.root)
            except BadItem as error:
                items.append(Rejection(result.body[:_KEEP_BYTES], f"item {key}", str(error)))
        yield self._page(items, (), known)

    # --------------------------------------------------------------------------------------------------------- search

    def _search(self, since: datetime, until: int) -> Generator[Page, None, None]:
        """What the search finds since then up to the item `until`, term by term, its newest 1,000 of each."""
        for term, _ in self._phrases:
            number, more = 0, True
            while more:
                found, more = yield from self._api.searched(term, since, number)
                items, known = self._found(found, until)
                yield self._page(items, (), known, save=False)
                number += 1

    def _found(self, found: Sequence[Thing], until: int) -> tuple[list[Item | Rejection], dict[int, Known]]:
        items: list[Item | Rejection] = []
        known: dict[int, Known] = {}
        for thing in reversed(found):
            if thing.id > until or thing.id in self._state.known or not self._terms.hears(thing.words):
                continue
            try:
                items.append(to_mention(thing, self._name, self._clock.now()))
                known[thing.id] = Known(thing.wording, thing.root or 0)
            except BadItem as error:
                items.append(_rejected(thing, error))
        return items, known

    def _page(
        self,
        items: Sequence[Item | Rejection],
        gaps: Sequence[Gap] = (),
        known: Mapping[int, Known] | None = None,
        save: bool = True,
    ) -> Page:
        """A page, and the cursor behind it, in which `known` is remembered."""
        self._state.remember(known or {})
        return Page(items, self._state.cursor() if save else None, gaps, usage=self._api.pace.usage)

    def _away(self, newest: int, now: datetime) -> list[Gap]:
        asked = self._state.heard
        if newest - self._state.last > DEEPEST:
            reason = f"more than {DEEPEST:,} items were not read"
            note = "searched for since: 1,000 results a term, by the words as hn.algolia.com takes them"
            return [Gap(asked, now, reason, repaired=True, note=note)]
        if (now - asked).total_seconds() > max(_AWAY_SECS, 3 * self._config.poll_secs):
            return [Gap(asked, now, "Hacker News was not read", repaired=True, note="read item by item since")]
        return []


class Rechecker:
    """Asks for items one by one, some at once: what was deleted or made dead, and what was reworded."""

    source = "hackernews"
    batch: ClassVar[int] = 10
    per_hour = math.inf
    """No limit is documented."""

    def __init__(self, config: Config, context: Context) -> None:
        self._clock = context.clock
        self._api = _api(config, context.clock)

    def recheck(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        """Removals, and the mentions that say something else by now."""
        ours = [one for one in mentions if one.source == self.source]
        asked = {int(one.native_id): one for one in ours if one.native_id.isascii() and one.native_id.isdigit()}
        items: list[Item] = []
        with self._api as api:
            for id, result in api.waited_for(list(asked)).items():
                if isinstance(result, SourceUnavailable):
                    raise result
                items += self._became(asked[id], result.body)
        return items

    def _became(self, mention: Mention, body: bytes) -> list[Item]:
        now = self._clock.now()
        try:
            thing = read(body)
            if thing is None or thing.gone:
                root = int(mention.conversation.partition(":")[2] or 0)
                return [removal(int(mention.native_id), root, "", now)]
            text = to_mention(thing, mention.via, now).text
        except BadItem:
            return []  # it is there; what it says cannot be told
        return [] if text == mention.text else [replace(mention, text=text, title=thing.title, edited_at=now)]


def _outage(results: Mapping[int, Result]) -> SourceUnavailable | None:
    """Why most fail, where they do: then it is not these items, it is Hacker News, and none of them is given up."""
    faults = [result for result in results.values() if isinstance(result, SourceUnavailable)]
    return faults[0] if len(faults) > len(results) // 2 else None


def _rejected(thing: Thing, error: BadItem) -> Rejection:
    return Rejection(msgspec.json.encode(thing)[:_KEEP_BYTES], f"item {thing.id}", str(error))


def _api(config: Config, clock: Clock) -> Api:
    return Api(
        config.api_base,
        config.search_base,
        parallel=config.parallel,
        a_minute=config.requests_a_minute,
        timeout_secs=config.timeout_secs,
        clock=clock,
    )
