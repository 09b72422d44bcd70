"""Firestorms made from a seed, in shapes that were published; the formula of each stands with its function.

- Crane & Sornette 2008, Robust dynamic classes revealed by measuring the response function of a social system (PNAS
  105:15649): with θ = 0.4, activity falls as t^-(1+θ) after a shock from outside that does not spread, as t^-(1-θ)
  after one that does, and grows and falls as |t - t_c|^-(1-2θ) around a peak that grew from within.
- Kermack & McKendrick 1927, A contribution to the mathematical theory of epidemics: S' = -β S I, I' = β S I - g I.
- Hawkes 1971, Spectra of some self-exciting and mutually exciting point processes (Biometrika 58:83): λ(t) = μ(t) +
  Σ n β exp(-β (t - t_i)); made in its cluster form (Hawkes & Oakes 1974).
- Zhao et al. 2015, SEISMIC: a self-exciting point process model for predicting tweet popularity (KDD): the time until
  somebody passes a post on has the density c up to s_0 = 5 minutes and c (s / s_0)^-(1+θ) after, with θ = 0.242.
- Cao et al. 2014, Uncovering large groups of active malicious accounts in online social networks (CCS): such accounts
  act in loose synchrony, in the same short windows. No formula was taken; ours is a constant rate in pulses.

Who speaks, how angrily and in which words is not from these papers, but set here (`CASTS`), in the open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from benchmarks.spikes.phrases import ALL_WORDINGS, NUMBERS, STORIES
from benchmarks.spikes.said import FIRST_OF_STORM, Real, Rows, Whole, moment, people, rows, seconds

THETA = 0.4
"""Of the responses to a shock (Crane & Sornette 2008)."""
SHOCK_MINUTES = 10.0
"""Until when after a shock the power law has not begun: t is counted from so long before it."""
LAST_MINUTES = 1440.0
"""What would come later than a day after is left out."""

RETOLD_THETA = 0.242
RETOLD_MINUTES = 5.0
"""Of the time until a post is passed on (Zhao et al. 2015)."""

DOUBLING_MINUTES = 30.0
"""In which a slow build grows to twice what it was, at first."""


def slow_build(dice: np.random.Generator, size: int) -> Real:
    """New cases of an epidemic among `size` people of whom one speaks at first; β = 2.5 g."""
    growth = np.log(2) / DOUBLING_MINUTES
    beta, gamma = growth / 0.6, growth / 1.5
    sound, angry = 1 - 1 / size, 1 / size
    new = []
    while angry * size > 0.05:
        caught = beta * sound * angry
        new.append(caught)
        sound, angry = sound - caught, angry + caught - gamma * angry
    return np.append(0.0, _drawn(dice, np.array(new), size - 1))


def burst(dice: np.random.Generator, size: int) -> Real:
    """After a shock from outside that does not spread: t^-(1+θ)."""
    return _falling(dice, size, 1 + THETA)


def influencer(dice: np.random.Generator, size: int) -> Real:
    """After one account with half a million followers spoke, and it spreads: t^-(1-θ)."""
    return np.append(0.0, _falling(dice, size - 1, 1 - THETA))


def word_of_mouth(dice: np.random.Generator, size: int) -> Real:
    """Grown from within around a peak after four hours: |t - t_c|^-(1-2θ)."""
    minutes = np.arange(480) + 0.5
    return _drawn(dice, np.abs(minutes - 240) ** -(1 - 2 * THETA), size)


def hawkes(dice: np.random.Generator, size: int) -> Real:
    """Self-exciting with n = 0.8 and 1/β = 20 minutes; what comes from outside ebbs within two hours."""
    after = dice.exponential(120.0, max(1, round(size * 0.25)))
    return _cascade(dice, after, 0.8, lambda number: dice.exponential(20.0, number), size)


def repost_storm(dice: np.random.Generator, size: int) -> Real:
    """One post passed on: by n = 2/3 others for each who does; what comes after a day is left out."""
    first = np.append(0.0, _retold(dice, max(1, round(size * 0.65))))
    return _cascade(dice, first, 2 / 3, lambda number: _retold(dice, number), size)


def delayed_echo(dice: np.random.Generator, size: int) -> Real:
    """A third as a burst; the rest as another that begins a day after, when the press has it."""
    small = max(1, size // 3)
    return np.append(burst(dice, small), LAST_MINUTES + _falling(dice, size - small, 1 - THETA))


def bot_flood(dice: np.random.Generator, size: int) -> Real:
    """At a constant rate for forty minutes, on in every other minute."""
    minute = 2 * dice.integers(0, 20, size)
    return minute + dice.random(size)


def one_account(dice: np.random.Generator, size: int) -> Real:
    """One account that posts again and again for three hours."""
    return dice.uniform(0, 180, size)


def praise(dice: np.random.Generator, size: int) -> Real:
    """As a burst."""
    return burst(dice, size)


@dataclass(frozen=True)
class Cast:
    """Who speaks in it: shares of negative, positive, passed-on posts; `accounts` for each post; `kind` is what the
    watch should call it."""

    times: Callable[[np.random.Generator, int], Real]
    kind: str = "firestorm"
    negative: float = 0.75
    positive: float = 0.03
    reposts: float = 0.35
    accounts: float = 3.0


CASTS = {
    "slow build": Cast(slow_build),
    "burst": Cast(burst),
    "influencer": Cast(influencer, reposts=0.45),
    "word of mouth": Cast(word_of_mouth),
    "hawkes": Cast(hawkes),
    "delayed echo": Cast(delayed_echo),
    "repost storm": Cast(repost_storm, kind="repost_storm", negative=1.0, positive=0.0, reposts=0.97, accounts=20),
    "bot flood": Cast(bot_flood, kind="bot_flood", negative=1.0, positive=0.0, reposts=0.0, accounts=1.0),
    "one account": Cast(one_account, kind="single_author", negative=1.0, positive=0.0, reposts=0.0, accounts=0.0),
    "praise": Cast(praise, kind="praise", negative=0.02, positive=0.85, reposts=0.3),
}
"""Every shape by name."""


@dataclass(frozen=True)
class Storm:
    """One of them. `onset` is when the first of it was said; of a delayed echo, `echo` when the second wave began."""

    shape: str
    size: int
    kind: str
    onset: datetime
    said: Rows
    echo: datetime | None = None


def storm(shape: str, size: int, onset: datetime, seed: int = 0) -> Storm:
    """A storm of about `size` posts: the same for the same arguments."""
    cast = CASTS[shape]
    dice = np.random.default_rng([seed, size, NUMBERS_OF_SHAPES[shape]])
    minutes = np.sort(cast.times(dice, size))
    at = seconds(onset) + ((minutes - minutes[0]) * 60).astype(np.int64)
    number = len(at)
    drawn = dice.random(number)
    mood = np.where(drawn < cast.negative, -1, np.where(drawn < cast.negative + cast.positive, 1, 0))
    mood[0] = 1 if cast.kind == "praise" else -1
    repost = dice.random(number) < cast.reposts
    repost[0] = False
    account = FIRST_OF_STORM + seed * 10**7 + dice.integers(0, max(1, int(cast.accounts * number)), number)
    who = people(account, seed)
    words = dice.integers(0, ALL_WORDINGS, number)
    # What is passed on is one of few texts; what bots say is hardly more.
    words = np.where(repost | (cast.kind == "bot_flood"), words % 3, words)
    if cast.kind == "repost_storm":
        words = np.where(repost, words[0], words)
    if cast.kind == "bot_flood":
        who = {"followers": dice.integers(0, 8, number), "age": dice.integers(0, 12, number)}
    if shape == "influencer":
        who["followers"][0] = 500_000
    said = rows(
        at,
        author=account,
        mood=mood,
        repost=repost,
        source=dice.choice(2, number, p=(0.4, 0.6)),
        theme=NUMBERS["product" if cast.kind == "praise" else STORIES[seed % len(STORIES)]],
        words=words,
        **who,
    )
    echo = moment(int(at[max(1, size // 3)])) if shape == "delayed echo" else None
    return Storm(shape, size, cast.kind, onset, said, echo)


NUMBERS_OF_SHAPES = {shape: number for number, shape in enumerate(CASTS)}


def angry(said: Rows) -> Whole:
    """The second at which each account was negative for the first time, in order."""
    bad = said[said["mood"] < 0]
    _, first = np.unique(bad["author"], return_index=True)
    return np.sort(bad["at"][first])


def _drawn(dice: np.random.Generator, weights: Real, number: int) -> Real:
    """Minutes drawn by the weights of each."""
    minute = dice.choice(len(weights), number, p=weights / weights.sum())
    return minute + dice.random(number)


def _falling(dice: np.random.Generator, number: int, power: float) -> Real:
    """Minutes with a density of (t + c)^-power up to a day: the inverse of its distribution."""
    low, high = SHOCK_MINUTES ** (1 - power), (SHOCK_MINUTES + LAST_MINUTES) ** (1 - power)
    drawn: Real = (low + dice.random(number) * (high - low)) ** (1 / (1 - power)) - SHOCK_MINUTES
    return drawn


def _retold(dice: np.random.Generator, number: int) -> Real:
    """Minutes until a post is passed on: even up to s_0 for θ / (1 + θ) of them, and a power law after."""
    drawn = dice.random(number)
    late = RETOLD_MINUTES * (1 - drawn) ** (-1 / RETOLD_THETA)
    return np.where(dice.random(number) < RETOLD_THETA / (1 + RETOLD_THETA), RETOLD_MINUTES * drawn, late)


def _cascade(dice: np.random.Generator, first: Real, ratio: float, delays: Callable[[int], Real], size: int) -> Real:
    """The first, what each brings (a Poisson number of posts, `ratio` on average), what those bring …, within a day;
    the earliest `size` of them."""
    found, fresh = [first], first
    while len(fresh) and sum(map(len, found)) < 4 * size:
        parent = np.repeat(fresh, dice.poisson(ratio, len(fresh)))
        fresh = parent + delays(len(parent))
        fresh = fresh[fresh < LAST_MINUTES]
        found.append(fresh)
    together = np.sort(np.concatenate(found))
    return together[together < LAST_MINUTES][:size]
