"""What is kept for a few seconds for everybody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from console.pages import kept
from pipeline.clock import ManualClock


def test_an_answer_is_kept_for_its_time() -> None:
    clock, answers = ManualClock(), iter(range(9))
    memory = kept.Kept(clock)
    assert [memory.get("a", 10, lambda: next(answers)) for _ in range(2)] == [0, 0]
    assert memory.get("b", 10, lambda: next(answers)) == 1
    clock.advance(10)
    assert memory.get("a", 10, lambda: next(answers)) == 2


def test_while_one_makes_it_anew_others_are_given_the_last() -> None:
    clock, going, go_on = ManualClock(), Event(), Event()
    memory = kept.Kept(clock)
    memory.get("a", 10, lambda: "old")
    clock.advance(11)

    def slowly() -> str:
        going.set()
        assert go_on.wait(30)
        return "new"

    with ThreadPoolExecutor() as pool:
        one = pool.submit(memory.get, "a", 10, slowly)
        assert going.wait(30)
        assert memory.get("a", 10, lambda: "another") == "old"
        go_on.set()
        assert one.result() == "new"
    assert memory.get("a", 10, lambda: "another") == "new"


def test_who_asks_first_waits_and_the_rest_with_them() -> None:
    memory, made = kept.Kept(ManualClock()), []

    def make() -> int:
        made.append(1)
        return len(made)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: memory.get("a", 10, make), range(40))) == {1}


def test_a_failure_is_not_kept() -> None:
    memory = kept.Kept(ManualClock())

    def fails() -> int:
        raise LookupError

    for _ in range(2):
        try:
            memory.get("a", 10, fails)
        except LookupError:
            continue
        raise AssertionError("it was kept")
    assert memory.get("a", 10, lambda: 3) == 3


def test_no_more_is_kept_than_there_is_room_for() -> None:
    memory = kept.Kept(ManualClock())
    for number in range(kept.MOST + 1):
        memory.get(number, 10, lambda: "old")
    assert memory.get(0, 10, lambda: "new") == "new"
    assert memory.get(kept.MOST, 10, lambda: "new") == "old"
