"""What each platform counts, from its documents, and what holds for every text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twitter_text import ParsedResult, parse_tweet

from desk.lengths import Length, fits, graphemes, measure

NETWORKS = ("x", "bluesky", "mastodon", "reddit", "youtube", "discourse", "threads", "googleplay", "elsewhere")
FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
texts = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]), st.sampled_from([*"ab @.:/-#", "é", "の", "\N{CAT FACE}", "\n"])
    ),
    max_size=80,
)
words = st.text(st.sampled_from("abc123éの\N{CAT FACE}"), max_size=20)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("Thank you, Ana", 14),
        ("café", 4),
        ("cafe\N{COMBINING ACUTE ACCENT}", 4),
        ("日本", 4),
        ("…", 2),  # U+2026 lies outside the ranges of weight 1
        ("\u2013\u2018\u2019\u201c\u201d", 5),  # U+2013 to U+201D inside them
        ("\N{CAT FACE}", 2),
        (FAMILY, 2),
        ("\N{REGIONAL INDICATOR SYMBOL LETTER D}\N{REGIONAL INDICATOR SYMBOL LETTER E}", 2),
        ("https://help.acme.example/a/very/long/address?that=goes&on=and#on", 65),  # no such top-level domain
        ("https://help.acme.com/a/very/long/address?that=goes&on=and#on", 23),
        ("acme.com", 23),
        ("See https://acme.com/x and acme.com.", 4 + 23 + 5 + 23 + 1),
        ("help@acme.com", 13),
        ("one\r\ntwo", 7),
        ("wait" + "." * 40, 44),
    ],
)
def test_x_counts_weighted_characters(text: str, count: int) -> None:
    assert measure(text, "x") == (Length(count, 280, "weighted characters"),)


def test_x_is_full_at_280_and_over_at_281() -> None:
    assert [measure("a" * size, "x")[0].over for size in (279, 280, 281, 300)] == [0, 0, 1, 20]
    assert measure("の" * 140, "x")[0].over == 0
    assert measure("の" * 141, "x")[0].over == 2


@pytest.mark.parametrize(
    ("text", "seen", "size"),
    [("", 0, 0), ("hello", 5, 5), ("cafe\N{COMBINING ACUTE ACCENT}", 4, 6), (FAMILY, 1, 18), ("https://a.co", 12, 12)],
)
def test_bluesky_counts_what_people_see_and_the_bytes(text: str, seen: int, size: int) -> None:
    assert measure(text, "bluesky") == (Length(seen, 300, "characters"), Length(size, 3000, "bytes"))


def test_a_text_of_few_but_heavy_emoji_is_over_the_bytes_of_bluesky() -> None:
    seen, size = measure(FAMILY * 200, "bluesky")
    assert (seen.over, size.over) == (0, 600)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("hello", 5),
        ("https://acme.example/" + "a" * 100, 23),
        ("see https://a.co now", 4 + 23 + 4),
        ("acme.com", 8),  # a link needs its scheme here
        ("@ana", 4),
        ("@ana@mastodon.example hello", 10),
        ("@ana@mastodon.example @bo@b.example", 8),
        ("ana@mastodon.example", 20),
        (FAMILY, 1),
    ],
)
def test_mastodon_counts_links_as_23_and_leaves_out_servers(text: str, count: int) -> None:
    assert measure(text, "mastodon") == (Length(count, 500, "characters"),)


def test_reddit_youtube_discourse_and_unknown_networks_count_characters() -> None:
    assert measure("の" * 10_001, "reddit")[0].over == 1
    assert measure("の" * 10_001, "youtube")[0].over == 1
    assert measure("の" * 32_001, "discourse")[0].over == 1
    assert measure("の" * 10_001, "elsewhere") == (Length(10_001, None, "characters"),)
    assert measure("の" * 10_001, "elsewhere")[0].over == 0


@pytest.mark.parametrize(
    ("network", "limit"), [("facebook", 8_000), ("instagram", 2_200), ("appstore", 5_970), ("googleplay", 350)]
)
def test_metas_networks_and_the_stores_count_characters(network: str, limit: int) -> None:
    assert measure("の" * limit, network) == (Length(limit, limit, "characters"),)
    assert measure("の" * (limit + 1), network)[0].over == 1


@pytest.mark.parametrize(
    ("text", "count"), [("の" * 500, 500), ("\N{CAT FACE}", 4), (FAMILY, 18), ("1\ufe0f\u20e3", 7), ("café", 4)]
)
def test_threads_counts_an_emoji_as_its_bytes(text: str, count: int) -> None:
    assert measure(text, "threads") == (Length(count, 500, "characters"),)


def test_an_instance_or_a_paying_account_brings_its_own_limit() -> None:
    assert measure("a" * 501, "mastodon", limits={"mastodon": 5000}) == (Length(501, 5000, "characters"),)
    assert measure("a" * 301, "bluesky", limits={"bluesky": 301})[1].limit == 3000
    assert measure("a" * 9, "forum", limits={"forum": 8})[0].over == 1


def test_what_fits_ends_before_the_family_and_not_inside_it() -> None:
    text = "a" * 299 + FAMILY + "b"
    assert fits(text, "bluesky") == 299 + len(FAMILY)
    assert fits("a" * 300 + FAMILY, "bluesky") == 300
    assert fits("short", "x") == 5


def test_a_word_no_link_could_be_is_counted_without_looking_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def parse(word: str) -> ParsedResult:
        seen.append(word)
        return parse_tweet(word)

    monkeypatch.setattr("twitter_text.parse_tweet", parse)
    assert measure("a." * 5000, "x")[0].used == 10_000
    assert set(seen) <= {"a", ""}
    assert measure("a-" * 5000 + ".com", "x")[0].used == 10_004


@pytest.mark.parametrize(
    ("network", "limit", "unit"),
    [
        ("x", 10_000, "characters"),
        ("facebook", 2_000, "characters"),
        ("instagram", 1_000, "bytes"),
        ("mastodon", 500, "characters"),
        ("discourse", 32_000, "characters"),
        ("elsewhere", None, "characters"),
    ],
)
def test_a_private_message_has_limits_of_its_own(network: str, limit: int | None, unit: str) -> None:
    (counted,) = measure("né", network, private=True)
    assert counted == Length(3 if unit == "bytes" else 2, limit, unit)
    assert fits("n" * 40_000, network, private=True) == (limit or 40_000)


@pytest.mark.parametrize("network", NETWORKS)
@given(text=texts)
@settings(max_examples=60, deadline=None)
def test_a_length_is_never_negative_and_nothing_is_free(network: str, text: str) -> None:
    for length in measure(text, network):
        assert length.used >= 0
        assert length.over >= 0
        assert (length.used == 0) == (text == "")


@pytest.mark.parametrize("network", NETWORKS)
@given(left=words, right=words)
@settings(max_examples=60, deadline=None)
def test_lengths_of_words_add_up_with_the_space_between(network: str, left: str, right: str) -> None:
    whole = measure(f"{left} {right}", network)
    parts = zip(measure(left, network), measure(right, network), strict=True)
    assert [length.used for length in whole] == [a.used + 1 + b.used for a, b in parts]


@given(left=texts, right=texts)
@settings(max_examples=60, deadline=None)
def test_bytes_and_plain_characters_always_add_up_and_graphemes_never_grow(left: str, right: str) -> None:
    def used(text: str) -> tuple[int, int]:
        return measure(text, "bluesky")[1].used, measure(text, "reddit")[0].used

    assert used(left + right) == tuple(a + b for a, b in zip(used(left), used(right), strict=True))
    assert graphemes(left + right) <= graphemes(left) + graphemes(right)


@pytest.mark.parametrize("network", ["x", "bluesky", "mastodon"])
@given(text=texts.map(lambda text: text * 3), limit=st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_what_fits_does_fit(network: str, text: str, limit: int) -> None:
    end = fits(text, network, limits={network: limit})
    assert not any(length.over for length in measure(text[:end], network, limits={network: limit}))
    assert (end == len(text)) == (not any(length.over for length in measure(text, network, limits={network: limit})))
