"""What every connector that answers promises (`pipeline.ports.Replier`), run on each against a local platform.

A connector joins by a file in tests/contract/repliers/ (see its `__init__`); one that does not fails the meta-test.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import pytest
import structlog

import tests.contract.repliers as harnesses
from pipeline.clock import ManualClock
from pipeline.errors import HarkenError, ReplyRefused, SourceUnavailable
from pipeline.mention import Media
from pipeline.ports import Context, Replier, Settings
from tests.contract.repliers import NAME, Given, Harness, Stand
from tests.contract.test_connector import held
from tests.fixtures.pictures import PNG, Gallery

ADAPTERS: dict[str, Callable[[], Harness]] = {
    found.name: lambda name=found.name: importlib.import_module(f"{harnesses.__name__}.{name}").harness  # type: ignore[misc]  # mypy cannot type a lambda's default
    for found in pkgutil.iter_modules(harnesses.__path__)
}

HOSTILE = (
    "Sorry! \u202egnp.exe\u202c مرحبا שלום 👩‍👩‍👧‍👦 e\u0301 é ﬁ",
    "a & b &amp; <b>c</b> &lt;d&gt; ' \" \\ \\u0000 %s {0} {{7*7}} ${HOME}",
    "one\n\n\ttwo\r\nthree\u2028four\u00a0five",
    "null\x00byte and \x1b[31mred",
)


class Suite:
    """One connector with its platform."""

    def __init__(self, name: str, stand: Stand, clock: ManualClock) -> None:
        self.module = importlib.import_module(f"connectors.{name}")
        self.stand = stand
        self.clock = clock
        self.replier = self.build()

    def build(self, config: Settings | None = None) -> Replier:
        return cast(Replier, self.module.Replier(config or self.stand.config, Context(NAME, (), self.clock)))

    def reply(self, text: str = "We are looking into it", key: str = "key-1") -> str:
        return self.replier.reply(self.stand.mention, text, key)

    def fails(self, *, by: Replier | None = None) -> SourceUnavailable:
        with pytest.raises(SourceUnavailable) as failure:
            (by or self.replier).reply(self.stand.mention, "We are looking into it", "key-1")
        return failure.value

    def refused(self) -> ReplyRefused:
        with pytest.raises(ReplyRefused) as refusal:
            self.reply()
        return refusal.value


@pytest.fixture(params=sorted(ADAPTERS))
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    clock = ManualClock()
    with ADAPTERS[request.param]().stand(clock) as stand:
        yield Suite(request.param, stand, clock)


def test_building_one_opens_nothing(suite: Suite) -> None:
    before = held()
    built = [suite.build() for _ in range(5)]
    assert all(now <= then for now, then in zip(held(), before, strict=True))
    assert built


def test_without_an_account_none_is_built(suite: Suite) -> None:
    with pytest.raises(ValueError, match="reply"):
        suite.build(suite.stand.config.model_copy(update={"reply": None}))


def test_it_answers_where_the_question_was_asked(suite: Suite) -> None:
    id = suite.reply("Sorry, we are looking into it")
    assert suite.stand.replies() == [Given(id, "Sorry, we are looking into it")]


def test_the_same_key_twice_posts_once(suite: Suite) -> None:
    assert suite.reply() == suite.reply()
    assert len(suite.stand.replies()) == 1


def test_the_same_key_after_a_crash_posts_once(suite: Suite) -> None:
    id = suite.reply()
    suite.clock.advance(3_600)
    suite.replier = suite.build()
    assert suite.reply() == id
    assert len(suite.stand.replies()) == 1


def test_when_the_answer_to_us_got_lost_the_next_attempt_learns_of_it(suite: Suite) -> None:
    suite.stand.lose()
    assert suite.fails().trouble == "network"
    posted = suite.stand.replies()
    suite.replier = suite.build()
    assert [Given(suite.reply(), posted[0].text)] == posted == suite.stand.replies()


def test_two_keys_are_two_replies_in_their_order(suite: Suite) -> None:
    ids = [suite.reply("First", "key-1"), suite.reply("Second", "key-2")]
    assert suite.stand.replies() == [Given(ids[0], "First"), Given(ids[1], "Second")]


def test_any_key_will_do(suite: Suite) -> None:
    keys = ["a/b?c=d&e", "ключ 😀", 'quote" back\\slash % 25%25', "line\nbreak", "k" * 200]
    for number, key in enumerate(keys):
        assert suite.reply(f"Answer {number}", key) == suite.reply(f"Answer {number}", key)
    assert [given.text for given in suite.stand.replies()] == [f"Answer {number}" for number in range(len(keys))]


@pytest.mark.parametrize("text", HOSTILE, ids=["signs", "markup", "lines", "controls"])
def test_the_text_arrives_as_it_was_written_and_is_recognised_again(suite: Suite, text: str) -> None:
    id = suite.reply(text)
    assert suite.stand.replies() == [Given(id, text)]
    assert suite.build().reply(suite.stand.mention, text, "key-1") == id
    assert len(suite.stand.replies()) == 1


def test_what_no_message_can_carry_is_refused_and_not_sent(suite: Suite) -> None:
    with pytest.raises(ReplyRefused, match="Unicode"):
        suite.reply("half of an emoji: \ud83d")
    assert suite.stand.replies() == []


def test_a_picture_arrives_with_its_description(suite: Suite) -> None:
    if not suite.replier.pictures:
        return  # the next test holds it to taking none
    with Gallery().running() as gallery:
        media = [Media(url=gallery.hang_up("/label.png", PNG), alt="The label, with <its> number & more")]
        id = suite.replier.reply(suite.stand.mention, "This is the label", "key-1", media)
        assert suite.stand.replies() == [Given(id, "This is the label", ("The label, with <its> number & more",))]
        assert suite.build().reply(suite.stand.mention, "This is the label", "key-1", media) == id
        assert len(suite.stand.replies()) == 1


def test_more_pictures_than_it_can_carry_are_refused_and_not_sent(suite: Suite) -> None:
    media = [Media(url="https://acme.example/label.png")] * (suite.replier.pictures + 1)
    with pytest.raises(ReplyRefused, match="picture"):
        suite.replier.reply(suite.stand.mention, "Look at these", "key-1", media)
    assert suite.stand.replies() == []


def test_a_refusal_says_why_in_the_platforms_words(suite: Suite) -> None:
    suite.stand.refuse("You may not answer this person.")
    assert "You may not answer this person." in suite.refused().reason
    assert suite.stand.replies() == []
    assert suite.reply()


def test_hostile_words_of_a_refusal_are_short_and_on_one_line(suite: Suite) -> None:
    suite.stand.refuse("\x1b[2J\x00line\r\nbreak \u202e\u2028" + "long " * 1_000)
    reason = suite.refused().reason
    assert reason.isprintable()
    assert len(reason) < 500


def test_an_outage_is_for_later(suite: Suite) -> None:
    suite.stand.fail()
    assert suite.fails().trouble == "http"
    assert suite.fails(by=suite.build(suite.stand.unreachable)).trouble == "network"
    assert suite.stand.replies() == []
    assert suite.reply()


def test_a_platform_that_does_not_answer_is_not_waited_for(suite: Suite) -> None:
    suite.stand.hang()
    assert suite.fails(by=suite.build(suite.stand.impatient)).trouble == "network"


def test_a_rate_limit_says_how_long_to_wait(suite: Suite) -> None:
    suite.stand.limit(300)
    failure = suite.fails()
    assert failure.trouble == "rate_limited"
    assert failure.retry_after == pytest.approx(300, abs=2)
    assert suite.reply()


def test_what_it_cannot_answer_it_says_and_does_not_try(suite: Suite) -> None:
    assert suite.replier.eligible(suite.stand.mention) is None
    reason = suite.replier.eligible(suite.stand.cannot)
    assert reason
    assert reason.endswith(".")
    with pytest.raises(ReplyRefused) as refusal:
        suite.replier.reply(suite.stand.cannot, "Hello", "key-1")
    assert refusal.value.reason == reason


def test_no_secret_shows_in_settings_logs_or_errors(suite: Suite, capfd: pytest.CaptureFixture[str]) -> None:
    stand = suite.stand
    said: list[object] = [repr(stand.config), str(stand.config), repr(suite.replier)]
    with structlog.testing.capture_logs() as lines:
        refuse = partial(stand.refuse, f"No: {' '.join(stand.secrets)}")
        faults: list[Callable[[], None]] = [stand.lose, stand.fail, partial(stand.limit, 3), refuse]
        for number, fault in enumerate(faults):
            fault()
            with pytest.raises(HarkenError) as failure:
                suite.reply(f"Answer {number}", f"key-{number}")
            error: BaseException | None = failure.value
            said.append(vars(error))
            while error is not None:
                said += [str(error), repr(error)]
                error = error.__cause__ or error.__context__
    said += [lines, *capfd.readouterr()]
    assert not [text for text in map(str, said) for secret in stand.secrets if secret in text]
