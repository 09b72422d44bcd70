import pytest

from pipeline.mention import Kind
from tests.enrich.helpers import tags


def spam(text: str) -> tuple[float, tuple[str, ...]]:
    found = tags(text).spam
    assert found is not None
    return found.score, found.words


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("RT to win! Follow and RT for a chance to win a free acme phone", "chance to win"),
        ("Crypto presale is live, 100x soon, dm me for signals", "presale"),
        ("follow back everyone, gain followers fast", "gain followers"),
        ("deal #a #b #c #d #e #f #g #h #i", "9 hashtags"),
        ("@a @b @c @d @e @f @g @h @i @j @k nice", "11 handles"),
        ("https://bit.ly/x https://bit.ly/y https://bit.ly/z", "nothing but links"),
    ],
)
def test_spam_is_marked_with_its_reason(text: str, reason: str) -> None:
    score, words = spam(text)
    assert score >= 0.5
    assert reason in words


@pytest.mark.parametrize(
    "text",
    [
        "@acme my order is late #fail",
        "love the new acme phone https://t.co/abc",
        "",
        "noooo",
        "I was born in 2020, 3 of 4",
    ],
)
def test_ordinary_talk_is_not_spam(text: str) -> None:
    assert spam(text)[0] < 0.5


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("RT + follow to win one of 5 keys, ends sunday", ("giveaway",)),
        ("follow back everyone, gain followers fast", ("follow",)),
        ("use code ACME20 for 20% off, link in bio #ad", ("follow", "advert")),
        ("onlyfans in bio", ("adult",)),
        ("Acme is hiring a night porter in Leeds. Apply now https://jobs.example/1", ("jobs",)),
        ("I just unlocked the Early Bird badge in Acme Run! https://run.example/b #acmerun", ("bot",)),
        ("BTC 61,240 | ETH 2,988 | price bot", ("bot",)),
        ("Humidity: 71% Wind: 3 mph #weather", ("bot",)),
    ],
)
def test_the_kinds_of_spam_are_told(text: str, kinds: tuple[str, ...]) -> None:
    found = tags(text).spam
    assert found is not None
    assert found.kinds == kinds
    assert found.score >= 0.5


@pytest.mark.parametrize(
    "text",
    [
        "lost my 212 day streak because your server was down",
        "I ran to the gate and the door closed at 14 minutes before",
        "anyone got a discount code for the railcard?",
        "when will I get the refund, the ticket was one month's salary",
        "looking for a cheap flight to anywhere warm",
        "I'm at the gate and nobody is here",
        "who is hiring these drivers",
        "a police escort to the airport",
        "acme made me give away my seat",
    ],
)
def test_words_of_spam_in_ordinary_talk_are_of_no_kind(text: str) -> None:
    found = tags(text).spam
    assert found is not None
    assert (found.kinds, found.score < 0.5) == ((), True)


def test_what_the_source_suspects_is_spam_enough_to_be_put_aside_with_its_words() -> None:
    found = tags("Lovely trains", suspicions=("a field that people do not see was filled in",)).spam
    assert found is not None
    assert found.score >= 0.8
    assert found.words == ("a field that people do not see was filled in",)


def test_small_signs_add_up_and_never_pass_one() -> None:
    once, _ = spam("shop now")
    more, _ = spam(
        "shop now https://bit.ly/x loooooooooooong giveaway crypto onlyfans follow back " + "#x " * 9 + "@y " * 9
    )
    assert 0.0 < once < more <= 1.0


@pytest.mark.parametrize(
    ("text", "kind", "repost"),
    [
        ("RT @acme: we are open", Kind.POST, True),
        ("  RT: @acme we are open", Kind.POST, True),
        ("anything", Kind.REPOST, True),
        ("anything", Kind.QUOTE, False),
        ("RT this if you agree", Kind.POST, False),
        ("ART @acme", Kind.POST, False),
        ("", Kind.POST, False),
    ],
)
def test_a_repost_is_marked(text: str, kind: Kind, repost: bool) -> None:
    assert tags(text, kind=kind).repost is repost
