"""Pictures for a reply, fetched from the addresses an agent gave: never from a private address unless allowed, bounded
in size and time, and taken for what their first bytes say they are, not for what the address or its server claims.

The kinds are those every platform here takes, known by their signatures: PNG (W3C PNG, 5.2), JPEG (ISO 10918-1, B.1.1),
GIF (GIF89a, 17) and WebP (RFC 9649, 2.3). Nothing is decoded: what is wrong within one is for the platform to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from connectors._http import Fetched, Fetcher, Limits, retry_after, shown
from pipeline.errors import ReplyRefused, SourceUnavailable
from pipeline.mention import Media
from pipeline.ports import Clock

_KINDS = (
    ("image/png", "png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", "jpg", re.compile(rb"\xff\xd8\xff")),
    ("image/gif", "gif", re.compile(rb"GIF8[79]a")),
    ("image/webp", "webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
)
_SPARE_SECS = 2.0
"""What is waited longer than a fetch may take, for its result to come over."""


@dataclass(frozen=True)
class Picture:
    """A picture ready to be sent: its bytes, its media type as its content says, a file name, and its description."""

    content: bytes
    type: str
    name: str
    alt: str = ""


@dataclass(frozen=True)
class Bounds:
    """What one reply may carry: `most` pictures of at most `size` bytes each, described in at most `alt` characters
    (None: no limit); `timeout_secs` for fetching all of one; `allow_private` whether its address may be, or lead,
    inside the private network."""

    most: int
    size: int
    alt: int | None = None
    timeout_secs: float = 10.0
    allow_private: bool = False


def few_enough(media: Sequence[Media], most: int) -> None:
    """Raise ReplyRefused where there are more pictures than a reply can carry here."""
    if len(media) <= most:
        return
    if not most:
        raise ReplyRefused("An answer can carry no picture here: take the pictures away.")
    raise ReplyRefused(f"An answer can carry {most} picture{'s' * (most > 1)} here, not {len(media)}: take some away.")


def fetched(media: Sequence[Media], bounds: Bounds, clock: Clock) -> tuple[Picture, ...]:
    """The pictures, in their order, fetched side by side.

    Raises ReplyRefused where there are too many, or one is not there, is too large, stands at an address that is not
    fetched, or is no picture; SourceUnavailable where one cannot be had now.
    """
    few_enough(media, bounds.most)
    for number, one in enumerate(media, start=1):
        if bounds.alt is not None and len(one.alt) > bounds.alt:
            raise ReplyRefused(
                f"The description of picture {number} has {len(one.alt):,} characters; {bounds.alt:,} are allowed."
            )
    if not media:
        return ()
    limits = Limits(bounds.timeout_secs, bounds.size, bounds.allow_private)
    found: dict[str, Fetched | SourceUnavailable] = {}
    with Fetcher(limits, lambda _, answer: answer, parallel=len(media)) as fetcher:
        for number, one in enumerate(media, start=1):
            fetcher.start(str(number), one.url, {"User-Agent": "harken", "Accept": "image/*"})
        while len(found) < len(media) and (result := fetcher.next(bounds.timeout_secs + _SPARE_SECS)):
            found[result[0]] = result[1]
    return tuple(
        _picture(number, one, found.get(str(number)) or SourceUnavailable("no answer"), clock)
        for number, one in enumerate(media, start=1)
    )


def _picture(number: int, media: Media, answer: Fetched | SourceUnavailable, clock: Clock) -> Picture:
    which = f"Picture {number} ({shown(media.url)[:200]})"
    if isinstance(answer, SourceUnavailable):
        if answer.trouble == "http":  # it was there and is not to be taken: too large, private, no http
            raise ReplyRefused(f"{which} cannot be sent: {answer}.") from answer
        raise SourceUnavailable(f"{which} cannot be fetched now: {answer}") from answer
    if answer.status == 429 or answer.status >= 500 or answer.status == 408:
        raise SourceUnavailable(
            f"{which} cannot be fetched now: its server answers {answer.status}",
            trouble="http",
            retry_after=retry_after(answer.headers.get("retry-after", ""), clock.now()),
        )
    if answer.status != 200:
        raise ReplyRefused(f"{which} is not there: its server answers {answer.status}.")
    for type, ending, signature in _KINDS:
        if signature.match(answer.body):
            return Picture(answer.body, type, f"picture-{number}.{ending}", media.alt)
    raise ReplyRefused(f"{which} is no picture: its content is neither PNG, JPEG, GIF nor WebP.")
