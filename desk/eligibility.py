"""May this account answer this mention here? If not: why not, and where a person can answer by hand.

The rules are the platforms' own, as far as a mention and an account tell; a connector that can ask the platform
(`pipeline.ports.Replier.eligible`) has the last word. Pure: nothing is asked of anybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pipeline.mention import Kind, Mention

_HANDLE = re.compile(r"(?<!\w)@(\w{1,15})(?!\w)", re.ASCII)
"""An X handle: up to 15 letters, digits and underscores."""


@dataclass(frozen=True)
class Account:
    """One of the brand's accounts and what its platform lets it do.

    `tier` is the contract with the platform (only X has two). `may_post` is False where the platform has not given
    the right to write: a read-only token, a Reddit app that is not approved (needed since November 2025).
    `replies_left` is what remains of its quota where it is known: Threads takes 1,000 replies in 24 hours; a YouTube
    comment costs 50 of 10,000 units a day.
    """

    network: str
    id: str
    handle: str = ""
    tier: Literal["self_serve", "enterprise"] = "self_serve"
    may_post: bool = True
    replies_left: int | None = None


@dataclass(frozen=True)
class Powers:
    """What can be done through a source besides answering in public: its actions (like, hide, message), how many
    pictures an answer may carry, and which of the actions the platform allows but once to a mention."""

    actions: frozenset[str] = frozenset()
    pictures: int = 0
    once: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Eligible:
    """The account may answer here."""

    account: Account


@dataclass(frozen=True)
class Ineligible:
    """It may not: the reason in a sentence for a person, and the address where the mention can be answered by hand
    and marked as answered natively (empty where none is known)."""

    reason: str
    deep_link: str


Eligibility = Eligible | Ineligible


def decide(
    mention: Mention,
    account: Account | None,
    *,
    quotes_ours: bool = False,
    removed: bool = False,
    private: bool = False,
) -> Eligibility:
    """Whether `account` (None where the brand has none on this network) may answer `mention`.

    `quotes_ours` says that the mention quotes a post of this account, which only who knows our posts can tell;
    `removed` that its author or the platform took it back; `private` that the answer is for its author alone, for
    which a network's rules on public answers do not hold.
    """
    link = "" if removed else deep_link(mention)
    reason = _why_not(mention, account, quotes_ours, removed, private)
    if account is None or reason:
        return Ineligible(reason, link)
    return Eligible(account)


def through(
    mention: Mention,
    vias: Mapping[str, Account | None],
    *,
    quotes_ours: bool = False,
    removed: bool = False,
    private: bool = False,
) -> Eligibility:
    """`decide` for the account of the configured source that collected the mention; `vias` are the sources that may
    answer. Where only the connector knows the account (None), what depends on the account is left to it."""
    account = vias.get(mention.via)
    if account is None and mention.via in vias:
        account = Account(mention.source, "", tier="enterprise")
    return decide(mention, account, quotes_ours=quotes_ours, removed=removed, private=private)


def deep_link(mention: Mention) -> str:
    """Where a person can see and answer the mention: its own address, or the one its id makes; only `http` and
    `https`, since the address comes from outside. Empty where there is none."""
    return mention.url if safe(mention.url) else address(mention.source, mention.native_id)


def address(source: str, id: str) -> str:
    """Where a post is, where its native id tells; else empty."""
    return _LINKS.get(source, "").format(id=id) if id.isascii() and id.isdecimal() else ""


def safe(url: str) -> bool:
    """Whether an address from outside may be linked to, or asked: `http` or `https`, with a host, nothing hidden."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable() and " " not in url


def _why_not(mention: Mention, account: Account | None, quotes_ours: bool, removed: bool, private: bool) -> str:
    """The reason, empty where there is none: first what holds everywhere, then the network's own rule."""
    network = mention.source
    shown = _NAMES.get(network, network)
    if removed:
        return "It was deleted, so there is nothing left to answer."
    if mention.own:
        return "It is our own post."
    if network not in _RULES and account is None:
        return f"harken has no way to write on {shown}."
    if account is None:
        return f"The brand has no account on {shown} to answer from."
    if account.network != network:
        return f"The account is one of {_NAMES.get(account.network, account.network)}, the mention is from {shown}."
    if mention.author.id == account.id:
        return "It is our own post."
    if not account.may_post:
        return f"{shown} has not given this account the right to post through harken."
    if account.replies_left is not None and account.replies_left <= 0:
        return f"This account has used up the answers {shown} allows for now."
    if private:
        return ""
    if mention.kind is Kind.REPOST:
        return "It repeats someone else's post; answer the original."
    return _RULES.get(network, _anywhere)(mention, account, quotes_ours)


def _x(mention: Mention, account: Account, quotes_ours: bool) -> str:
    """Since February 2026 a self-serve reply is accepted only where the author mentioned or quoted the replying
    account; enterprise contracts are exempt (X API v2, POST /2/tweets)."""
    if account.tier == "enterprise" or (mention.kind is Kind.QUOTE and quotes_ours):
        return ""
    handle = account.handle.lstrip("@").lower()
    tagged = mention.reply_ref.get("mentions")
    named = tagged.lower().split() if tagged is not None else _HANDLE.findall(mention.text.lower())
    if handle and handle in named:
        return ""
    shown = f"@{account.handle.lstrip('@')}" if handle else "this account"
    return f"X lets {shown} answer only posts that mention or quote it, and this one does neither."


def _bluesky(mention: Mention, account: Account, quotes_ours: bool) -> str:
    """A reply names the uri and cid of its root and of its parent (lexicon app.bsky.feed.post)."""
    del account, quotes_ours
    missing = [name for name in ("uri", "cid", "root_uri", "root_cid") if not mention.reply_ref.get(name)]
    return f"What Bluesky needs to attach a reply is not known: {', '.join(missing)}." if missing else ""


def _anywhere(mention: Mention, account: Account, quotes_ours: bool) -> str:
    """The platform sets no further condition that a mention or an account would show."""
    del mention, account, quotes_ours
    return ""


_RULES: Mapping[str, Callable[[Mention, Account, bool], str]] = {
    "x": _x,
    "bluesky": _bluesky,
    "mastodon": _anywhere,
    "reddit": _anywhere,
    "youtube": _anywhere,
    "discourse": _anywhere,
    "threads": _anywhere,
    "facebook": _anywhere,
    "instagram": _anywhere,
}
"""The networks whose interface takes an answer; RSS and Atom feeds and Hacker News have none that writes. What comes
through a webhook is of a network of its own name, and is answered where an account says so."""

_NAMES = {
    "x": "X",
    "appstore": "the App Store",
    "googleplay": "Google Play",
    "bluesky": "Bluesky",
    "mastodon": "Mastodon",
    "reddit": "Reddit",
    "youtube": "YouTube",
    "discourse": "Discourse",
    "threads": "Threads",
    "facebook": "Facebook",
    "instagram": "Instagram",
    "hackernews": "Hacker News",
    "rss": "feeds",
}

_LINKS: Mapping[str, str] = {
    "x": "https://x.com/i/status/{id}",
    "hackernews": "https://news.ycombinator.com/item?id={id}",
}
"""Where a mention's own id makes its address."""
