"""The routing rules and their examples: read, changed with what the change would do in sight, and put back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Form, Query, Response
from pydantic import Field

from console.api.problems import Refused
from console.pages.differences import differences
from console.pages.page import Page, Posted, changes, opens
from console.pages.versions import Number, PutBack, beside, people
from console.pages.words import url
from desk.documents import Unsound
from desk.places import Finding
from desk.refusals import Conflict
from desk.roles import Action
from pipeline.errors import ConfigError
from pipeline.mention import Routed
from routing.cases import CaseResult, run_text
from routing.diff import Diff, diff
from routing.documents import parsed
from routing.router import Router
from routing.rules import Rules, parse

router = APIRouter(include_in_schema=False)

TRIED = 2000
"""How many of the newest mentions a change is tried on, at most."""

TRIED_SECS = 2.0
"""How long that may take; what was not reached by then is left out, and the page says how many it was."""

SHOWN = 20
"""Versions of a page."""

Which = Literal["rules", "examples"]
KINDS: dict[str, str] = {"rules": "rules", "examples": "rule_tests"}

READS: tuple[Action, ...] = ("system.read", "figures.read", "rules.write")
"""Whoever has one of these may read the rules."""

Opens = Annotated[Page, opens()]
Changes = Annotated[Page, changes("rules.write")]


class Edited(Posted):
    """A text to try, or to put in force: `tried` is of the text whose effect was shown, `anyway` says that examples may
    fail."""

    body: str = ""
    why: Annotated[str, Field(max_length=20_000)] = ""
    expected: Number = 0
    tried: str = ""
    anyway: bool = False
    do: Literal["try", "save"] = "try"


class Trial(NamedTuple):
    """What a text would do: the rules it holds, how the examples fare, and what would move of the newest mentions.
    `wrong` says why the examples themselves cannot be read."""

    rules: Rules
    results: Sequence[CaseResult]
    wrong: str
    moved: Diff | None
    said: dict[str, str]

    @property
    def failed(self) -> list[CaseResult]:
        """The examples that do not come out as they say."""
        return [it for it in self.results if not it.passed]


@router.get("/rules")
def rules(page: Opens, before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None) -> Response:
    """The rules in force, rule by rule."""
    return _shown(page, "rules", before)


@router.get("/rules/examples")
def examples(page: Opens, before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None) -> Response:
    """The examples of where a mention must go, and whether it does."""
    return _shown(page, "examples", before)


@router.get("/rules/{which}/edit")
def edit(page: Annotated[Page, opens("rules.write")], which: Which) -> Response:
    """The text in force, to be changed."""
    current = page.given.documents.current(KINDS[which])
    return _editor(page, which, Edited(body=current.body, expected=current.version))


@router.post("/rules/{which}/edit")
def change(page: Changes, which: Which, form: Annotated[Edited, Form()]) -> Response:
    """Try a text, or put it in force once its effect was shown; nothing that was typed is lost."""
    documents, kind = page.given.documents, KINDS[which]
    form = form.model_copy(update={"body": form.body.replace("\r\n", "\n")})
    if found := documents.check(kind, form.body):
        return _editor(page, which, form, 200 if form.do == "try" else 422, findings=found)
    trial = _tried(page, form.body if which == "rules" else None, form.body if which == "examples" else None)
    if form.do == "try":
        return _editor(page, which, form, trial=trial)
    if form.tried != _digest(form.body):
        unseen = page._("Not saved yet: look at what it would change, then save it.")
        return _editor(page, which, form, 409, trial=trial, notice=unseen)
    if (trial.failed or trial.wrong) and which == "rules" and not form.anyway:
        failing = page._("Not saved: examples fail. Mend the rules or the examples, or tick that they may.")
        return _editor(page, which, form, 409, trial=trial, notice=failing)
    if not form.why.strip():
        unexplained = page._("Say why in a few words: others will want to know.")
        return _editor(page, which, form, 422, trial=trial, why_error=unexplained)
    try:
        saved = documents.save(kind, form.body, page.me.actor, form.why, form.expected)
    except Unsound as error:
        return _editor(page, which, form, 422, findings=error.findings)
    except Conflict as error:
        newest = form.model_copy(update={"expected": documents.current(kind).version})
        return _editor(page, which, newest, 409, trial=trial, notice=str(error), conflict=True)
    said = page._("Version %(version)s is saved and in force within seconds.", version=saved.version)
    return page.go(_home(which), said)


@router.get("/rules/{which}/versions/{number}")
def version(page: Opens, which: Which, number: int) -> Response:
    """One version: what it changed, and what putting it back would change now."""
    _may_read(page)
    kind = KINDS[which]
    found = beside(page, kind, number)
    body, current = found["body"], found["current"]
    sound = not page.given.documents.check(kind, body)
    again = number != current.version and body != current.body
    return page.render(
        "rules/version.html",
        which=which,
        home=_home(which),
        trial=_tried(page, body, None) if again and sound and which == "rules" else None,
        sound=sound,
        put_back=f"/rules/{which}/put-back",
        writable=page.may("rules.write"),
        **found,
    )


@router.post("/rules/{which}/put-back")
def put_back(page: Changes, which: Which, form: Annotated[PutBack, Form()]) -> Response:
    """Put an old version in force again, as a new one."""
    documents = page.given.documents
    saved = documents.roll_back(KINDS[which], form.version, page.me.actor, form.why, form.expected)
    said = page._("It is in force again within seconds, as version %(version)s.", version=saved.version)
    return page.go(_home(which), said)


def _shown(page: Page, which: Which, before: int | None) -> Response:
    _may_read(page)
    documents, kind = page.given.documents, KINDS[which]
    current = documents.current(kind)
    versions = documents.versions(kind, SHOWN + 1, before)
    more = url(_home(which), before=versions[SHOWN - 1].version) if len(versions) > SHOWN else None
    return page.render(
        "rules/rules.html",
        which=which,
        home=_home(which),
        current=current,
        held=_held(current.body) if which == "rules" else None,
        trial=_tried(page, None, None, history=False) if which == "examples" else None,
        versions=versions[:SHOWN],
        people=people(page, versions),
        more=more,
        before=before,
        writable=page.may("rules.write"),
    )


def _editor(
    page: Page,
    which: Which,
    form: Edited,
    status: int = 200,
    *,
    findings: Sequence[Finding] = (),
    trial: Trial | None = None,
    notice: str = "",
    conflict: bool = False,
    why_error: str = "",
) -> Response:
    current = page.given.documents.current(KINDS[which])
    lines = form.body.split("\n")
    return page.render(
        "rules/edit.html",
        status,
        which=which,
        home=_home(which),
        form=form,
        tried=_digest(form.body) if trial else "",
        findings=[(it, lines[it.line - 1] if it.line and it.line <= len(lines) else "") for it in findings],
        marked={it.line for it in findings},
        lines=len(lines),
        trial=trial,
        notice=notice,
        conflict=conflict,
        why_error=why_error,
        changed=differences(current.body, form.body) if trial or conflict else [],
        most=TRIED,
    )


def _tried(page: Page, body: str | None, examples: str | None, history: bool = True) -> Trial:
    """What these rules would do, or those in force, by these examples, or those in force. A sound text is taken for
    granted; the examples that are in force may have been written for other queues, and are tried all the same."""
    documents = page.given.documents
    made = _made(documents.current("rules").body if body is None else body)
    results: list[CaseResult] = []
    wrong = ""
    try:
        results = run_text(made, documents.current("rule_tests").body if examples is None else examples)
    except ConfigError as error:
        wrong = str(error)
    if body is None or not history:
        return Trial(made, results, wrong, None, {})
    said: dict[str, str] = {}
    moved = diff(_newest(page, said), Router(made), examples=3)
    return Trial(made, results, wrong, moved, said)


def _newest(page: Page, said: dict[str, str]) -> Iterator[Routed]:
    """The newest mentions as they were decided, for as long as that may take; keeps what they say beside."""
    clock = page.given.clock
    end = clock.monotonic() + TRIED_SECS
    for routed in page.given.store.recent(TRIED):
        if clock.monotonic() > end:
            return
        said[routed.mention.id] = routed.mention.text[:200]
        yield routed


def _made(body: str) -> Rules:
    return parse(parsed(body, "rules"))


def _held(body: str) -> Rules | None:
    try:
        return _made(body)
    except ConfigError:
        return None


def _digest(body: str) -> str:
    return sha256(body.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _home(which: Which) -> str:
    return "/rules" if which == "rules" else "/rules/examples"


def _may_read(page: Page) -> None:
    if not any(map(page.may, READS)):
        raise Refused(403, f"this needs one of {', '.join(READS)}", needs=list(READS))
