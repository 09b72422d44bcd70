"""Every page of the console, with something on it: the mentions of the demo, and what people have made of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Page

from desk.handling import By
from pipeline.ports import Gap
from tests.fixtures.in_process import run_here
from tests.fixtures.site import VIA, Site, Visit, angry
from tests.store.samples import letter

DEMO = Path(__file__).parent.parent.parent / "examples" / "demo" / "mentions.jsonl"

ANSWER = "Hello Maya, we are sorry for the wait. Your refund went out this morning and arrives within three days."


class Stop(NamedTuple):
    """A page, under the name its picture has, and who looks at it; `{case}` and the like are filled in. Where there is
    a button to `press`, it is what comes of that."""

    name: str
    path: str
    who: str | None = "lea"
    press: str = ""


STOPS = (
    Stop("sign-in", "/sign-in", None),
    Stop("desk", "/desk", "ana"),
    Stop("cases", "/cases?queue=service", "ana"),
    Stop("cases-filtered", "/cases?show=all&priority=urgent"),
    Stop("cases-none", "/cases?tag=nothing-has-this", "ana"),
    Stop("case", "/cases/{case}", "ana"),
    Stop("case-storm", "/cases/{storm_case}", "ben"),
    Stop("case-hostile", "/cases/{hostile}", "ana"),
    Stop("approvals", "/approvals"),
    Stop("search", "/search?q=refund", "ana"),
    Stop("search-none", "/search?q=zebra", "ana"),
    Stop("customer", "/customers/{customer}"),
    Stop("me", "/me", "ana"),
    Stop("tokens", "/me/tokens", "ana"),
    Stop("board", "/board", "mia"),
    Stop("leads", "/leads", "mia"),
    Stop("advocates", "/advocates", "mia"),
    Stop("phrases", "/phrases", "mia"),
    Stop("report", "/report", "mia"),
    Stop("incidents", "/incidents", "mia"),
    Stop("incident", "/incidents/{incident}", "mia"),
    Stop("review", "/incidents/{incident}/review", "mia"),
    Stop("flow", "/flow", "otto"),
    Stop("dead-letters", "/flow/dead", "otto"),
    Stop("dead-letter", "/flow/dead/l1", "otto"),
    Stop("gaps", "/flow/gaps", "otto"),
    Stop("rules", "/rules", "otto"),
    Stop("rules-edit", "/rules/rules/edit", "otto"),
    Stop("admin", "/admin", "ada"),
    Stop("people", "/admin/people", "ada"),
    Stop("person", "/admin/people/{ana}", "ada"),
    Stop("teams", "/admin/teams"),
    Stop("admin-tokens", "/admin/tokens", "ada"),
    Stop("audit", "/admin/audit", "ada"),
    Stop("macros", "/admin/documents/macros"),
    Stop("macros-edit", "/admin/documents/macros/edit"),
    Stop("calendars", "/admin/documents/calendars"),
    Stop("terms", "/admin/brands?brand=larkline", "otto", "Preview"),
    Stop("missing", "/nowhere", "ana"),
    Stop("forbidden", "/admin/people", "ana"),
)

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    "javascript:document.title='owned' https://ok.example/a?b=<b>&c=\" "
    "data:text/html,<script>document.title='owned'</script>",
    "\u202eevil\u202c \u2066isolated \u2067mixed\u2069 acme \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "zero\u200bwidth\u200djoined\ufeffmarks \u00ad soft",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U0010fffd \U0001f621",
    "'; DROP TABLE mentions; -- \" OR 1=1",
    "{{ 7*7 }} {% for it in ().__class__.__base__.__subclasses__() %} ${7*7} <%= 7*7 %> #{7*7}",
    '=HYPERLINK("http://evil.example","click") +1+1 -1 @SUM(1) \t=1+1',
    "nul \0 bell \x07 escape \x1b[31m return \r\n line \u2028 separator",
    "huge " + "acme " * 2000 + "w" * 4000,
)
"""What somebody may post to do harm: scripts, links that are programs, letters that turn the text around or cannot be
seen, pictures beyond the basic plane, SQL, templates, formulas, control characters, and very much of it."""


class Toured(NamedTuple):
    """The site with everything on it, and what the paths of STOPS are filled in with."""

    site: Site
    places: dict[str, str]

    def path(self, stop: Stop) -> str:
        """Where a stop is."""
        return stop.path.format(**self.places)

    def open(self, window: Visit, stop: Stop) -> Page:
        """The window, at that stop."""
        if stop.name in ("missing", "forbidden"):
            window.may_say("status of 40")
        page = window.to(self.path(stop))
        if stop.press:
            with page.expect_navigation():
                page.get_by_role("button", name=stop.press).click()
        return page

    def beat(self) -> None:
        """Have every role say that it is at work, as it does every few seconds."""
        since = self.site.clock.now() - timedelta(hours=9)
        for role in ("collect", "enrich", "route", "deliver", "spikes", "desk", "serve"):
            self.site.store.beat(f"{role}-1", role, since, 4711, 3.5)


def furnished(folder: Path, **changes: Any) -> Toured:
    """A site with the demo in it, worked on a little."""
    brands = {"larkline": {"terms": ["larkline", "larkpass", "nightlark"], "handles": ["larkline"]}}
    site = Site(folder, brands=brands | {"acme": {"terms": ["acme"]}}, **changes)
    file = str(folder / "config.yaml")
    read = ["--config", file, "ingest", str(DEMO), "--anchor", "now"]
    done = run_here(read, folder, {"SHOP_SECRET": "s" * 32, "COLUMNS": "200"})
    assert done.status == 0, done.stderr
    return Toured(site, _worked(site))


def _worked(site: Site) -> dict[str, str]:
    """What people did today."""
    now = site.clock.now()
    case = site.says(
        "shop:maya1",
        "@larkline third time I write: my refund for the cancelled night train is still missing. Ticket LK-4471. "
        "Who can help? \U0001f621",
        author="maya",
        name="Maya Brandt",
        tags=angry("missing", topics=("refund",)),
        evidence=("intents.complaint=0.9",),
        created_at=now - timedelta(minutes=21),
    )
    later = now - timedelta(minutes=9)
    site.says(
        "shop:maya2",
        "And nobody answers the phone either.",
        author="maya",
        name="Maya Brandt",
        created_at=later,
        tags=angry("nobody"),
    )
    by = site.claimed(case)
    site.cases.note(case, By(site.users["ben"].actor), "She wrote by mail, too; it is in the system.")
    site.cases.tag(case, by, ["refund", "vip"])
    waiting = site.says(
        "shop:jon", "Is the LarkPass valid on the night train?", author="jon", name="Jon Okafor", queue="marketing"
    )
    draft = site.parts.drafts.write(
        waiting, site.claimed(waiting, "ben"), "Hello Jon, yes, it is: on every night train."
    )
    site.parts.drafts.submit(draft.id, By(site.users["ben"].actor))
    hostile = [
        site.says(f"shop:h{number}", text, author=f"h{number}", created_at=now - timedelta(minutes=40 + number))
        for number, text in enumerate(HOSTILE)
    ]
    died = now - timedelta(minutes=5)
    site.store.bury([letter("l1", "shop:9", at=died, source="shop", via=VIA, reason="not JSON: line 1")])
    gap = Gap(since=now - timedelta(hours=3), until=now - timedelta(hours=2), reason="the stream was cut off")
    site.store.take_in(VIA, "c1", [], gaps=[gap])
    while site.parts.facts.follow():
        pass
    site.parts.incidents.gather()
    found = site.parts.incidents.incidents().incidents
    assert found, "the demo has a firestorm"
    storm = next(it for it in site.cases.cases().cases if it.brand == "larkline" and it.queue == "service")
    return {
        "case": case,
        "storm_case": storm.id,
        "hostile": hostile[0],
        "customer": "shop:maya",
        "incident": found[0].id,
        "ana": site.users["ana"].id,
    }
