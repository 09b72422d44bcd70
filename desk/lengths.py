"""How long a reply is as each platform counts it, and whether it fits.

A network without a rule here is counted in characters (Unicode code points) without a limit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import regex

_LINK = 23
"""Characters a link counts for on X (twitter-text configuration v3, `transformedURLLength`) and on Mastodon
(`configuration.statuses.characters_reserved_per_url` of an instance), however long it is."""

_X_LIMIT = 280
"""twitter-text configuration v3, `maxWeightedTweetLength`. Paying accounts may post more: hand in their limit."""

_X_DOTS = 8
_X_WORD = 1000
"""A word of X with more full stops or characters is counted as written, without looking for a link: the parser's time
grows with their square, and no link in a reply has as many. It can then only be counted too long, never too short."""

_BLUESKY_GRAPHEMES = 300
_BLUESKY_BYTES = 3000
"""`maxGraphemes` and `maxLength` (bytes of UTF-8) of `text` in the lexicon app.bsky.feed.post."""

_MASTODON_LIMIT = 500
"""The default `configuration.statuses.max_characters`; an instance may set another: hand it in."""

_REDDIT_LIMIT = 10_000
"""Characters of Markdown in a Reddit comment."""

_YOUTUBE_LIMIT = 10_000
"""Characters of a YouTube comment: where its own form ends. The API documents no number, only that it refuses a longer
one (`commentTextTooLong` of comments.insert)."""

_DISCOURSE_LIMIT = 32_000
"""Discourse's site setting `max_post_length`; a forum may set another: hand it in."""

_THREADS_LIMIT = 500
"""Characters of a post on Threads, an emoji as many as it has bytes of UTF-8 (Threads API, Overview, Limitations)."""

_FACEBOOK_LIMIT = 8_000
_INSTAGRAM_LIMIT = 2_200
"""Characters of a comment: where Facebook's and Instagram's own forms end. The Graph API documents no number."""

_APPSTORE_LIMIT = 5_970
"""Characters of a response to a review: where App Store Connect's own form ends. The API documents no number."""

_GOOGLEPLAY_LIMIT = 350
"""Characters of `replyText` (Google Play Developer API, Reply to Reviews)."""

_X_MESSAGE_LIMIT = 10_000
_MESSENGER_LIMIT = 2_000
_INSTAGRAM_MESSAGE_BYTES = 1_000
"""Of a private message: X's own form ends there; Messenger Platform, Send API, and Instagram Messaging say so of
`message.text`."""

_EMOJI = regex.compile(r"[\p{Extended_Pictographic}\p{Regional_Indicator}\N{COMBINING ENCLOSING KEYCAP}]")
_GRAPHEME = regex.compile(r"\X")
_MASTODON_URL = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_MASTODON_REMOTE = re.compile(r"(?<![=/\w@])(@\w+(?:[.-]\w+)*)@\w+(?:[.-]\w+)*", re.ASCII)
_SPACES = re.compile(r"(\s+)")


class Length(NamedTuple):
    """How much of one limit a text uses. `limit` is None where none is known."""

    used: int
    limit: int | None
    unit: str

    @property
    def over(self) -> int:
        """How many units too many; 0 where it fits."""
        return 0 if self.limit is None else max(0, self.used - self.limit)


def measure(
    text: str, network: str, *, limits: Mapping[str, int] | None = None, private: bool = False
) -> tuple[Length, ...]:
    """The text's length against every limit the network (`x`, `bluesky`, `mastodon`, `reddit`, `youtube`, `discourse`,
    `facebook`, `instagram`, `threads`, `appstore`, `googleplay`, others) sets.

    `limits` replaces a network's main limit, for a paying account or a server with its own setting. `private` is a
    message to one person: on Mastodon and Discourse that is a post like any other; elsewhere it has limits of its own,
    and those of public posts do not count.
    """
    if private and network not in _POSTS_IN_PRIVATE:
        return _MESSAGES.get(network, _unlimited)(text)
    count = _COUNTS.get(network)
    own = (limits or {}).get(network)
    if count is None:
        return (_unlimited(text)[0]._replace(limit=own),)
    measured = count(text)
    return (measured[0]._replace(limit=own), *measured[1:]) if own is not None else measured


def fits(text: str, network: str, *, limits: Mapping[str, int] | None = None, private: bool = False) -> int:
    """How many characters of the text, from its start and in whole graphemes, fit the network: all of them where
    nothing is over a limit. Halves its way there, so that it measures a text of 10,000 only some 13 times."""

    def over(end: int) -> bool:
        return any(length.over for length in measure(text[:end], network, limits=limits, private=private))

    if not over(len(text)):
        return len(text)
    ends = [0, *(found.end() for found in _GRAPHEME.finditer(text))]
    low, high = 0, len(ends) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if over(ends[middle]) else (middle, high)
    return ends[low]


def graphemes(text: str) -> int:
    """The characters as people see them: extended grapheme clusters (Unicode Standard Annex 29)."""
    return sum(1 for _ in _GRAPHEME.finditer(text))


def _x(text: str) -> tuple[Length, ...]:
    """Weighted characters (twitter-text configuration v3): 1 for code points 0-4351, 8192-8205, 8208-8223 and
    8242-8247, 2 for others; a link 23; an emoji 2, however many code points it is made of."""
    return (Length(sum(map(_x_weight, _SPACES.split(text))), _X_LIMIT, "weighted characters"),)


def _x_weight(word: str) -> int:
    from twitter_text import parse_tweet  # takes 0.3 s to import: only where X is answered

    if word.count(".") > _X_DOTS or ("." in word and len(word) > _X_WORD):
        return sum(_x_weight(part) for part in word.split(".")) + word.count(".")
    weight: int = parse_tweet(word).weightedLength
    return weight


def _bluesky(text: str) -> tuple[Length, ...]:
    return (
        Length(graphemes(text), _BLUESKY_GRAPHEMES, "characters"),
        Length(len(text.encode("utf-8", "surrogatepass")), _BLUESKY_BYTES, "bytes"),
    )


def _mastodon(text: str) -> tuple[Length, ...]:
    """Graphemes, a link as 23, and of `@user@server` only `@user` (docs.joinmastodon.org, Posting toots)."""
    counted = _MASTODON_REMOTE.sub(r"\1", _MASTODON_URL.sub("x" * _LINK, text))
    return (Length(graphemes(counted), _MASTODON_LIMIT, "characters"),)


def _reddit(text: str) -> tuple[Length, ...]:
    return (Length(len(text), _REDDIT_LIMIT, "characters"),)


def _youtube(text: str) -> tuple[Length, ...]:
    return (Length(len(text), _YOUTUBE_LIMIT, "characters"),)


def _discourse(text: str) -> tuple[Length, ...]:
    return (Length(len(text), _DISCOURSE_LIMIT, "characters"),)


def _threads(text: str) -> tuple[Length, ...]:
    signs = _GRAPHEME.findall(text)
    used = sum(len(sign.encode("utf-8", "surrogatepass") if _EMOJI.search(sign) else sign) for sign in signs)
    return (Length(used, _THREADS_LIMIT, "characters"),)


def _facebook(text: str) -> tuple[Length, ...]:
    return (Length(len(text), _FACEBOOK_LIMIT, "characters"),)


def _instagram(text: str) -> tuple[Length, ...]:
    return (Length(len(text), _INSTAGRAM_LIMIT, "characters"),)


def _appstore(text: str) -> tuple[Length, ...]:
    return (Length(len(text), _APPSTORE_LIMIT, "characters"),)


def _googleplay(text: str) -> tuple[Length, ...]:
    return (Length(len(text), _GOOGLEPLAY_LIMIT, "characters"),)


def _unlimited(text: str) -> tuple[Length, ...]:
    return (Length(len(text), None, "characters"),)


def _x_message(text: str) -> tuple[Length, ...]:
    return (Length(len(text), _X_MESSAGE_LIMIT, "characters"),)


def _messenger(text: str) -> tuple[Length, ...]:
    return (Length(len(text), _MESSENGER_LIMIT, "characters"),)


def _instagram_message(text: str) -> tuple[Length, ...]:
    return (Length(len(text.encode("utf-8", "surrogatepass")), _INSTAGRAM_MESSAGE_BYTES, "bytes"),)


_COUNTS: Mapping[str, Callable[[str], tuple[Length, ...]]] = {
    "x": _x,
    "bluesky": _bluesky,
    "mastodon": _mastodon,
    "reddit": _reddit,
    "youtube": _youtube,
    "discourse": _discourse,
    "facebook": _facebook,
    "instagram": _instagram,
    "threads": _threads,
    "appstore": _appstore,
    "googleplay": _googleplay,
}

_MESSAGES: Mapping[str, Callable[[str], tuple[Length, ...]]] = {
    "x": _x_message,
    "facebook": _messenger,
    "instagram": _instagram_message,
}

_POSTS_IN_PRIVATE = frozenset({"mastodon", "discourse"})
"""Where what is said in private is a post that fewer may see."""
