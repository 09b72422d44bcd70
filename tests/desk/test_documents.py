"""What is edited at the desk, version by version."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from desk.audit import Audit
from desk.documents import MOST_CHARS, Documents, Kind, Unsound
from desk.macros import read
from desk.places import findings
from desk.refusals import Conflict, Unfit
from pipeline.clock import ManualClock
from pipeline.errors import ConfigError, Problem
from pipeline.store import Store

FIRST = "macros: [{name: a, texts: {en: hello}}]\n"
SECOND = "macros: [{name: b, texts: {en: hello}}]\n"


def documents_of(store: Store, clock: ManualClock) -> Documents:
    return Documents(
        store._db, clock, {"macros": Kind(lambda: "macros: []\n", lambda body: void(read(body, "macros")))}
    )


def void(_: object) -> None:
    return None


@pytest.fixture
def documents(store: Store, clock: ManualClock) -> Documents:
    return documents_of(store, clock)


def test_what_was_never_saved_is_what_the_configuration_says(documents: Documents) -> None:
    current = documents.current("macros")
    assert (current.version, current.body, current.latest) == (0, "macros: []\n", None)
    assert documents.versions("macros") == []
    assert documents.numbers() == {}


def test_the_newest_version_is_in_force_and_the_audit_log_tells_of_it(
    documents: Documents, store: Store, clock: ManualClock
) -> None:
    documents.save("macros", FIRST, "user:1", " we say hello ", 0)
    clock.advance(60)
    saved = documents.save("macros", SECOND.replace("\n", "\r\n"), "user:2", "another name", 1)
    assert documents.current("macros").latest == saved
    assert saved.body == SECOND, "lines as everywhere else"
    assert [(it.version, it.actor, it.why, it.made_from) for it in documents.versions("macros")] == [
        (2, "user:2", "another name", "version 1"),
        (1, "user:1", "we say hello", "the configuration"),
    ]
    assert [it.version for it in documents.versions("macros", before=2)] == [1]
    assert documents.numbers() == {"macros": 2}
    assert documents.in_force() == [saved]
    entry = Audit(store._db, clock).entries(1)[0]
    assert (entry.actor, entry.action, entry.about) == ("user:2", "document.saved", "document:macros")
    assert entry.facts == {"version": 2, "made_from": "version 1", "why": "another name"}


def test_an_old_version_put_back_is_a_new_one_and_0_is_the_configuration(documents: Documents) -> None:
    documents.save("macros", FIRST, "user:1", "x", 0)
    documents.save("macros", SECOND, "user:1", "x", 1)
    back = documents.roll_back("macros", 1, "user:1", "it was better", 2)
    assert (back.version, back.body, back.made_from) == (3, FIRST, "version 1, put back")
    configured = documents.roll_back("macros", 0, "user:1", "by the file", 3)
    assert configured.body is None
    assert documents.current("macros").body == "macros: []\n"
    assert documents.current("macros").version == 4
    with pytest.raises(Unfit, match="no version 9"):
        documents.roll_back("macros", 9, "user:1", "x", 4)


def test_of_two_who_changed_the_same_version_one_is_told(documents: Documents) -> None:
    documents.save("macros", FIRST, "user:1", "x", 0)
    with pytest.raises(Conflict, match="version 1 since you opened the configuration") as refused:
        documents.save("macros", SECOND, "user:2", "x", 0)
    assert refused.value.holder == "user:1"
    with pytest.raises(Conflict):
        documents.roll_back("macros", 0, "user:2", "x", 0)


def test_of_many_who_save_at_once_exactly_one_does(store: Store, clock: ManualClock) -> None:
    def save(number: int) -> bool:
        try:
            documents_of(store, clock).save("macros", FIRST, f"user:{number}", "x", 0)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(save, range(6))) == 1
    assert documents_of(store, clock).numbers() == {"macros": 1}


def test_what_is_wrong_is_not_saved_and_says_where(documents: Documents) -> None:
    wrong = "macros:\n  - name: a\n    texts:\n      en: hello\n      de: hallo {customer.nme}\n"
    (found,) = documents.check("macros", wrong)
    assert (found.line, found.message) == (5, "there is no variable {customer.nme}")
    with pytest.raises(Unsound) as refused:
        documents.save("macros", wrong, "user:1", "x", 0)
    assert refused.value.findings == (found,)
    assert documents.check("macros", "macros: [\n")[0].line == 2
    assert documents.numbers() == {}


@pytest.mark.parametrize(
    ("body", "why", "field"), [(FIRST, " ", "why"), (FIRST, "x" * 2001, "why"), (FIRST + "\0", "x", "body")]
)
def test_what_cannot_be_kept_is_refused(documents: Documents, body: str, why: str, field: str) -> None:
    with pytest.raises(Unfit) as refused:
        documents.save("macros", body, "user:1", why, 0)
    assert refused.value.field == field


def test_an_unknown_kind_and_a_huge_text_are_refused(documents: Documents) -> None:
    with pytest.raises(Unfit, match="there are macros"):
        documents.current("recipes")
    assert "characters" in documents.check("macros", "#" * (MOST_CHARS + 1))[0].message


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("rules.yaml: rules[1] (complaint).when.intents.complaint.at_leest", 7),
        ("rules: rules[1] (complaint).queue", 8),
        ("rules: rules[1] (complaint)", 5),
        ("rules: rules[9]", 2),
        ("rules: version", 1),
        ("elsewhere.entirely", None),
        ("rules:3:5", 3),
    ],
)
def test_a_problem_is_found_in_the_text_by_its_path(path: str, line: int | None) -> None:
    text = (
        "version: a\nrules:\n  - name: spam\n    when: {spam: {above: 1}}\n  - name: complaint\n    when:\n"
        "      intents.complaint: {at_leest: 1}\n    queue: x\n"
    )
    (found,) = findings(text, ConfigError([Problem(path, "is wrong", "")]))
    assert found.line == line
