"""From one event to what is passed on: a mention, a removal, or nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, Literal, NamedTuple, TypeVar

from connectors._bluesky_jetstream import Event
from connectors._bluesky_memory import Authors
from connectors._bluesky_posts import POSTS, REPOSTS, author, identify, read_post, read_repost, to_mention, written
from connectors._bluesky_watch import Watch
from pipeline.errors import BadItem
from pipeline.mention import Item, Kind, Mention, Removal
from pipeline.ports import Clock

_GONE: dict[str, Literal["account_gone", "account_hidden"]] = {
    "deleted": "account_gone",
    "takendown": "account_gone",
    "suspended": "account_hidden",
    "deactivated": "account_hidden",
    "": "account_hidden",
}
"""Statuses of an inactive account (lexicon com.atproto.sync.subscribeRepos#account) that take its posts back.
`desynchronized` and `throttled` are troubles of a host and take nothing back."""

_RECENT = 20_000
_HANDLES = 20_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(OrderedDict[Key, Value], Generic[Key, Value]):
    """The last so many entries: the oldest leaves first."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def __setitem__(self, key: Key, value: Value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._limit:
            self.popitem(last=False)


class _Seen(NamedTuple):
    conversation: str
    text: str
    lang: str | None
    brand: str | None


class Intake:
    """Chooses and shapes; holds the handles that identity events told and the latest mentions, for their removals
    and reposts."""

    def __init__(self, name: str, watch: Watch, authors: Authors, clock: Clock) -> None:
        self._name = name
        self._watch = watch
        self._authors = authors
        self._clock = clock
        self._handles: Recent[str, str] = Recent(_HANDLES)
        self._mentions: Recent[str, _Seen] = Recent(_RECENT)

    def take(self, event: Event, choose: bool = True) -> Sequence[Item]:
        """The items of one event; with `choose` False all of them, whatever they concern. Raises BadItem for a record
        that concerns us (or may) and cannot be read."""
        if event.kind == "identity":
            if event.handle and event.handle != "handle.invalid":
                self._handles[event.did] = event.handle
            return ()
        if event.kind == "account":
            return self._account(event, choose)
        if event.collection not in (POSTS, REPOSTS) or event.kind != "commit":
            return ()
        if event.operation == "delete":
            return self._delete(event, choose)
        if event.operation not in ("create", "update"):
            return ()
        return self._repost(event, choose) if event.collection == REPOSTS else self._post(event, choose)

    def _account(self, event: Event, choose: bool) -> Sequence[Item]:
        reason = None if event.active else _GONE.get(event.status)
        if reason is None or (choose and not self._authors.author(event.did)):
            return ()
        gone = f"bluesky:{event.did}"
        return (Removal(source="bluesky", reason=reason, noticed_at=self._clock.now(), author=gone, via=self._name),)

    def _delete(self, event: Event, choose: bool) -> Sequence[Item]:
        if choose and not self._authors.record(event.did, event.rkey, event.time_us):
            return ()
        id = identify(event.uri)
        seen = self._mentions.get(id)
        removal = Removal(
            source="bluesky",
            reason="deleted",
            noticed_at=self._clock.now(),
            mention=id,
            conversation=seen.conversation if seen else "",
            via=self._name,
        )
        return (removal,)

    def _post(self, event: Event, choose: bool) -> Sequence[Item]:
        # An edit that no longer names the brand must still replace the wording we hold.
        held = event.operation == "update" and self._authors.record(event.did, event.rkey, event.time_us)
        try:
            post = read_post(event.record)
        except BadItem:
            # Anybody can write an unreadable record: it is ours to reject only where a term stands in it.
            if not choose or held or self._watch.hears(event.record.decode(errors="replace")):
                raise
            return ()
        own = event.did in self._watch.own
        dids = tuple(post.dids())
        to_us = own or any(did in self._watch.own for did in dids)
        if choose and not (to_us or held or self._watch.hears(" \n ".join(post.words()))):
            return ()
        mention = to_mention(
            event,
            post,
            handle=self._handles.get(event.did, ""),
            via=self._name,
            now=self._clock.now(),
            own=own,
            brand=self._watch.addressed((*dids, event.did)),
        )
        self._mentions[mention.id] = _Seen(mention.thread, mention.text, mention.lang, mention.brand)
        return (mention,)

    def _repost(self, event: Event, choose: bool) -> Sequence[Item]:
        try:
            subject, claimed = read_repost(event.record)
        except BadItem:
            if choose:
                return ()
            raise
        original = self._mentions.get(identify(subject.uri))
        brand = original.brand if original else self._watch.own.get(subject.did)
        if choose and original is None and brand is None:
            return ()
        mention = Mention(
            id=identify(event.uri),
            source="bluesky",
            text=original.text if original else "",
            author=author(event.did, self._handles.get(event.did, "")),
            created_at=written(claimed, event.time),
            kind=Kind.REPOST,
            conversation=original.conversation if original else identify(subject.uri),
            parent=identify(subject.uri),
            collected_at=self._clock.now(),
            via=self._name,
            lang=original.lang if original else None,
            url=f"https://bsky.app/profile/{subject.did}/post/{subject.uri.rpartition('/')[2]}",
            brand=brand,
            own=event.did in self._watch.own,
        )
        return (mention,)
