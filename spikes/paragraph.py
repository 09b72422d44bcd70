"""An incident in one paragraph of plain English: what a marketer would forward.

Handles and links are left out of it, and of what is quoted; whoever forwards it names no one. Numbers from a hundred on
are rounded to two digits and said to be about so many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from spikes._posts import Post
from spikes.detection import Kind
from spikes.growth import Growth, Span
from spikes.incident_records import Incident, State
from spikes.story import Rival, Story

QUOTED = 2
"""Posts quoted."""

TERMS = 4
"""Terms named."""

NETWORKS = {
    "x": "X",
    "bluesky": "Bluesky",
    "mastodon": "Mastodon",
    "reddit": "Reddit",
    "rss": "the web",
    "reviews": "a review site",
    "mail": "e-mail",
}
"""How sources are called; others as they are configured."""


def paragraph(
    incident: Incident,
    story: Story | None,
    growth: Growth | None,
    now: datetime,
    *,
    name: str | None = None,
    zone: tzinfo = UTC,
) -> str:
    """The incident as it stands at `now` (event time). `name` is how the brand is written; times are of `zone`."""
    brand = name or incident.brand[:1].upper() + incident.brand[1:]
    clock = _Clock(now, zone)
    if incident.kind is Kind.SILENCE:
        return " ".join(_silence(incident, brand, clock))
    sentences = [_opening(incident, brand, story, clock)]
    if story is not None:
        sentences += [*_about(story), *_words(story.posts_shown), *_course(growth), *_who(incident, story)]
        sentences += [*_rival(story.rival, brand), *_friends(story, incident)]
    return " ".join([*sentences, *_next(incident, growth, story, clock)])


class _Clock:
    """Says times."""

    def __init__(self, now: datetime, zone: tzinfo) -> None:
        self.now = now
        self._zone = zone

    def at(self, moment: datetime) -> str:
        """`08:40 UTC`, with the day where it is not today."""
        local, today = moment.astimezone(self._zone), self.now.astimezone(self._zone)
        day = "" if local.date() == today.date() else f" on {local.day} {local:%B}"
        return f"{local:%H:%M} {local:%Z}{day}"

    def ago(self, moment: datetime) -> str:
        """`25 minutes ago`; nothing where that is hours and more than a day."""
        return f" ({_length(self.now - moment)} ago)" if self.now - moment < timedelta(days=1) else ""


def _opening(incident: Incident, brand: str, story: Story | None, clock: _Clock) -> str:
    extent, peak = incident.extent, incident.extent.peak
    since = f"since about {clock.at(extent.onset)}{clock.ago(extent.onset)}"
    heads = story.authors if story else max(1, peak.negative_authors or peak.authors)
    posts = count(story.posts if story else peak.mentions)
    people = "one person" if heads == 1 else f"{count(heads)} people"
    have = "has" if heads == 1 else "have"
    what = {
        Kind.SINGLE_AUTHOR: (
            f"One account is behind most of what is said against {brand}: {posts} posts by {people} {since}"
        ),
        Kind.REPOST_STORM: f"A post against {brand} is being passed on: {posts} posts by {people} {since}",
        Kind.BOT_FLOOD: (
            f"{brand} is being flooded with criticism, much of it from new accounts that hardly anybody follows: "
            f"{posts} posts by {count(heads)} accounts {since}"
        ),
        Kind.PRAISE: f"{brand} is being praised more than usual: {people} {have} spoken well of it {since}",
    }
    topic = f" over {incident.topic}" if incident.topic else ""
    more = f"{brand} is being criticised{topic} more than usual: {people} {have} complained {since}"
    return f"{_capital(what.get(incident.kind, more))}{_normal(incident, story)}."


def _normal(incident: Incident, story: Story | None) -> str:
    peak = incident.extent.peak
    heads = peak.authors if incident.kind is Kind.PRAISE else (peak.negative_authors or peak.authors)
    if story is not None:
        heads = min(heads, story.authors)
    if heads < 2:
        return ""
    usual = f"about {count(peak.expected, about=False)} would be" if peak.expected >= 1.5 else "one at most is"
    return (
        f", at the height {count(heads)} of them within {_length(timedelta(minutes=peak.minutes))}, where {usual} usual"
    )


def _about(story: Story) -> list[str]:
    places = set(" ".join(story.places).lower().split())
    named = [f"\u201c{term.text}\u201d" for term in story.terms if not set(term.text.split()) <= places][:TERMS]
    where = f"the place named is {_listed(story.places[:2])}" if story.places else ""
    if named:
        return [f"The talk is of {_listed(named)}{'; ' * bool(where)}{where}."]
    return [_capital(where) + "."] if where else []


def _who(incident: Incident, story: Story) -> list[str]:
    crowd, loudest, said = story.crowd, story.loudest, []
    traits = []
    if crowd.loudest >= 0.3 and crowd.authors > 1:
        traits.append(f"one account wrote {_share(crowd.loudest)} of the posts")
    if crowd.copies >= 0.2:
        traits.append(f"{_share(crowd.copies)} of the posts repeat another's words")
    if crowd.suspicious >= 0.15:
        traits.append(f"{_share(crowd.suspicious)} of the accounts are new and hardly followed")
    elif crowd.new is not None and crowd.new >= 0.15:
        traits.append(f"{_share(crowd.new)} of the accounts are less than a month old")
    if traits:
        said.append(_capital(_listed(traits)) + ".")
    elif crowd.authors >= 15 and incident.kind is Kind.FIRESTORM:
        said.append("Many different people say so; nothing points to a campaign.")
    if loudest and loudest.reach >= 1000:
        begun = " and began it" if story.first and story.first.mention == loudest.mention else ""
        said.append(f"The most widely seen post is on {_network(loudest)}{begun}: up to {_upto(loudest.reach)} people.")
    return said


def _course(growth: Growth | None) -> list[str]:
    if growth is None or growth.course == "unknown":
        return []
    ahead = _expected(growth.next_hour)
    if growth.course == "growing" and growth.doubling:
        pace = _length(timedelta(minutes=growth.doubling.middle))
        sure = "" if growth.doubling.high < 4 * growth.doubling.middle else ", as far as so few posts can tell"
        return [f"It doubles about every {pace}{sure}{ahead}."]
    if growth.course == "fading" and growth.halving:
        return [f"It is fading, by half about every {_length(timedelta(minutes=growth.halving.middle))}{ahead}."]
    if growth.course == "over":
        return ["It is all but over."]
    return [f"It is no longer growing, but not fading either{ahead}."]


def _expected(ahead: Span | None) -> str:
    if ahead is None or ahead.high > 40 * max(1.0, ahead.low):
        return "; it is too early to say how it goes on"
    if ahead.high < 5:
        return "; little more is to be expected"
    low, high, middle = (count(it, about=False) for it in (ahead.low, ahead.high, ahead.middle))
    if ahead.middle < 5:
        return f"; expect {high} more posts in the next hour at the most"
    return f"; expect some {middle} more posts in the next hour ({low} to {high})"


def _words(posts: Sequence[Post]) -> list[str]:
    quoted = [
        f"\u201c{it.quote}\u201d" + (f" (in nearly these words by {count(it.alike)} people)" if it.alike > 2 else "")
        for it in posts[:QUOTED]
    ]
    return ["They say: " + ", ".join(quoted) + "."] if quoted else []


def _rival(rival: Rival | None, brand: str) -> list[str]:
    if rival is None:
        return []
    other = rival.brand[:1].upper() + rival.brand[1:]
    if rival.theirs:
        return [f"More of these posts name {other} than {brand}: it may be their storm, not ours."]
    return [f"{count(rival.posts)} of the posts name {other} as well."]


def _friends(story: Story, incident: Incident) -> list[str]:
    now = sum(1 for it in story.advocates if it.mention)
    if not now or incident.kind is Kind.PRAISE:
        return []
    return [f"{_number(now)} {'people speak' if now > 1 else 'person speaks'} up for us meanwhile."]


def _next(incident: Incident, growth: Growth | None, story: Story | None, clock: _Clock) -> list[str]:
    work, kind = incident.work, incident.kind
    if work.state is State.CLOSED:
        return []
    over = growth is not None and growth.course in ("fading", "over")
    if work.statement_at:
        out = f"Our statement has been out since {clock.at(work.statement_at)}"
        return [f"{out}: answer who still asks, with the same words."]
    if kind is Kind.PRAISE:
        return ["Next: thank the people who began it, and pass it on to those who earned it."]
    if story and story.rival and story.rival.theirs:
        return ["Next: find out whether we are meant at all before anybody answers."]
    if kind is Kind.SINGLE_AUTHOR:
        return ["Next: let one person answer this customer directly; do not make it bigger with a public statement."]
    if kind is Kind.BOT_FLOOD:
        return [
            "Next: look at some of the accounts, report the campaign to the network, and answer real customers only."
        ]
    if over or work.state is State.CALMING:
        return ["Next: answer who is still waiting, and decide whether a public word is still needed."]
    who = "" if work.acknowledged_by else "name one person to take it on, "
    if kind is Kind.REPOST_STORM:
        return [f"Next: {who}check what the post claims, and answer under the original, once."]
    return [f"Next: {who}say publicly that we know and what we do about it, and hold back planned posts."]


def _silence(incident: Incident, brand: str, clock: _Clock) -> list[str]:
    extent, peak = incident.extent, incident.extent.peak
    where = [seen.partition("=")[2] for seen in extent.seen if seen.startswith("source=")]
    place = f" on {_listed([NETWORKS.get(it, it) for it in where])}" if where else ""
    said = "nothing at all" if not peak.mentions else f"only {count(peak.mentions)} post{'s' * (peak.mentions > 1)}"
    within = _length(timedelta(minutes=peak.minutes))
    usual = f", where about {count(peak.expected, about=False)} would be usual" if peak.expected >= 1 else ""
    return [
        f"It has gone quiet about {brand}{place} since about {clock.at(extent.onset)}{clock.ago(extent.onset)}: "
        f"{said} within {within}{usual}.",
        "Next: check that the source still delivers before reading anything into it.",
    ]


# ----------------------------------------------------------------------------- numbers


def count(number: float, *, about: bool = True) -> str:
    """12, about 210, about 12,000: never more exact than what is known."""
    whole = round(number)
    if whole < 100:
        return str(whole)
    step = 10 ** (int(math.log10(whole)) - 1)
    rounded = f"{round(whole / step) * step:,}"
    return f"about {rounded}" if about else rounded


def _upto(number: int) -> str:
    return count(number, about=False)


def _share(part: float) -> str:
    for bound, words in ((0.9, "nearly all"), (0.7, "three quarters"), (0.58, "two thirds"), (0.42, "half")):
        if part >= bound:
            return words if bound >= 0.9 else f"about {words}"
    if part >= 0.29:
        return "a third"
    return "a quarter" if part >= 0.22 else "a fifth" if part >= 0.18 else "one in six"


def _length(span: timedelta) -> str:
    minutes = max(1, round(span.total_seconds() / 60))
    if minutes < 60:
        minutes = minutes if minutes < 10 else 5 * round(minutes / 5)
        return f"{minutes} minute{'s' * (minutes > 1)}" if minutes < 60 else "an hour"
    hours = round(minutes / 60)
    if hours == 1:
        return "an hour"
    return f"{hours} hours" if hours < 48 else f"{round(hours / 24)} days"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _number(number: int) -> str:
    return ("No", "One", "Two", "Three", "Four")[number] if number < 5 else "At least five"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _network(post: Post) -> str:
    return NETWORKS.get(post.source, post.source)
