"""What `harken explain` says of the tags of a mention: each in a line, with what carried it."""

from __future__ import annotations

from pipeline.commands.look import findings
from pipeline.mention import Intent, Sentiment, Signal, Tags, Target


def test_the_words_of_a_label_are_told_with_their_weights() -> None:
    tags = Tags(
        sentiment=Sentiment(label="negative", score=-0.61, words=(("lost", -1.24), ("but", -0.3)), by="model"),
        intents=(
            Intent(name="complaint", score=0.914, words=("lost", "nobody answers"), weights=(1.5, 0.72)),
            Intent(name="question", score=0.6, words=("where",)),
            Intent(name="lead", score=0.5),
        ),
    )
    told = dict(findings(tags))
    assert told["sentiment"] == "negative -0.61 (model): lost -1.2, but -0.3"
    assert told["complaint"] == "0.91: lost +1.5, nobody answers +0.7"
    assert told["question"] == "0.60: where", "a mention of before there were weights"
    assert told["lead"] == "0.50"


def test_whom_it_is_about_how_urgent_it_is_and_what_the_shadow_says_are_told() -> None:
    tags = Tags(
        urgency=Signal(score=0.8, words=("caught fire", "my lawyer"), kinds=("safety", "legal")),
        spam=Signal(score=0.6, kinds=("giveaway",)),
        sarcasm=Signal(score=0.7, words=("thanks a lot",)),
        target=Target(of="competitor", score=0.66, name="Globex", words=("Globex",)),
        shadow=("complaint: no 0.31 -> yes 0.72", "sentiment: neutral -0.02 -> negative -0.40"),
    )
    told = findings(tags)
    assert ("urgency", "0.80 (safety, legal): caught fire, my lawyer") in told
    assert ("spam", "0.60 (giveaway)") in told
    assert ("sarcasm", "0.70: thanks a lot") in told
    assert ("target", "competitor Globex 0.66: Globex") in told
    assert [text for name, text in told if name == "in shadow"] == list(tags.shadow)
