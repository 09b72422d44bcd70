"""What is said of a brand on ordinary days, made from a seed: hours, weekdays, conversations, campaigns, news, sport.

Posts come as a Poisson process whose rate follows the hour of the day and the day of the week, times a
gamma-distributed factor for each hour and a slow walk from day to day; each post may be answered (a Poisson number of
answers after exponential delays, so that the whole is a Hawkes process in its cluster form: Hawkes & Oakes 1974, A
cluster process representation of a self-exciting process). So counts are over-dispersed and come in clumps, and so does
anger: an answer is as often as not in the mood of what it answers. The curves and factors are plausible ones, fitted to
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from benchmarks.spikes.phrases import ALL_WORDINGS, NUMBERS
from benchmarks.spikes.said import Real, Rows, Whole, merged, people, rows, seconds

DAY_SECS = 86_400

HOURS = np.array(
    [28, 18, 12, 9, 8, 12, 25, 48, 70, 84, 92, 98, 108, 106, 102, 102, 106, 116, 128, 142, 150, 138, 100, 58], float
)
"""How much is said in each hour of the day, before it is scaled to a mean of one."""
WEEKDAYS = np.array([1.02, 1.05, 1.06, 1.06, 1.04, 0.88, 0.89])

ANSWERS = 0.3
"""Answers to each post, on average."""
ANSWER_SECS = 2400.0
"""How long an answer takes, on average."""
SAME_MOOD = 0.5
"""So often an answer has the mood of what it answers, whatever the usual shares."""
HOLIDAY = 0.6
"""What is said on a holiday against another day: one day in thirty."""


@dataclass(frozen=True)
class Brand:
    """Mentions a day, the shares of negative and positive ones, and the seed of everything that is said."""

    name: str
    per_day: float
    negative: float = 0.15
    positive: float = 0.25
    seed: int = 0


@dataclass(frozen=True)
class Occasion:
    """Something that makes people talk, though not in anger: so much, in days' worth of mentions, with these shares of
    moods; as often a week. `peak_hours`: it swells and ebbs over so long; 0: at once, and decays as a power law."""

    theme: str
    a_week: float
    worth: float
    negative: float
    positive: float
    reposts: float
    peak_hours: float


OCCASIONS = (
    Occasion("campaign", 0.3, 0.6, 0.04, 0.55, 0.6, 10.0),
    Occasion("product", 0.4, 0.5, 0.12, 0.35, 0.3, 0.0),
    Occasion("match", 0.6, 0.5, 0.05, 0.5, 0.2, 2.5),
)


@dataclass(frozen=True)
class Held:
    """An occasion that was."""

    theme: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Traffic:
    """What was said, and the occasions in it."""

    brand: Brand
    said: Rows
    held: tuple[Held, ...]


def ordinary(brand: Brand, start: datetime, days: int) -> Traffic:
    """So many days from `start` (a midnight in UTC): the same for the same brand, start and days."""
    dice = np.random.default_rng([brand.seed, seconds(start), days])
    first = seconds(start)
    rate = _rates(dice, brand, start, days) * (1 - ANSWERS)
    posted = _spread(dice, dice.poisson(rate), first)
    moods = _moods(dice, len(posted), brand.negative, brand.positive)
    parts = [_rows(dice, brand, *_answered(dice, brand, posted, moods), "service", 0.15)]
    held: list[Held] = []
    for occasion in OCCASIONS:
        for _ in range(dice.poisson(occasion.a_week * days / 7)):
            said, until = _occasion(dice, brand, occasion, first + int(dice.integers(0, days)) * DAY_SECS)
            if len(said):
                parts.append(said)
                held.append(Held(occasion.theme, _time(start, said["at"][0]), _time(start, until)))
    all_said = merged(parts)
    return Traffic(brand, all_said[all_said["at"] < first + days * DAY_SECS], tuple(held))


def _rates(dice: np.random.Generator, brand: Brand, start: datetime, days: int) -> Real:
    """Mentions expected in each minute."""
    minutes = np.arange(days * 1440)
    day = minutes // 1440
    walk = np.zeros(days)
    for number in range(1, days):
        walk[number] = 0.8 * walk[number - 1] + dice.normal(0, 0.1)
    holiday = np.where(dice.random(days) < 1 / 30, HOLIDAY, 1.0)
    restless = dice.gamma(16, 1 / 16, days * 24)[minutes // 60]
    season = (HOURS / HOURS.mean())[minutes // 60 % 24] * WEEKDAYS[(start.weekday() + day) % 7]
    rate: Real = brand.per_day / 1440 * season * (np.exp(walk) * holiday)[day] * restless
    return rate


def _spread(dice: np.random.Generator, counts: Whole, first: int) -> Whole:
    """A second for each of the counts a minute."""
    minute = np.repeat(np.arange(len(counts)), counts)
    return first + minute * 60 + dice.integers(0, 60, len(minute))


def _moods(dice: np.random.Generator, number: int, negative: float, positive: float) -> Whole:
    drawn = dice.random(number)
    return np.where(drawn < negative, -1, np.where(drawn < negative + positive, 1, 0))


def _answered(dice: np.random.Generator, brand: Brand, posted: Whole, moods: Whole) -> tuple[Whole, Whole]:
    """The posts with their answers, and answers to those."""
    times, feelings = [posted], [moods]
    while len(posted):
        parent = np.repeat(np.arange(len(posted)), dice.poisson(ANSWERS, len(posted)))
        fresh = _moods(dice, len(parent), brand.negative, brand.positive)
        moods = np.where(dice.random(len(parent)) < SAME_MOOD, moods[parent], fresh)
        posted = posted[parent] + dice.exponential(ANSWER_SECS, len(parent)).astype(np.int64)
        times.append(posted)
        feelings.append(moods)
    return np.concatenate(times), np.concatenate(feelings)


def _occasion(dice: np.random.Generator, brand: Brand, it: Occasion, day: int) -> tuple[Rows, int]:
    """What it makes people say, and when it is over."""
    worth = it.worth * dice.lognormal(0, 0.5)
    number = int(dice.poisson(brand.per_day * worth))
    begins = day + int(dice.uniform(9, 20) * 3600)
    if it.peak_hours:
        # Beta-shaped: it swells from nothing and ebbs to nothing.
        after = dice.beta(2, 2, number) * it.peak_hours * 3600
        lasts = it.peak_hours * 3600
    else:
        # After something from outside attention falls with t to the power of -1.4 (Crane & Sornette 2008).
        after = 1800 * ((1 - dice.random(number) * (1 - 49**-0.4)) ** -2.5 - 1)
        lasts = 48 * 1800
    at = begins + after.astype(np.int64)
    moods = _moods(dice, number, it.negative, it.positive)
    return _rows(dice, brand, at, moods, it.theme, it.reposts), begins + int(lasts)


def _rows(dice: np.random.Generator, brand: Brand, at: Whole, moods: Whole, theme: str, reposts: float) -> Rows:
    number = len(at)
    # A few accounts say a lot: the pool holds twenty days' worth, and is drawn from unevenly.
    pool = max(50.0, 20 * brand.per_day)
    author = (pool * dice.random(number) ** 2).astype(np.int64)
    source = dice.choice(3, number, p=(0.45, 0.5, 0.05))
    words = dice.integers(0, ALL_WORDINGS, number)
    passed_on = dice.random(number) < reposts
    return rows(
        at,
        author=author,
        mood=moods,
        repost=passed_on,
        source=source,
        theme=NUMBERS[theme],
        words=np.where(passed_on, words % 7, words),
        **people(author, brand.seed),
    )


def _time(start: datetime, at: int) -> datetime:
    return start + timedelta(seconds=int(at) - seconds(start))
