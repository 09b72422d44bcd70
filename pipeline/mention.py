"""The shapes that flow: frozen, typed, without input or output.

Times are aware and in UTC. Ids are `source:native_id`, so that one post collected twice is one mention.
The four shapes that travel on a topic (`Mention`, `Removal`, `Enriched`, `Routed`) carry their name and schema
version in the field `schema` (`mention/1`); `codec.py` reads and upgrades them.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

Moment = Annotated[datetime, Meta(tz=True)]
"""A time that knows its zone: one that does not is refused where it is decoded."""


class Kind(StrEnum):
    """What sort of utterance a mention is."""

    POST = "post"
    REPLY = "reply"
    QUOTE = "quote"
    REPOST = "repost"
    COMMENT = "comment"
    REVIEW = "review"
    MESSAGE = "message"


class Priority(StrEnum):
    """How soon a person should look, most pressing first; `rank` sorts (0 is the most pressing)."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for urgent to 3 for low."""
        return _RANKS[self]


_RANKS = {priority: rank for rank, priority in enumerate(Priority)}


class _Shape(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Immutable, keyword-only; fields at their default are left out on the wire."""


class Author(_Shape, frozen=True):
    """Who said it, as the platform describes them at the time; `id` is unique within the source."""

    id: str
    handle: str = ""
    name: str = ""
    followers: int | None = None
    verified: bool = False
    created_at: Moment | None = None
    url: str = ""


class Metrics(_Shape, frozen=True):
    """Public counts when the mention was collected; None where the platform does not tell."""

    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    views: int | None = None


class Media(_Shape, frozen=True):
    """An attached picture, video or sound, by address, with its description where given."""

    url: str
    alt: str = ""


class Mention(_Shape, frozen=True, tag_field="schema", tag="mention/1"):
    """One public utterance, from any source, in one shape.

    `id` is `source:native_id`; `conversation` is the id of the thread's first mention (its own id where there is no
    thread) and the key of the record on every topic. `parent` is the id of what it replies to, quotes or reposts.
    `lang` is the source's word on the language (BCP 47), never a guess. `brand` is set only where the source belongs
    to one brand (its own inbox, a review page). `own` marks what one of the brand's own accounts posted. `rating` is
    a review's stars scaled to 0..1. `via` is the configured source that collected it. `reply_ref` holds what the
    platform needs to answer in place (for example the uri and cid of root and parent on Bluesky). `suspicions` are the
    signs, in words, by which the source itself takes it for a machine's (a form whose traps were tripped).
    """

    id: str
    source: str
    text: str
    author: Author
    created_at: Moment
    kind: Kind = Kind.POST
    conversation: str = ""
    parent: str | None = None
    collected_at: Moment | None = None
    edited_at: Moment | None = None
    via: str = ""
    lang: str | None = None
    title: str = ""
    url: str = ""
    rating: float | None = None
    metrics: Metrics = Metrics()
    media: tuple[Media, ...] = ()
    brand: str | None = None
    own: bool = False
    reply_ref: dict[str, str] = {}
    suspicions: tuple[str, ...] = ()

    @property
    def native_id(self) -> str:
        """The platform's own id: what follows the first colon of `id`."""
        return self.id.partition(":")[2]

    @property
    def thread(self) -> str:
        """The conversation, or the mention's own id where it starts one."""
        return self.conversation or self.id

    @property
    def revision(self) -> datetime:
        """When this wording was written; of two versions of one mention the later revision wins."""
        return self.edited_at or self.created_at


class Removal(_Shape, frozen=True, tag_field="schema", tag="removal/1"):
    """Its author or the platform took something back: it must vanish downstream, everywhere.

    Exactly one of `mention` (a mention id) and `author` (`source:author_id`) names what goes. An author's removal
    takes back everything of theirs noticed before `noticed_at`.
    """

    source: str
    reason: Literal["deleted", "account_gone", "account_hidden", "compliance", "erased"]
    noticed_at: Moment
    mention: str | None = None
    author: str | None = None
    conversation: str = ""
    via: str = ""

    @property
    def target(self) -> str:
        """`mention:ID` or `author:ID`: the tombstone's key."""
        return f"mention:{self.mention}" if self.mention else f"author:{self.author}"

    @property
    def thread(self) -> str:
        """The conversation where it is known, else the target."""
        return self.conversation or self.mention or f"author:{self.author}"


class BrandMatch(_Shape, frozen=True):
    """A brand found in a text: the term as written there and its span in characters, end exclusive."""

    brand: str
    term: str
    start: int
    end: int


class Language(_Shape, frozen=True):
    """ISO 639-1 code or `und`; `by` says who decided: the source, the detector, or nobody (text too short)."""

    code: str
    confidence: float
    by: Literal["source", "detector", "none"]


class Sentiment(_Shape, frozen=True):
    """How the author feels about the brand. `score` in -1..1 is the chance of positive less that of negative where a
    model judged, VADER's compound where it did (`by`), mixed with a review's stars. `words` are the words that carried
    it: with their part in log-odds (above 0: for positive) of a model, with their valence (-4..4) of VADER."""

    label: Literal["positive", "neutral", "negative"]
    score: float
    words: tuple[tuple[str, float], ...] = ()
    by: Literal["model", "vader"] = "vader"


class Intent(_Shape, frozen=True):
    """One thing the author wants (complaint, praise, lead, question) with its probability, the words for it and, in
    the same order, how much each carried in log-odds."""

    name: str
    score: float
    words: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()


class Signal(_Shape, frozen=True):
    """A score in 0..1 with the reasons or words that gave it (spam, urgency, sarcasm), and which kinds of it were found
    (of urgency: safety, legal, outage…; of spam: giveaway, bot…)."""

    score: float
    words: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


class Target(_Shape, frozen=True):
    """Whom or what the negative feeling of a text is about, with a score in 0..1; `name` is the competitor's."""

    of: Literal["brand", "competitor", "other"]
    score: float
    name: str = ""
    words: tuple[str, ...] = ()


class Cluster(_Shape, frozen=True):
    """A group of near-duplicate texts: a stable id, and whether this mention is the first seen here."""

    id: str
    first: bool


class Tags(_Shape, frozen=True):
    """What enrichment found. A field is None or empty where no stage provided it.

    `brand` is the one the mention is about; `brands` every match. `topic_words` has, for each of
    `topics`, the words that made it one. `reach` estimates how many people could have seen it. `stages` maps each stage
    that ran to its version, so that any label can be traced. `shadow` says where a model that only runs beside the one
    in force would have decided otherwise: `complaint: no 0.31 -> yes 0.72`.
    """

    brand: str | None = None
    brands: tuple[BrandMatch, ...] = ()
    language: Language | None = None
    sentiment: Sentiment | None = None
    intents: tuple[Intent, ...] = ()
    topics: tuple[str, ...] = ()
    topic_words: dict[str, tuple[str, ...]] = {}
    spam: Signal | None = None
    repost: bool = False
    cluster: Cluster | None = None
    reach: int = 0
    urgency: Signal | None = None
    sarcasm: Signal | None = None
    target: Target | None = None
    shadow: tuple[str, ...] = ()
    stages: dict[str, str] = {}

    def intent(self, name: str) -> float:
        """The score of the intent `name`, 0.0 where it was not found."""
        return next((intent.score for intent in self.intents if intent.name == name), 0.0)


class Decision(_Shape, frozen=True):
    """Where routing sent a mention and why.

    Either `queue` is set (it waits for a person, due at the two times where the rule gives them) or `filtered` holds
    the reason why nobody needs to see it. `rule` and `rules_version` name the rule; `evidence` lists, as
    `field=value`, what its conditions saw.
    """

    rule: str
    rules_version: str
    decided_at: Moment
    queue: str | None = None
    filtered: str | None = None
    priority: Priority = Priority.NORMAL
    first_response_due: Moment | None = None
    resolution_due: Moment | None = None
    evidence: tuple[str, ...] = ()


class Enriched(_Shape, frozen=True, tag_field="schema", tag="enriched/1"):
    """A mention with its tags."""

    mention: Mention
    tags: Tags


class Routed(_Shape, frozen=True, tag_field="schema", tag="routed/1"):
    """A mention with its tags and where it goes."""

    mention: Mention
    tags: Tags
    decision: Decision


Item = Mention | Removal
"""What a connector yields and `mentions.raw` carries."""

Travelling = Mention | Removal | Enriched | Routed
"""Everything that may stand on a topic."""
