"""What every connector that asks what became of stored mentions promises (`pipeline.ports.Rechecker`), run on each
against a local platform.

A connector joins by a file in tests/contract/recheckers/ (see its `__init__`); one that does not fails the meta-test.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import pytest
import structlog
from msgspec.structs import replace

import tests.contract.recheckers as harnesses
from pipeline.clock import ManualClock
from pipeline.errors import HarkenError, SourceRefused, SourceUnavailable
from pipeline.mention import Item, Mention, Removal
from pipeline.ports import Context, Rechecker, Settings
from tests.contract.recheckers import Harness, Spoil, Stand
from tests.contract.repliers import NAME
from tests.fixtures.stand_in import Told, told

ADAPTERS: dict[str, Callable[[], Harness]] = {
    found.name: lambda name=found.name: importlib.import_module(f"{harnesses.__name__}.{name}").harness  # type: ignore[misc]  # mypy cannot type a lambda's default
    for found in pkgutil.iter_modules(harnesses.__path__)
}

LATER = 3_600
"""Seconds after which what was said is looked at again."""


class Suite:
    """One connector with its platform."""

    def __init__(self, name: str, stand: Stand, clock: ManualClock) -> None:
        self.module = importlib.import_module(f"connectors.{name}")
        self.stand = stand
        self.clock = clock
        self.rechecker = self.build()

    def build(self, config: Settings | None = None) -> Rechecker:
        return cast(Rechecker, self.module.Rechecker(config or self.stand.config, Context(NAME, (), self.clock)))

    def kept(self, number: int) -> list[Mention]:
        """So many mentions, of which the platform shows what is stored."""
        mentions = self.stand.fill(number)
        self.clock.advance(LATER)
        return mentions

    def fails(self, mentions: Sequence[Mention], *, by: Rechecker | None = None) -> SourceUnavailable:
        with pytest.raises(SourceUnavailable) as failure:
            (by or self.rechecker).recheck(mentions)
        return failure.value

    def found(self, mentions: Sequence[Mention]) -> Sequence[Item]:
        """What is found out where it may be that nothing can be."""
        try:
            return self.build().recheck(mentions)
        except SourceUnavailable:
            return []


def always(answer: Told) -> Spoil:
    """Whatever is asked."""
    return lambda _: answer


@pytest.fixture(params=sorted(ADAPTERS))
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    clock = ManualClock()
    with ADAPTERS[request.param]().stand(clock) as stand:
        yield Suite(request.param, stand, clock)


def opened() -> tuple[int, int]:
    return len(os.listdir("/dev/fd")), threading.active_count()


def answered() -> None:
    """The platform, which runs in this process, is done with every connection that was closed."""
    for thread in threading.enumerate():
        if "process_request" in thread.name:
            thread.join(10)


def test_building_one_opens_nothing(suite: Suite) -> None:
    before = opened()
    built = [suite.build() for _ in range(5)]
    assert all(now <= then for now, then in zip(opened(), before, strict=True))
    assert built


def test_it_says_whose_mentions_it_asks_about_and_how_many_at_once(suite: Suite) -> None:
    (kept,) = suite.kept(1)
    assert kept.id.startswith(f"{suite.rechecker.source}:")
    assert suite.rechecker.batch > 0
    assert suite.rechecker.per_hour > 0


def test_of_what_is_as_it_was_nothing_is_said(suite: Suite) -> None:
    assert list(suite.rechecker.recheck(suite.kept(3))) == []
    assert list(suite.rechecker.recheck([])) == []


def test_what_is_gone_is_a_removal(suite: Suite) -> None:
    kept = suite.kept(3)
    suite.stand.remove(kept[1])
    (gone,) = suite.rechecker.recheck(kept)
    assert isinstance(gone, Removal)
    assert (gone.source, gone.mention, gone.author) == (kept[1].source, kept[1].id, None)
    assert gone.reason == "deleted"
    assert gone.noticed_at == suite.clock.now()
    assert gone.conversation in ("", kept[1].thread)


def test_what_was_reworded_comes_anew_with_a_later_revision(suite: Suite) -> None:
    kept = suite.kept(3)
    suite.stand.reword(kept[1], "Acme found it: all is well")
    (anew,) = suite.rechecker.recheck(kept)
    assert isinstance(anew, Mention)
    assert (anew.id, anew.text) == (kept[1].id, "Acme found it: all is well")
    assert kept[1].revision < anew.revision <= suite.clock.now()
    assert (anew.thread, anew.brand, anew.via) == (kept[1].thread, kept[1].brand, kept[1].via)


def test_a_rewording_that_was_taken_in_is_told_once(suite: Suite) -> None:
    kept = suite.kept(2)
    suite.stand.reword(kept[0], "Acme found it: all is well")
    (anew,) = suite.rechecker.recheck(kept)
    assert isinstance(anew, Mention)
    suite.clock.advance(LATER)
    assert list(suite.build().recheck([anew, kept[1]])) == []


def test_a_whole_batch_is_asked_about_at_once(suite: Suite) -> None:
    kept = suite.kept(suite.rechecker.batch)
    suite.stand.remove(kept[0])
    suite.stand.reword(kept[-1], "Acme found it: all is well")
    found = suite.rechecker.recheck(kept)
    assert {item.mention if isinstance(item, Removal) else item.id for item in found} == {kept[0].id, kept[-1].id}


def test_whatever_it_cannot_ask_about_is_left_out_without_asking_anybody(suite: Suite) -> None:
    (kept,) = suite.kept(1)
    foreign = replace(kept, id=f"test:{kept.native_id}", source="test")
    blind = suite.build(suite.stand.unreachable)
    for strange in (foreign, *suite.stand.strange):
        assert list(blind.recheck([strange])) == []


def test_what_it_cannot_ask_about_does_not_stand_in_the_way_of_the_others(suite: Suite) -> None:
    kept = suite.kept(2)
    suite.stand.remove(kept[0])
    (gone,) = suite.rechecker.recheck([*suite.stand.strange, *kept])
    assert isinstance(gone, Removal)
    assert gone.mention == kept[0].id


def test_an_outage_is_for_later(suite: Suite) -> None:
    kept = suite.kept(2)
    suite.stand.spoil(always(told(503, {})))
    assert suite.fails(kept).trouble == "http"
    suite.stand.spoil(None)
    suite.stand.remove(kept[0])
    suite.clock.advance(LATER)
    assert len(suite.rechecker.recheck(kept)) == 1


def test_a_platform_that_cannot_be_reached_is_for_later(suite: Suite) -> None:
    kept = [suite.stand.moved(one) for one in suite.kept(1)]
    assert suite.fails(kept, by=suite.build(suite.stand.unreachable)).trouble == "network"


def test_a_platform_that_does_not_answer_is_not_waited_for(suite: Suite) -> None:
    kept = suite.kept(1)
    suite.stand.hang()
    assert suite.fails(kept, by=suite.build(suite.stand.impatient)).trouble == "network"


def test_a_rate_limit_says_how_long_to_wait(suite: Suite) -> None:
    kept = suite.kept(2)
    suite.stand.spoil(always(suite.stand.limited(300)))
    failure = suite.fails(kept)
    assert failure.trouble == "rate_limited"
    assert failure.retry_after == pytest.approx(300, abs=2)
    suite.stand.spoil(None)
    suite.clock.advance(301)
    assert list(suite.rechecker.recheck(kept)) == []


def test_credentials_that_are_none_are_for_the_operator(suite: Suite) -> None:
    if suite.stand.denied is None:
        return  # it wants none
    kept = suite.kept(2)
    suite.stand.spoil(always(suite.stand.denied))
    with pytest.raises(SourceRefused):
        suite.rechecker.recheck(kept)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_an_answer_that_was_cut_short_changes_nothing(suite: Suite, part: float) -> None:
    kept = suite.kept(2)
    suite.stand.spoil(lambda answer: Told(answer.status, answer.body[: int(len(answer.body) * part)], answer.headers))
    assert list(suite.found(kept)) == []


def test_an_answer_that_is_none_changes_nothing(suite: Suite) -> None:
    kept = suite.kept(2)
    for body in suite.stand.garbage:
        suite.stand.spoil(always(Told(200, body, {"Content-Type": "application/json"})))
        assert list(suite.found(kept)) == [], body


def test_nothing_is_left_open(suite: Suite) -> None:
    kept = suite.kept(2)
    suite.rechecker.recheck(kept)
    answered()
    before = opened()
    for _ in range(3):
        suite.rechecker.recheck(kept)
    answered()
    assert all(now <= then for now, then in zip(opened(), before, strict=True))


def test_no_secret_shows_in_logs_or_errors(suite: Suite, capfd: pytest.CaptureFixture[str]) -> None:
    stand = suite.stand
    kept = suite.kept(2)
    words = " ".join(stand.secrets)
    said: list[object] = [repr(suite.rechecker), repr(stand.config)]
    answers = [told(status, {"error": words, "message": words, "errors": [words]}) for status in (400, 401, 403, 503)]
    with structlog.testing.capture_logs() as lines:
        for answer in (*answers, stand.limited(3), Told(200, words.encode())):
            stand.spoil(always(answer))
            try:
                said += suite.build().recheck(kept)
            except HarkenError as failure:
                error: BaseException | None = failure
                said.append(vars(failure))
                while error is not None:
                    said += [str(error), repr(error)]
                    error = error.__cause__ or error.__context__
    said += [lines, *capfd.readouterr()]
    assert not [text for text in map(str, said) for secret in stand.secrets if secret in text]
