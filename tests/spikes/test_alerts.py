"""One message for an incident and a target, updated and not multiplied; told in the end, and to the next if need be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.clock import ManualClock
from pipeline.store import Store
from spikes._notice import Notice
from spikes._quiet import quiet_from
from spikes._target import Later, Outcome, Refused, Told
from spikes.detection import Severity
from spikes.playbooks import read
from spikes.sending import REPEATS, TERM, Sender
from tests.spikes.storm import CHAIN, Desk, Paper, Storm

DOWN = Later("it is down")
HANGS = Later("it did not answer", doubtful=True)


@pytest.fixture
def papers() -> dict[str, Paper]:
    return {"care": Paper(), "lead": Paper(), "chief": Paper()}


@pytest.fixture
def desk(sqlite_store: Store, clock: ManualClock, papers: dict[str, Paper]) -> Desk:
    return Desk(sqlite_store, clock, papers)


@pytest.fixture
def both(store: Store, clock: ManualClock, papers: dict[str, Paper]) -> Desk:
    """On each database in turn: for what depends on its locks and its types."""
    return Desk(store, clock, papers)


# --------------------------------------------------------------------------- one message


def test_an_incident_is_told_once_however_often_it_is_noted(both: Desk, papers: dict[str, Paper]) -> None:
    for _ in range(3):
        both.change()
        both.work()
    assert papers["care"].stories == ["open minor"]
    assert both.stand() == {"care": "told"}


def test_a_change_that_was_rolled_back_is_not_told(both: Desk, papers: dict[str, Paper]) -> None:
    def change() -> None:
        with both.store._db.write() as transaction:
            both.alerts.follow(transaction, both.storm, "opened")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    both.work(5)
    assert papers["care"].got == []


def test_fifty_changes_of_wording_are_one_message_where_messages_cannot_be_edited(
    desk: Desk, papers: dict[str, Paper]
) -> None:
    for number in range(50):
        desk.change("grew", paragraph=f"{number} people complain.")
        desk.work()
        desk.clock.advance(10)
    assert len(papers["care"].got) == 1


def test_a_target_that_edits_is_told_of_growth_every_five_minutes(desk: Desk, papers: dict[str, Paper]) -> None:
    papers["care"].edits = True
    for number in range(20):
        desk.change("grew", paragraph=f"{number} people complain.")
        desk.work(1)
    sequences = [notice.sequence for notice, _ in papers["care"].got]
    assert len(sequences) == 5
    assert sequences == sorted(set(sequences))
    assert len({notice.message for notice, _ in papers["care"].got}) == 1
    desk.work(5)
    assert papers["care"].got[-1][0].matters[0].paragraph == "19 people complain."


def test_each_state_and_each_step_of_severity_is_followed_up_once(desk: Desk, papers: dict[str, Paper]) -> None:
    desk.change()
    desk.work()
    desk.change("grew", severity=Severity.MAJOR)
    desk.work()
    desk.change("acknowledged", state="acknowledged")
    desk.work()
    desk.change("noted", paragraph="other words")
    desk.work()
    desk.change("closed", state="closed")
    desk.work()
    assert papers["care"].stories == ["open minor", "open major", "acknowledged major", "closed major"]
    first = {notice.first for notice, _ in papers["care"].got}
    assert first == {papers["care"].got[0][0].sequence}


def test_an_incident_that_flares_up_and_calms_down_again_and_again_is_told_once_an_hour(
    desk: Desk, papers: dict[str, Paper]
) -> None:
    desk.change()
    desk.change("acknowledged", state="acknowledged")
    for _ in range(12):
        for state in ("calming", "acknowledged"):
            desk.change(state, state=state)
            desk.work(2)
    assert len(papers["care"].got) <= 5
    desk.work(61)
    assert papers["care"].stories[-1] == "acknowledged minor"


def test_what_changed_while_a_target_was_down_is_one_message_about_how_it_stands(
    desk: Desk, papers: dict[str, Paper]
) -> None:
    papers["care"].always = DOWN
    desk.change()
    desk.work(5)
    desk.change("acknowledged", state="acknowledged")
    desk.work(5)
    desk.change("calming", state="calming")
    desk.work(10)
    papers["care"].got.clear()
    papers["care"].always = Told()
    desk.work(2)
    assert papers["care"].stories == ["calming minor"]


def test_a_reopened_incident_is_told_and_escalated_anew(desk: Desk, papers: dict[str, Paper]) -> None:
    desk.change()
    desk.work()
    desk.change("acknowledged", state="acknowledged")
    desk.change("closed", state="closed")
    desk.work(20)
    assert papers["lead"].got == []
    desk.change("reopened", state="reopened")
    desk.work()
    assert papers["care"].stories == ["open minor", "closed minor", "reopened minor"]
    desk.work(10)
    assert papers["lead"].stories == ["reopened minor"]


# ----------------------------------------------------------------------------- escalation


def test_the_next_is_called_when_nobody_acknowledges_and_the_timeline_says_so(
    both: Desk, papers: dict[str, Paper]
) -> None:
    both.change(severity=Severity.MAJOR)
    both.work(9)
    assert papers["lead"].got == []
    both.work(1)
    assert papers["lead"].stories == ["open major"]
    assert both.timeline == [("i1", "Nobody has acknowledged it: told lead (call 2).")]
    both.work(20)
    assert papers["chief"].stories == ["open major"]
    both.work(20)
    assert [len(paper.got) for paper in papers.values()] == [1, 1, 1]


def test_nobody_else_is_called_once_it_is_acknowledged(desk: Desk, papers: dict[str, Paper]) -> None:
    desk.change()
    desk.work(5)
    desk.change("acknowledged", state="acknowledged")
    desk.work(60)
    assert papers["lead"].got == []
    assert desk.timeline == []


def test_a_call_for_what_is_severe_is_made_when_it_becomes_so(desk: Desk, papers: dict[str, Paper]) -> None:
    desk.change()
    desk.work(40)
    assert papers["chief"].got == []
    desk.change("grew", severity=Severity.MAJOR)
    desk.work()
    assert papers["chief"].stories == ["open major"]


def test_two_processes_escalate_once(both: Desk, papers: dict[str, Paper]) -> None:
    both.change()
    both.work()
    both.clock.advance(600)
    assert [len(both.alerts.escalate()), len(both.alerts.escalate())] == [1, 0]
    assert len(both.timeline) == 1


def test_an_acknowledgement_in_the_middle_of_an_escalation_wins(both: Desk, papers: dict[str, Paper]) -> None:
    both.change()
    both.work()
    both.clock.advance(600)
    told: list[str] = []

    def late(transaction: object, incident: str, sentence: str) -> None:
        # The incident's lock is free until now: whoever acknowledges has committed before.
        told.append(sentence)
        alert = both.alerts
        storm = Storm(opened_at=both.storm.opened_at, state="acknowledged", acknowledged_at=both.clock.now())
        alert.follow(transaction, storm, "acknowledged")  # type: ignore[arg-type]

    both.alerts._timeline = late
    assert both.alerts.escalate() == []
    assert told
    assert "lead" not in both.stand()


def test_the_next_is_called_at_once_when_the_first_can_never_be_reached(desk: Desk, papers: dict[str, Paper]) -> None:
    papers["care"].always = Refused("no such channel")
    desk.change()
    desk.work()
    desk.work()
    assert desk.stand()["care"] == "refused"
    assert papers["lead"].stories == ["open minor"]


def test_who_is_named_in_two_calls_is_reminded_by_the_second(sqlite_store: Store, clock: ManualClock) -> None:
    care = Paper()
    text = "playbooks: [{name: all, call: [{}, {after_minutes: 15}]}]"
    desk = Desk(sqlite_store, clock, {"care": care}, text)
    desk.change()
    desk.work(60)
    assert [notice.matters[0].step for notice, _ in care.got] == [1, 2]


def test_an_incident_below_the_playbook_s_severity_is_told_once_it_reaches_it(
    sqlite_store: Store, clock: ManualClock
) -> None:
    care = Paper()
    desk = Desk(sqlite_store, clock, {"care": care}, "playbooks: [{name: all, severity: critical}]")
    desk.change(severity=Severity.MAJOR)
    desk.work(10)
    assert care.got == []
    desk.change("grew", severity=Severity.CRITICAL)
    desk.work()
    assert care.stories == ["open critical"]


def test_another_kind_brings_its_own_playbook(sqlite_store: Store, clock: ManualClock) -> None:
    papers = {"care": Paper(), "press": Paper()}
    text = """
playbooks:
  - {name: one, kinds: [single_author], call: [{targets: [care]}]}
  - {name: many, call: [{targets: [press]}]}
"""
    desk = Desk(sqlite_store, clock, papers, text)
    desk.change(kind="single_author")
    desk.work()
    assert [len(it.got) for it in papers.values()] == [1, 0]
    desk.change("grew", kind="firestorm", severity=Severity.MAJOR)
    desk.work()
    assert [len(it.got) for it in papers.values()] == [2, 1]


def test_a_playbook_that_was_renamed_meanwhile_still_escalates(
    sqlite_store: Store, clock: ManualClock, papers: dict[str, Paper]
) -> None:
    desk = Desk(sqlite_store, clock, papers)
    desk.change()
    desk.work()
    desk.books = read(CHAIN.replace("name: storm", "name: firestorms"), "playbooks.yaml")
    desk.restart()
    desk.work(10)
    assert papers["lead"].stories == ["open minor"]


def test_an_incident_without_a_playbook_calls_nobody(sqlite_store: Store, clock: ManualClock) -> None:
    care = Paper()
    desk = Desk(sqlite_store, clock, {"care": care}, "playbooks: [{name: quiet, kinds: [silence]}]")
    desk.change()
    desk.work(60)
    assert care.got == []


# ------------------------------------------------------------------------------ the trouble


def test_a_target_that_is_down_for_an_hour_is_told_in_the_end_and_holds_up_nobody(
    desk: Desk, papers: dict[str, Paper]
) -> None:
    papers["care"].always = DOWN
    desk.change()
    desk.work(60)
    assert papers["lead"].stories == ["open minor"]
    before = len(papers["care"].got)
    papers["care"].always = Told()
    desk.work(3)
    assert len(papers["care"].got) == before + 1
    assert desk.stand() == {"care": "told", "lead": "told"}
    assert len({notice.key for notice, _ in papers["care"].got}) == 2  # as it was, and as the escalation left it


def test_a_target_s_own_pause_is_kept(desk: Desk, papers: dict[str, Paper]) -> None:
    papers["care"].answers = [Later("429", retry_after=1200.0)]
    desk.change()
    desk.work(19)
    assert len(papers["care"].got) == 1
    desk.work(2)
    assert len(papers["care"].got) == 2


def test_without_keys_what_may_have_arrived_is_repeated_a_few_times_and_says_so(
    desk: Desk, papers: dict[str, Paper]
) -> None:
    papers["care"].keyed = False
    papers["care"].always = HANGS
    desk.change()
    desk.work(130)
    assert [repeated for _, repeated in papers["care"].got] == [False] + [True] * REPEATS
    assert len({notice.key for notice, _ in papers["care"].got}) == 1
    assert desk.stand()["care"] == "unsure"


def test_without_keys_a_receiver_that_hangs_for_an_hour_still_hears(desk: Desk, papers: dict[str, Paper]) -> None:
    papers["care"].keyed = False
    papers["care"].always = HANGS
    desk.change()
    desk.work(60)
    papers["care"].always = Told()
    desk.work(60)
    assert desk.stand()["care"] == "told"
    assert len(papers["care"].got) <= REPEATS + 1


def test_what_is_certain_to_have_failed_is_repeated_without_a_mark(desk: Desk, papers: dict[str, Paper]) -> None:
    papers["care"].keyed = False
    papers["care"].answers = [DOWN, DOWN]
    desk.change()
    desk.work(2)
    assert [repeated for _, repeated in papers["care"].got] == [False] * 3


def test_a_target_that_is_to_be_left_when_unsure_gets_it_once_and_the_next_is_called(
    desk: Desk, papers: dict[str, Paper]
) -> None:
    papers["care"].keyed = papers["care"].repeats = False
    papers["care"].always = HANGS
    desk.change()
    desk.work(1)
    assert len(papers["care"].got) == 1
    assert desk.stand()["care"] == "unsure"
    assert papers["lead"].stories == ["open minor"]


def test_news_does_not_wait_behind_a_doubt(desk: Desk, papers: dict[str, Paper]) -> None:
    papers["care"].keyed = False
    papers["care"].answers = [HANGS, HANGS]
    desk.change()
    desk.work(2)
    desk.change("grew", severity=Severity.CRITICAL)
    desk.work()
    assert [(notice.matters[0].severity, marked) for notice, marked in papers["care"].got] == [
        ("minor", False),
        ("minor", True),
        ("critical", False),
    ]


class Crash(BaseException):
    """The process dies."""


@pytest.mark.parametrize("keyed", [True, False])
def test_a_sender_that_dies_after_sending_leaves_one_message_for_whoever_heeds_the_key(
    both: Desk, papers: dict[str, Paper], keyed: bool
) -> None:
    papers["care"].keyed = keyed
    both.change()

    class Dying(Sender):
        def _say(self, name: str, taken: object, outcome: Outcome) -> None:
            raise Crash

    dying = Dying(both.store._db, both.clock, both.alerts, both.books, papers)
    with pytest.raises(Crash):
        dying.step("care")
    both.restart()
    both.change("grew", paragraph="30 people complain.")  # must not go out under the same key
    both.work()
    assert len(papers["care"].got) == 1
    both.clock.advance(TERM.total_seconds())
    both.work()
    both.work(70)
    (first, _), (second, repeated) = papers["care"].got
    if keyed:
        assert repeated  # and of no interest to it
    else:
        assert second == first
        assert repeated
    assert both.stand()["care"] == "told"


def test_what_was_sent_while_the_store_was_away_is_written_down_and_not_sent_again(
    desk: Desk, papers: dict[str, Paper], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.errors import StoreUnavailable

    desk.change()
    say = desk.sender._say
    troubles = [StoreUnavailable("locked"), StoreUnavailable("locked")]

    def away(*given: object) -> None:
        if troubles:
            raise troubles.pop()
        say(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.sender, "_say", away)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            desk.sender.step()
    desk.work()
    assert len(papers["care"].got) == 1
    assert desk.stand() == {"care": "told"}


def test_a_target_that_fails_in_its_own_code_does_not_take_others_with_it(
    sqlite_store: Store, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Paper):
        def send(self, notice: Notice, *, repeated: bool) -> Outcome:
            raise ValueError("https://hooks.example/T000/secret-token")

    papers = {"broken": Broken(), "fine": Paper()}
    desk = Desk(sqlite_store, clock, papers, "playbooks: [{name: all}]")
    desk.change()
    desk.work()
    assert papers["fine"].stories == ["open minor"]
    standings = {it.target: it for it in desk.alerts.standings("i1")}
    assert "ValueError" in standings["broken"].reason
    assert "secret-token" not in standings["broken"].reason + caplog.text


# ------------------------------------------------------------------------------ quiet hours

NIGHT = {"timezone": "Europe/Berlin", "hours": {"mon-sun": ["00:00-07:00", "22:00-24:00"]}}


@pytest.mark.parametrize(
    ("at", "severity", "waits"),
    [
        ("2026-01-05T20:59", "minor", False),  # 21:59 in Berlin
        ("2026-01-05T21:00", "minor", True),
        ("2026-01-05T21:00", "major", True),
        ("2026-01-05T21:00", "critical", False),
        ("2026-01-05T23:30", "minor", True),  # over midnight
        ("2026-01-06T05:59", "minor", True),
        ("2026-01-06T06:00", "minor", False),
        ("2026-07-06T05:00", "minor", False),  # summer: 07:00 in Berlin
        ("2026-07-06T04:59", "minor", True),
        ("2026-12-31T23:30", "minor", True),  # over the year's end
    ],
)
def test_quiet_hours_hold_what_can_wait(at: str, severity: str, waits: bool) -> None:
    quiet = quiet_from(NIGHT)
    assert quiet is not None
    assert quiet.holds(Severity(severity), datetime.fromisoformat(at).replace(tzinfo=UTC)) is waits


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-01-05T21:00", "2026-01-06T06:00"),
        ("2026-01-05T12:00", "2026-01-05T12:00"),
        ("2026-12-31T22:30", "2027-01-01T06:00"),
        ("2026-03-28T22:30", "2026-03-29T05:00"),  # the clock goes forward that night
    ],
)
def test_quiet_hours_end_when_the_clock_on_the_wall_says_so(at: str, end: str) -> None:
    quiet = quiet_from(NIGHT)
    assert quiet is not None
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert quiet.end(moment) == datetime.fromisoformat(end).replace(tzinfo=UTC)


@pytest.fixture
def night(store: Store, papers: dict[str, Paper]) -> Desk:
    clock = ManualClock(datetime(2026, 1, 5, 22, 0, tzinfo=UTC))
    store._clock = clock
    return Desk(store, clock, papers, quiet=quiet_from(NIGHT))


def test_what_happened_in_quiet_hours_is_summed_up_in_one_message(night: Desk, papers: dict[str, Paper]) -> None:
    for number in range(3):
        night.follow(Storm(id=f"i{number}", title=f"matter {number}"))
    night.work(60)
    assert papers["care"].got == []
    assert night.stand("i0") == {"care": "held"}
    night.clock.advance(7 * 3600)
    night.work()
    ((notice, _),) = papers["care"].got
    assert notice.summary
    assert sorted(it.title for it in notice.matters) == ["matter 0", "matter 1", "matter 2"]
    night.work(5)
    assert len(papers["care"].got) == 1
    night.follow(Storm(id="i1", title="matter 1", state="acknowledged", acknowledged_at=night.clock.now()))
    night.work()
    assert papers["care"].stories[-1] == "acknowledged minor"


def test_one_matter_alone_is_told_as_itself_when_the_night_is_over(night: Desk, papers: dict[str, Paper]) -> None:
    night.change()
    night.work(30)
    night.clock.advance(8 * 3600)
    night.work()
    ((notice, _),) = papers["care"].got
    assert not notice.summary


def test_what_cannot_wait_wakes_people_and_so_does_what_becomes_so(night: Desk, papers: dict[str, Paper]) -> None:
    night.change(severity=Severity.MAJOR)
    night.work(5)
    assert papers["care"].got == []
    night.change("grew", severity=Severity.CRITICAL)
    night.work()
    assert papers["care"].stories == ["open critical"]


def test_nobody_is_called_over_somebody_who_was_not_woken(night: Desk, papers: dict[str, Paper]) -> None:
    night.change()
    night.work(120)
    assert papers["lead"].got == []
    night.clock.advance(6 * 3600)  # 06:00 UTC, 07:00 in Berlin
    night.work(9)
    assert papers["care"].stories == ["open minor"]
    assert papers["lead"].got == []
    night.work(1)
    assert papers["lead"].stories == ["open minor"]


def test_a_target_that_does_not_sleep_is_told_at_night(night: Desk, papers: dict[str, Paper]) -> None:
    papers["care"].sleeps = False
    night.change()
    night.work()
    assert papers["care"].stories == ["open minor"]


# ------------------------------------------------------------------------------ housekeeping


def test_what_is_over_and_told_goes_and_what_still_waits_stays(both: Desk, papers: dict[str, Paper]) -> None:
    papers["care"].always = DOWN
    both.follow(Storm(id="told", state="closed"))
    both.follow(Storm(id="waits", state="open"))
    both.follow(Storm(id="waits", state="closed"))
    both.work()
    before = both.clock.now() + timedelta(days=30)
    assert both.alerts.prune(before) == 1
    assert both.alerts.prune(before) == 0
    assert both.stand("waits") == {"care": "waiting"}


def test_how_many_wait_is_known_by_target(desk: Desk, papers: dict[str, Paper]) -> None:
    desk.change()
    assert desk.sender.waiting() == {"care": 1, "lead": 0, "chief": 0}
    desk.work()
    assert desk.sender.waiting() == {"care": 0, "lead": 0, "chief": 0}


def test_many_senders_at_once_send_each_message_once(both: Desk, papers: dict[str, Paper]) -> None:
    for number in range(20):
        both.follow(Storm(id=f"i{number}"))

    def rounds(sender: Sender) -> None:
        for _ in range(20):
            sender.step()

    with ThreadPoolExecutor(4) as threads:
        senders = [Sender(both.store._db, both.clock, both.alerts, both.books, papers) for _ in range(4)]
        for done in [threads.submit(rounds, it) for it in senders]:
            done.result()
    both.work()
    keys = [notice.key for notice, _ in papers["care"].got]
    assert len(keys) == len(set(keys)) == 20
