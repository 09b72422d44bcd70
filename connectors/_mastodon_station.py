"""One server listened to: what it is, its streams, the pages that fill a gap, threads looked up, and searches.

Everything found is put into words of its own (`Found`) and handed over in order; nothing here is remembered beyond the
process, nothing decides when to try again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

import msgspec
import structlog
from pydantic import SecretStr

from connectors._mastodon_api import Allowance, Api, Instance, Refused
from connectors._mastodon_found import Deleted, Failed, Filled, Found, Heard, Opened, Post, Unreadable
from connectors._mastodon_pages import back, entries, later
from connectors._mastodon_posts import Notification, Posted, Status, full, read
from connectors._mastodon_streams import Event, Host, Unsupported, Wire, listen
from connectors._mastodon_timelines import OWN, SEARCH, USER, Timeline, hashtag, listed, live, notifications, own
from pipeline.errors import BadItem, SourceRefused, SourceUnavailable
from pipeline.ports import Backoff, Clock

_log = structlog.get_logger(__name__)

PAGE = 40
_TRIES = 5
_THREADS = 20_000
_EDITED = frozenset({"status.update", "status_update"})
_SPEAKING = frozenset({"mention", "quote", "update"})
"""Notifications with a post of somebody else's: who mentions us, who quotes us, what we took part in and was edited."""


@dataclass(frozen=True)
class Plan:
    """What is wanted of a server."""

    url: str
    token: SecretStr
    tags: Sequence[str]
    lists: Sequence[str]
    feed: str
    wires: Sequence[Wire]
    timeout_secs: float
    silence_secs: float
    max_bytes: int
    lookback_secs: float
    fill_pages: int
    reposts: bool
    backoff: Backoff
    hears: Callable[[str], bool]


class Station:
    """One server; `listen` and `search` are run by the crew."""

    def __init__(self, plan: Plan, clock: Clock, put: Callable[[Found], Awaitable[None]]) -> None:
        self._plan = plan
        self._clock = clock
        self._put = put
        self.allowance = Allowance(self._api_host(), clock)
        self._wire = 0
        self._domain = ""
        self._me = ""
        self._searchable = True
        self._searching = False
        self._threads: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def _api_host(self) -> str:
        return self._plan.url.partition("://")[2]

    def _api(self) -> Api:
        plan = self._plan
        return Api(plan.url, plan.token, plan.timeout_secs, self.allowance, self._clock)

    # ------------------------------------------------------------------------------------------------- listening

    async def listen(self, positions: Mapping[str, str | None]) -> None:
        """Stream, and fill each timeline from its position (None: from now, with its newest page). Ends with Failed."""
        try:
            async with self._api() as api:
                instance = await api.instance()
                self._domain = instance.domain
                timelines = await self._timelines(api, instance)
                await self._stream(api, instance, timelines, positions)
        except BaseException as error:
            problem = _first(error)
            if problem is None:
                raise
            await self._put(Failed(self._plan.url, problem))

    async def _timelines(self, api: Api, instance: Instance) -> list[Timeline]:
        plan = self._plan
        found = [notifications()]
        try:
            me = await api.get("/api/v1/accounts/verify_credentials")
        except Refused as error:
            if error.status != 403:
                raise
            _log.warning("the token may not read its account: its own posts are missing", server=api.host)
        else:
            self._me = full(str(me.get("acct", "")), instance.domain).lower() if isinstance(me, dict) else ""
            found.append(own(str(me["id"]))) if isinstance(me, dict) and me.get("id") else None
        found += map(hashtag, plan.tags)
        found += map(listed, plan.lists)
        if plan.feed != "none":
            if instance.no_local and (plan.feed == "local" or instance.no_remote):
                _log.warning("this server has its live feed switched off", server=api.host)
            else:
                found.append(live(plan.feed))
        return found

    async def _stream(
        self, api: Api, instance: Instance, timelines: Sequence[Timeline], positions: Mapping[str, str | None]
    ) -> None:
        plan = self._plan
        host = Host(
            instance.streaming or plan.url,
            api.host,
            plan.token,
            plan.timeout_secs,
            plan.silence_secs,
            plan.max_bytes,
            self._clock,
        )

        async def take(event: Event | None) -> None:
            await self._take(api, event)

        while True:
            wire = plan.wires[self._wire]
            async with asyncio.TaskGroup() as group:

                async def opened(group: asyncio.TaskGroup = group, wire: Wire = wire) -> None:
                    _log.info("listening to Mastodon", server=api.host, wire=wire, timelines=len(timelines))
                    await self._put(Opened(plan.url, [timeline.key for timeline in timelines]))
                    group.create_task(self._fill_all(api, timelines, positions))

                try:
                    await listen(wire, host, timelines, take, opened)
                except* Unsupported as errors:
                    if self._wire + 1 == len(plan.wires):
                        raise SourceRefused(str(_leaves(errors)[0])) from None
                    self._wire += 1

    async def _take(self, api: Api, event: Event | None) -> None:
        server = self._plan.url
        if event is None:
            await self._put(Heard(server))
            return
        try:
            if event.unreadable:
                raise BadItem("not an event of Mastodon's streaming API")
            await self._sort(api, event)
        except BadItem as error:
            payload = event.unreadable or event.payload
            if event.name in ("update", *_EDITED):
                payload = self._kept(payload)
            await self._put(Unreadable(server, payload, f"stream {event.key} of {api.host}", str(error)))

    async def _sort(self, api: Api, event: Event) -> None:
        server = self._plan.url
        if event.name == "delete":
            await self._put(Deleted(server, event.payload.decode(errors="replace").strip('"')))
        elif event.name == "notification":
            await self._notified(api, _notification(event.payload), live=True)
        elif event.name == "update":
            status = read(event.payload)
            mine = full(status.account.acct, self._domain).lower() == self._me
            key = OWN if mine and event.key == USER else event.key
            await self._post(api, status, event.payload, key, status.id, live=True)
        elif event.name in _EDITED:
            await self._post(api, read(event.payload), event.payload, event.key, "", live=True)
        else:
            await self._put(Heard(server))

    async def _notified(self, api: Api, notification: Notification, *, live: bool) -> None:
        raw = bytes(notification.status)
        if notification.type not in _SPEAKING or raw == b"null":
            await self._put(Heard(self._plan.url))
            return
        id = notification.id if notification.type == "mention" else ""
        await self._post(api, read(raw), raw, USER, id, live=live, addressed=True)

    async def _post(
        self, api: Api, status: Status, raw: bytes, key: str, id: str, *, live: bool, addressed: bool = False
    ) -> None:
        if key == USER and not addressed:  # the home feed, whose posts have no place among the notifications
            id = ""
        if not self._chosen(status, key, addressed):
            if live:  # what is left out has been heard, too
                await self._put(Heard(self._plan.url, key, id))
            return
        parent, root = await self._thread(api, status)
        posted = Posted(self._plan.url, self._domain, msgspec.Raw(raw), parent, root)
        await self._put(Post(self._plan.url, posted, status, key, id, live))

    def _chosen(self, status: Status, key: str, addressed: bool) -> bool:
        if status.reblog and not self._plan.reposts:
            return False
        if addressed or key.startswith(("hashtag:", "list:", SEARCH)) or status.id in self._threads:
            return True
        mine = full(status.account.acct, self._domain).lower() == self._me
        return mine or self._plan.hears((status.reblog or status).words)

    def _kept(self, raw: bytes) -> bytes:
        """What `parse` can read again."""
        return msgspec.json.encode(Posted(self._plan.url, self._domain, msgspec.Raw(raw)))

    # --------------------------------------------------------------------------------------------------- threads

    async def _thread(self, api: Api, status: Status) -> tuple[str, str]:
        """The uris of what it answers and of what began the thread; empty where they cannot be told."""
        parent = root = ""
        if status.in_reply_to_id:
            known = self._threads.get(status.in_reply_to_id)
            parent, root = known or await self._ancestors(api, status)
        self._threads[status.id] = (status.uri, root or status.uri)
        while len(self._threads) > _THREADS:
            self._threads.popitem(last=False)
        return parent, root

    async def _ancestors(self, api: Api, status: Status) -> tuple[str, str]:
        if self.allowance.scarce:
            return "", ""
        # A thread that is too large, or hidden from us, or a server in trouble: the post itself is worth more.
        with suppress(SourceUnavailable, SourceRefused, msgspec.ValidationError):
            context = await api.get(f"/api/v1/statuses/{status.id}/context")
            above = msgspec.convert(context, _Context).ancestors
            for one in above:
                self._threads[one.id] = (one.uri, above[0].uri)
            if above:
                return above[-1].uri if above[-1].id == status.in_reply_to_id else "", above[0].uri
        return "", ""

    # ----------------------------------------------------------------------------------------------------- pages

    async def _fill_all(self, api: Api, timelines: Sequence[Timeline], positions: Mapping[str, str | None]) -> None:
        for timeline in timelines:
            await self._fill(api, timeline, positions.get(timeline.key))

    async def _fill(self, api: Api, timeline: Timeline, since: str | None) -> None:
        server, key = self._plan.url, timeline.key
        if since is None:
            last, short = await self._fill_page(api, timeline, {})
            await self._put(Filled(server, key, last, done=True, short=short))
            return
        at = back(since, self._plan.lookback_secs)
        for _ in range(self._plan.fill_pages):
            last, short = await self._fill_page(api, timeline, {"min_id": at})
            if short or not last or later(last, at) == at:
                await self._put(Filled(server, key, last, done=True, short=short))
                return
            at = last
            await self._put(Filled(server, key, later(at, since)))
        short = f"there were more than {self._plan.fill_pages * PAGE:,} posts"
        await self._put(Filled(server, key, done=True, short=short))

    async def _fill_page(self, api: Api, timeline: Timeline, more: Mapping[str, str]) -> tuple[str, str]:
        """Hand over one page; returns the id of its last entry (empty: there was none) and why it cannot be had
        (empty: it was)."""
        for failures in count(1):
            try:
                page = entries(await api.get(timeline.path, {**timeline.query, "limit": PAGE, **more}), api.host)
                break
            except SourceRefused as error:
                return "", str(error)
            except SourceUnavailable as error:
                if error.trouble == "rate_limited":
                    continue  # the allowance waits as long as it was told to
                if failures >= _TRIES:
                    return "", str(error)
                await self._pause(error.retry_after or self._plan.backoff.delay(failures))
        for id, raw in page:
            await self._paged(api, timeline, id, raw)
        return page[-1][0] if page else "", ""

    async def _paged(self, api: Api, timeline: Timeline, id: str, raw: bytes) -> None:
        try:
            if timeline.key == USER:
                await self._notified(api, _notification(raw), live=False)
            else:
                await self._post(api, read(raw), raw, timeline.key, id, live=False)
        except BadItem as error:
            place = f"{timeline.key} of {api.host}, {id}"
            await self._put(Unreadable(self._plan.url, self._kept(raw), place, str(error)))

    async def _pause(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            await asyncio.sleep(min(left, 0.1))

    # -------------------------------------------------------------------------------------------------- searches

    async def search(self, phrases: Sequence[str], positions: Mapping[str, str | None]) -> None:
        """Look once for each phrase for what is newer than its position. A server without a search is not asked
        again, and one in trouble later."""
        if not self._searchable or not self._domain or self._searching:
            return
        self._searching = True
        try:
            async with self._api() as api:
                for phrase in phrases:
                    await self._search(api, phrase, positions.get(SEARCH + phrase) or "0")
        except SourceRefused as error:
            self._searchable = False
            _log.warning("this server does not let us search", server=self._api_host(), said=str(error))
        except SourceUnavailable as error:
            _log.info("searching was not possible", server=self._api_host(), said=str(error))
        finally:
            self._searching = False

    async def _search(self, api: Api, phrase: str, since: str) -> None:
        query = {"q": phrase, "type": "statuses", "limit": PAGE, "min_id": since}
        answer = await api.get("/api/v2/search", query)
        key = SEARCH + phrase
        for id, raw in entries(answer.get("statuses") if isinstance(answer, dict) else None, api.host):
            if later(id, since) == since:  # a server may not know `min_id` here
                continue
            try:
                await self._post(api, read(raw), raw, key, id, live=True)
            except BadItem as error:
                await self._put(Unreadable(self._plan.url, self._kept(raw), f"search on {api.host}", str(error)))


class _Above(msgspec.Struct):
    id: str
    uri: str


class _Context(msgspec.Struct):
    ancestors: list[_Above] = []


def _notification(raw: bytes) -> Notification:
    try:
        return msgspec.json.decode(raw, type=Notification)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadItem(f"not a notification: {error}") from error


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in _leaves(one)]
    return [error]


def _first(error: BaseException) -> SourceUnavailable | SourceRefused | None:
    """What is to be told of a failure; None where the work was called off."""
    leaves = _leaves(error)
    for leaf in leaves:
        if isinstance(leaf, SourceUnavailable | SourceRefused):
            return leaf
    if all(isinstance(leaf, Exception) for leaf in leaves):
        names = ", ".join(sorted({type(leaf).__name__ for leaf in leaves}))
        return SourceUnavailable(f"listening failed ({names})", trouble="http")
    return None
