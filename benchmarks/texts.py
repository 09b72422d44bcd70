"""Posts to measure with: made from a seed, in the shape of real ones, so that anybody measures the same.

Real brand tweets have about 104 characters and 18 words, about one word in 15 of VADER's lexicon, a long tail of words
seen once, handles, hashtags, links, emoji and loud punctuation. These figures are copied, no text is.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, cycle, islice
from pathlib import Path

BRANDS = ("acme", "larkline", "globex")
"""The brands that the measured configuration listens for."""


def _split(words: str) -> list[str]:
    return words.split()


_COMMON = _split(
    "the to i a you and is in it for of my on me have this that with your be so not just at was but are we all can do "
    "if out from they get no up what when now how will one about why would there has an as been time day flight phone "
    "app today still need got back new or only go going more their our by who am know see people want make after work "
    "then did had order service hour ticket account never again over even does really them some any week him her too "
    "off card email call line store train bag customer help into before since than us two first last next morning "
    "tonight tomorrow team game music video update because could should other another every where which these those "
    "most very much many always yesterday minutes days weeks month year home car city house food room door screen "
    "battery price delivery parcel driver website page link code message number office people person thing way man"
)

_FEELING = _split(
    "good great love bad worst hate thanks thank awesome terrible sad happy best nice sorry hope please lol fun lost "
    "problem fail wrong amazing cool disappointed ridiculous cancelled delayed excited perfect horrible free win help "
    "better poor rude broken angry annoying beautiful crazy damn ugly useless wonderful worse easy like well pretty "
    "haha care fine sick stuck pain error trouble favourite super kind wow glad joy smile friendly helpful awful"
)

_PHRASES = (
    "does anyone know how to",
    "any recommendations for",
    "i want a refund",
    "still waiting for a reply",
    "thinking of switching to",
    "how do i get",
    "is it possible to",
    "thank you so much for",
    "worst service ever",
    "been on hold for 45 minutes",
    "where can i buy",
    "looking for a",
    "can't log in",
    "it's not working",
    "won't load",
    "great job by",
    "shout out to",
    "never flying with you again",
    "they charged me twice",
    "did not arrive",
    "what's going on with",
    "i don't understand why",
    "can you help me with",
    "check out the",
    "cannot wait for",
)

_EMOJI = ["😂", "😡", "😭", "❤️", "👍", "🙏", "🔥", "😍", "🤔", "🎉", "💔", "🙄", "✈️", "📱", "😊"]
_SHOUTS = ("!", "!!", "!!!", "?", "??", "...", ".", ".", ".", ",", " :)", " :(", " ;)")
_ONSETS = _split("b br c ch cl d dr f fl g gr h j k l m n p pl pr r s sh sl st t th tr v w")
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "ou", "oo"]
_CODAS = _split("b ck d g l ll m n nd ng nt p r rd rn s ss st t th x")


def made(count: int, seed: int = 7) -> list[str]:
    """`count` posts; the same for the same seed."""
    return list(islice(_posts(seed), count))


def read(path: Path) -> list[str]:
    """The column `text` of a CSV file, without empty rows; ValueError where there is none such."""
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        rows = csv.DictReader(file)
        if "text" not in (rows.fieldnames or ()):
            raise ValueError(f"{path} has no column named text; its columns are {', '.join(rows.fieldnames or ())}")
        found = [row["text"] for row in rows if row["text"] and row["text"].strip()]
    if not found:
        raise ValueError(f"{path} has no text in its column text")
    return found


def some(count: int, texts: Sequence[str]) -> list[str]:
    """`count` of the texts, from the start again where they are too few."""
    return list(islice(cycle(texts), count))


def write_mentions(path: Path, texts: Sequence[str], per_second: float = 200.0) -> None:
    """A CSV file as `replay` reads it: id, text, author, created_at; a quarter answer an earlier one."""
    chance = random.Random(11)  # noqa: S311 - the same threads in every run
    start = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "author", "created_at", "parent"])
        for number, text in enumerate(texts):
            parent = str(number - chance.randint(1, 50)) if number > 50 and chance.random() < 0.25 else ""
            at = start + timedelta(seconds=number / per_second)
            writer.writerow([number, text, f"a{chance.randrange(5000)}", at.isoformat(), parent])


def _posts(seed: int) -> Iterator[str]:
    chance = random.Random(seed)  # noqa: S311 - the same posts in every run
    tail = [_word(chance) for _ in range(30_000)]
    # Zipf's law: the n-th commonest word is met 1/n as often as the commonest.
    common = list(accumulate(1 / (rank + 4) for rank in range(len(_COMMON))))
    rare = list(accumulate(1 / (rank + 60) for rank in range(len(tail))))
    while True:
        room = max(18.0, min(270.0, chance.gauss(92, 38)))
        words: list[str] = []
        if chance.random() < 0.6:
            words.append("@" + chance.choice((*BRANDS, _word(chance) + str(chance.randrange(100)))))
        elif chance.random() < 0.4:
            words.append(chance.choice(BRANDS))
        while sum(map(len, words)) + len(words) < room:
            words.append(_piece(chance, common, tail, rare))
        yield " ".join(words) + _ending(chance, tail)


def _piece(chance: random.Random, common: Sequence[float], tail: Sequence[str], rare: Sequence[float]) -> str:
    roll = chance.random()
    if roll < 0.03:
        return chance.choice(_PHRASES)
    if roll < 0.07:
        word = chance.choice(_FEELING)
    elif roll < 0.70:
        word = chance.choices(_COMMON, cum_weights=common)[0]
    elif roll < 0.72:
        word = str(chance.randrange(1, 2000))
    else:
        word = chance.choices(tail, cum_weights=rare)[0]
    roll = chance.random()
    if roll < 0.055:
        word = word.capitalize()
    elif roll < 0.07:
        word = word.upper()
    return word + chance.choice(_SHOUTS) if chance.random() < 0.09 else word


def _ending(chance: random.Random, tail: Sequence[str]) -> str:
    parts = [chance.choice(_SHOUTS)] if chance.random() < 0.6 else []
    if chance.random() < 0.2:
        parts += [f" #{chance.choice(tail)}" for _ in range(chance.randint(1, 2))]
    if chance.random() < 0.14:
        parts += [" " + chance.choice(_EMOJI) * chance.randint(1, 3)]
    if chance.random() < 0.07:
        parts.append(f" https://t.co/{chance.getrandbits(48):x}")
    return "".join(parts)


def _word(chance: random.Random) -> str:
    syllables = chance.choices((1, 2, 3), (3, 5, 3))[0]
    return "".join(chance.choice(_ONSETS) + chance.choice(_VOWELS) for _ in range(syllables)) + chance.choice(_CODAS)
