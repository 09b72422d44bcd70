from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desk.audit import Audit
from desk.links import MOST, Links, forget
from desk.refusals import Unfit
from pipeline.clock import ManualClock
from pipeline.store import Store
from tests.fixtures.postgres import empty

ANA = "user:ana"


@pytest.fixture
def links(store: Store, clock: ManualClock) -> Links:
    return Links(store._db, clock)


def test_two_accounts_are_one_person_on_evidence(links: Links, store: Store, clock: ManualClock) -> None:
    person = links.link("x:1", "bluesky:did:plc:z", "names the other in both profiles", ANA)
    assert person.accounts == ("bluesky:did:plc:z", "x:1")
    assert links.person_of("x:1") == links.person_of("bluesky:did:plc:z") == person
    (link,) = person.links
    assert (link.evidence, link.actor, link.at) == ("names the other in both profiles", ANA, clock.now())
    (entry,) = Audit(store._db, clock).entries()
    assert (entry.action, entry.actor, entry.about) == ("customer.linked", ANA, "link:bluesky:did:plc:z x:1")
    assert entry.facts == {"evidence": "names the other in both profiles"}


def test_an_account_by_itself_is_a_person_without_a_number(links: Links) -> None:
    assert links.person_of("x:1").id is None
    assert links.person_of("x:1").accounts == ("x:1",)


def test_linking_across_makes_two_persons_one(links: Links) -> None:
    links.link("x:1", "web:1", "same e-mail address", ANA)
    links.link("x:2", "web:2", "same e-mail address", ANA)
    assert len(links.link("web:1", "web:2", "said so", ANA).accounts) == 4
    assert len({links.person_of(it).id for it in ("x:1", "x:2", "web:1", "web:2")}) == 1


def test_taking_a_link_back_parts_them_and_stays_in_the_log(links: Links, store: Store, clock: ManualClock) -> None:
    links.link("x:1", "x:2", "a", ANA)
    links.link("x:2", "x:3", "b", ANA)
    links.link("x:3", "x:4", "c", ANA)
    assert links.unlink("x:3", "x:2", ANA).accounts == ("x:3", "x:4")
    assert links.person_of("x:1").accounts == ("x:1", "x:2")
    assert links.person_of("x:1").id != links.person_of("x:4").id
    assert links.unlink("x:1", "x:2", ANA).id is None
    actions = [it.action for it in Audit(store._db, clock).entries()]
    assert actions == ["customer.unlinked"] * 2 + ["customer.linked"] * 3
    assert links.link("x:1", "x:2", "after all", ANA).accounts == ("x:1", "x:2")


def test_a_link_through_a_third_is_named_when_it_cannot_be_taken_back(links: Links) -> None:
    links.link("x:1", "x:2", "a", ANA)
    links.link("x:2", "x:3", "b", ANA)
    with pytest.raises(Unfit, match="the links there are: x:2"):
        links.unlink("x:1", "x:3", ANA)
    with pytest.raises(Unfit, match="no link joins"):
        links.unlink("x:8", "x:9", ANA)


@pytest.mark.parametrize("account", ["reddit:t2_1", "Reddit:t2_1", "reddit-api:t2_1"])
def test_reddit_is_never_linked_on_either_side(links: Links, account: str) -> None:
    for pair in ((account, "x:1"), ("x:1", account)):
        with pytest.raises(Unfit, match="Reddit's terms"):
            links.link(*pair, "it is obvious", ANA)
    assert links.person_of("x:1").id is None


def test_a_link_needs_evidence_and_two_accounts(links: Links) -> None:
    wrong = [
        ("x:1", "x:2", " ", "evidence"),
        ("x:1", "x:2", "e" * 1001, "evidence"),
        ("x", "x:2", "e", "account"),
        ("x:1", "x:", "e", "other"),
        ("x:1", "x:1", "e", "other"),
        ("x:1", "x:@nobody", "e", "other"),
    ]
    for account, other, evidence, field in wrong:
        with pytest.raises(Unfit) as caught:
            links.link(account, other, evidence, ANA)
        assert caught.value.field == field


def test_a_person_has_so_many_accounts_and_no_more(links: Links) -> None:
    for number in range(1, MOST):
        links.link("x:0", f"x:{number}", "e", ANA)
    with pytest.raises(Unfit, match=f"at most {MOST}"):
        links.link("x:0", "web:one-more", "e", ANA)
    assert len(links.person_of("x:0").accounts) == MOST


def test_who_is_forgotten_takes_apart_what_only_they_held_together(links: Links, store: Store) -> None:
    links.link("x:1", "x:2", "a", ANA)
    links.link("x:2", "x:3", "b", ANA)
    links.link("x:3", "x:4", "c", ANA)
    with store._db.write() as transaction:
        forget(transaction, "x:2")
    assert links.person_of("x:1").id is None
    assert links.person_of("x:3").accounts == ("x:3", "x:4")
    assert not any("x:2" in map(str, found.row.values()) for found in store.rows("links", "persons"))


ACCOUNTS = [f"x:{number}" for number in range(6)]
PAIRS = list(combinations(ACCOUNTS, 2))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.booleans(), st.sampled_from(PAIRS)), max_size=14))
def test_persons_are_what_the_links_that_hold_connect(
    store: Store, clock: ManualClock, steps: list[tuple[bool, tuple[str, str]]]
) -> None:
    empty(store)
    links = Links(store._db, clock)
    there: set[tuple[str, str]] = set()
    for joins, pair in steps:
        if joins:
            links.link(*pair, "e", ANA)
            there.add(pair)
        elif pair in there:
            links.unlink(*pair, ANA)
            there.remove(pair)
    for account in ACCOUNTS:
        reached = {account}
        while more := {it for pair in there if reached & set(pair) for it in pair} - reached:
            reached |= more
        person = links.person_of(account)
        assert set(person.accounts) == reached
        assert (person.id is None) is (len(reached) == 1)
    numbers = {links.person_of(it).id for it in ACCOUNTS} - {None}
    assert len(numbers) == len({links.person_of(it).accounts for it in ACCOUNTS if links.person_of(it).id})
