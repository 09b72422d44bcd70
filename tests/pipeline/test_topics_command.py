"""`harken topics discover`, from outside: what people complain of that is no topic yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.test_commands import Shell, line

BY_CUES: dict[str, Any] = {
    "brand": {},
    "language": {},
    "sentiment": {"model": "none"},
    "intent": {"model": "none"},
    "topics": {},
    "repost": {},
}
"""Stages without a trained model: so that no model decides what is found here."""

ZORBLE = [
    "acme zorble turned purple, awful",
    "my acme zorble is purple and that is terrible",
    "a purple zorble again acme, horrible",
    "hate this acme, zorble purple on the first morning",
    "useless acme, purple zorble all over",
    "acme the zorble went purple, so disappointed",
]
OTHERS = ["acme is on the high street", "I like acme", "acme sells hats", "waiting at acme"] * 6
HOSTILE = "acme \x1b[31mzorble purple [bold]horrible[/bold] {{7*7}}"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path, enrich=BY_CUES)
    texts = [*ZORBLE, HOSTILE, *OTHERS, "acme lost my parcel, awful", "acme zorble purple, my refund is late, awful"]
    rows = [line(f"m{n}", text, author=f"person{n}") for n, text in enumerate(texts)]
    rows += [line(f"r{n}", f"RT @x: {text}", author=f"bot{n}") for n, text in enumerate(OTHERS)]
    shell.run("ingest", "--anchor", "now", shell.write("said.jsonl", "".join(rows)))
    return shell


def test_it_tells_candidates_with_their_words_people_ids_and_a_piece_of_configuration(shell: Shell) -> None:
    found = shell.json("topics", "discover", "--brand", "acme")
    assert (found["negative"], found["without_topic"]) == (9, 7)
    (candidate,) = found["candidates"]
    assert candidate["name"] in ("zorble", "purple", "purple zorble", "zorble purple")
    assert {"zorble", "purple"} <= {word for word, _ in candidate["words"]}
    assert (candidate["mentions"], candidate["people"]) == (7, 7)
    assert all(id.partition(":")[2].startswith("m") for id in candidate["examples"])
    shell.configure(enrich=BY_CUES | yaml.safe_load(found["yaml"])["enrich"])
    assert "sound" in shell.run("check")


def test_on_the_screen_an_outside_word_is_only_a_word(shell: Shell) -> None:
    shown = shell.run("topics", "discover")
    assert "9 negative mentions, 7 of them without a topic" in shown
    assert "zorble" in shown
    assert "\x1b[31m" not in shown


def test_where_too_few_say_it_nothing_is_told(shell: Shell) -> None:
    assert "nothing in them that 50 people or more" in shell.run("topics", "discover", "--fewest", "50")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--brand", "globex"), "--brand globex: is no brand (one of acme)"),
        (("--since", "soon"), "is not a span of time"),
    ],
)
def test_an_option_that_cannot_work_is_refused(shell: Shell, options: tuple[str, ...], told: str) -> None:
    assert told in " ".join(shell.run("topics", "discover", *options, status=2).split())
