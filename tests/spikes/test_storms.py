"""The made firestorms and the ordinary days beside them: the same for a seed, and shaped as they claim."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.spikes.ordinary import OCCASIONS, Brand, ordinary
from benchmarks.spikes.said import Rows, merged, records, seconds
from benchmarks.spikes.storms import CASTS, angry, storm
from pipeline.codec import decode, encode
from pipeline.mention import Kind

pytestmark = pytest.mark.long


MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
ONSET = datetime(2026, 1, 20, 14, 3, tzinfo=UTC)


def minutes(said: Rows) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    found: np.ndarray[tuple[int], np.dtype[np.float64]] = (said["at"] - said["at"][0]) / 60
    return found


@given(shape=st.sampled_from(list(CASTS)), size=st.integers(5, 3000), seed=st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_a_storm_is_the_same_for_its_seed_begins_at_its_onset_and_is_in_order(shape: str, size: int, seed: int) -> None:
    one, again = storm(shape, size, ONSET, seed), storm(shape, size, ONSET, seed)
    assert one.said.tobytes() == again.said.tobytes()
    assert one.said["at"][0] == seconds(ONSET)
    assert (np.diff(one.said["at"]) >= 0).all()
    assert 1 <= len(one.said) <= size
    assert storm(shape, size, ONSET, seed + 1).said.tobytes() != one.said.tobytes()


@pytest.mark.parametrize("shape", list(CASTS))
def test_a_storm_has_about_the_size_that_was_asked_for(shape: str) -> None:
    assert len(storm(shape, 2000, ONSET, 3).said) > 1500


def test_after_a_shock_that_spreads_half_is_said_much_later_than_after_one_that_does_not() -> None:
    brief, long = minutes(storm("burst", 5000, ONSET).said), minutes(storm("influencer", 5000, ONSET).said)
    assert np.median(brief) < 45
    assert np.median(long) > 240


def test_after_a_shock_activity_falls_with_the_published_power() -> None:
    said = minutes(storm("burst", 100_000, ONSET).said)
    near, far = ((said >= 30) & (said < 40)).sum(), ((said >= 300) & (said < 310)).sum()
    assert np.log(near / far) / np.log(315 / 45) == pytest.approx(1.4, abs=0.1)


def test_a_slow_build_doubles_every_half_hour_at_first() -> None:
    said = minutes(storm("slow build", 100_000, ONSET).said)
    earlier, later = ((said >= 180) & (said < 240)).sum(), ((said >= 240) & (said < 300)).sum()
    assert later / earlier == pytest.approx(4, rel=0.2)


def test_word_of_mouth_rises_before_its_peak_and_falls_after_it() -> None:
    said = minutes(storm("word of mouth", 20_000, ONSET).said)
    before, peak, after = (((said >= at) & (said < at + 10)).sum() for at in (60, 235, 410))
    assert before < peak > after


def test_an_echo_comes_a_day_later_and_is_louder() -> None:
    it = storm("delayed echo", 900, ONSET)
    assert it.echo is not None
    assert timedelta(hours=23, minutes=50) < it.echo - ONSET < timedelta(hours=24, minutes=10)
    said = minutes(it.said)
    assert (said < 1430).sum() == pytest.approx(300, abs=15)
    assert (said >= 1430).sum() == pytest.approx(600, abs=15)


def test_half_of_what_follows_a_post_is_passed_on_within_minutes_and_the_rest_trails_off() -> None:
    said = minutes(storm("repost storm", 20_000, ONSET).said)
    assert (said < 5).mean() > 0.1
    assert (said > 240).mean() > 0.1


def test_one_account_is_one_and_bots_are_many_new_ones_with_few_words() -> None:
    assert len(set(storm("one account", 60, ONSET).said["author"].tolist())) == 1
    bots = storm("bot flood", 600, ONSET).said
    assert len(set(bots["author"].tolist())) > 300
    assert bots["age"].max() < 30
    assert bots["followers"].max() < 10
    assert len(set(bots["words"].tolist())) <= 3


def test_the_angry_are_counted_once_each_at_their_first_word() -> None:
    it = storm("burst", 400, ONSET)
    found = angry(it.said)
    assert len(found) == len(set(it.said["author"][it.said["mood"] < 0].tolist()))
    assert found[0] == seconds(ONSET)
    assert (np.diff(found) >= 0).all()


def test_ordinary_days_are_the_same_for_a_seed_and_have_hours_and_weekdays() -> None:
    brand = Brand("acme", 2000, seed=4)
    traffic = ordinary(brand, MONDAY, 14)
    assert traffic.said.tobytes() == ordinary(brand, MONDAY, 14).said.tobytes()
    assert traffic.said.tobytes() != ordinary(Brand("acme", 2000, seed=5), MONDAY, 14).said.tobytes()
    at = traffic.said["at"]
    assert (np.diff(at) >= 0).all()
    assert at[0] >= seconds(MONDAY)
    assert at[-1] < seconds(MONDAY + timedelta(days=14))
    hour = at // 3600 % 24
    assert (hour == 20).sum() > 5 * (hour == 3).sum()


@pytest.mark.parametrize("per_day", [5, 50, 5000])
def test_a_brand_is_spoken_of_as_often_as_it_says_and_over_dispersed(per_day: float) -> None:
    said = ordinary(Brand("acme", per_day, seed=2), MONDAY, 28).said
    plain = said[said["theme"] == 0]
    assert len(plain) / 28 == pytest.approx(per_day, rel=0.35)
    assert (plain["mood"] < 0).mean() == pytest.approx(0.15, abs=0.07)
    if per_day > 1000:
        noon = plain[plain["at"] // 3600 % 24 == 12]
        counts = np.bincount((noon["at"] - seconds(MONDAY)) // 300, minlength=28 * 288)
        counts = counts.reshape(28, 288)[:, 144:156].ravel()
        assert counts.var() > 1.5 * counts.mean()


def test_occasions_make_people_talk_but_not_in_anger() -> None:
    traffic = ordinary(Brand("acme", 1000, seed=1), MONDAY, 70)
    assert {it.theme for it in traffic.held} == {it.theme for it in OCCASIONS}
    themed = traffic.said[traffic.said["theme"] > 0]
    assert len(themed) > 1000
    assert (themed["mood"] < 0).mean() < 0.12


def test_records_are_what_enrichment_hands_on() -> None:
    said = merged([ordinary(Brand("acme", 50, seed=1), MONDAY, 2).said, storm("repost storm", 40, MONDAY).said])
    items = list(records(said, "acme"))
    assert items == list(records(said, "acme"))
    assert len({it.mention.id for it in items}) == len(items) == len(said)
    assert all(decode(encode(it)) == it for it in items)
    assert all("acme" in it.mention.text for it in items)
    passed_on = [it for it in items if it.mention.kind is Kind.REPOST and it.mention.parent]
    assert passed_on
    words = {it.mention.id: it.mention.text for it in items}
    assert all(words[it.mention.parent or ""] == it.mention.text for it in passed_on)
