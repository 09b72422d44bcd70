"""Answers over HTTP: written, checked, approved by somebody else, put on their way once."""

from __future__ import annotations

from tests.console.work import Work

ANSWER = "Hello Kim, we are sorry that your parcel is late."


def test_an_answer_is_written_checked_and_sent_under_the_token(work: Work) -> None:
    ana = work.agent()
    case = work.says()
    token = ana.holding(case)
    draft = ana.post(f"/cases/{case}/drafts", 201, text=ANSWER)
    assert (draft["state"], draft["mention"], draft["eligible"]) == ("draft", "mastodon:1", True)
    assert draft["writer"] == {"id": ana.user.id, "name": "ana"}
    assert draft["lengths"][0]["limit"] == 500
    sent = ana.post(f"/drafts/{draft['id']}/send", token=token)
    assert sent["state"] == "queued"
    again = ana.post(f"/drafts/{draft['id']}/send", token=token)
    assert again["version"] == sent["version"]
    assert ana.get(f"/cases/{case}")["case"]["pending"] == 1


def test_a_stale_token_sends_nothing(work: Work) -> None:
    ana, ben = work.agent(), work.agent("ben")
    case = work.says()
    stale = ana.holding(case)
    draft = ana.post(f"/cases/{case}/drafts", 201, text=ANSWER)
    ben.post(f"/cases/{case}/takeover", reason="ana went home")
    told = ana.post(f"/drafts/{draft['id']}/send", 409, token=stale)
    assert told["holder"]["name"] == "ben"
    assert ana.get(f"/drafts/{draft['id']}")["state"] == "draft"


def test_a_text_is_looked_at_without_being_kept(work: Work) -> None:
    ana = work.agent()
    case = work.says()
    seen = ana.post("/drafts/check", case=case, text="Calm down, it is your fault. " + "x" * 500)
    assert {"blame", "too_long"} <= {it["code"] for it in seen["warnings"]}
    long = next(it for it in seen["warnings"] if it["code"] == "too_long")
    assert long["spans"][0][0] == 500
    assert seen["lengths"][0]["over"] > 0
    assert seen["eligible"]
    asks = {"case": case, "text": "Sorry. Please send your order number."}
    assert [it["code"] for it in ana.post("/drafts/check", **asks)["warnings"]] == ["asks_in_public"]
    assert ana.post("/drafts/check", **asks, private=True)["warnings"] == []
    assert ana.get("/drafts")["items"] == []


def test_two_who_edit_one_draft_do_not_overwrite_each_other(work: Work) -> None:
    ana, ben = work.agent(), work.agent("ben")
    case = work.says()
    draft = ana.post(f"/cases/{case}/drafts", 201, text="One")
    edited = ana.put(f"/drafts/{draft['id']}", text="Two", version=draft["version"])
    assert edited["text"] == "Two"
    ben.put(f"/drafts/{draft['id']}", 409, text="Three", version=draft["version"])
    assert ben.get(f"/drafts/{draft['id']}")["text"] == "Two"


def test_who_may_not_send_asks_for_approval_and_a_lead_gives_it(work: Work) -> None:
    dan, ana, lead = work.agent("dan", "draft_only"), work.agent(), work.agent("lea", "lead")
    case = work.says()
    token = dan.holding(case)
    draft = dan.post(f"/cases/{case}/drafts", 201, text=ANSWER)
    path = f"/drafts/{draft['id']}"
    dan.post(f"{path}/send", 409, token=token)
    assert dan.post(f"{path}/submit", token=token)["state"] == "submitted"
    assert [it["id"] for it in lead.get("/drafts", state="submitted")["items"]] == [draft["id"]]
    ana.post(f"{path}/approve", 403)
    rejected = lead.post(f"{path}/reject", reason="name the depot")
    assert (rejected["state"], rejected["reason"]) == ("rejected", "name the depot")
    edited = dan.put(path, text=f"{ANSWER} It is in Leeds.", version=rejected["version"])
    dan.post(f"{path}/submit")
    approved = lead.post(f"{path}/approve")
    assert (approved["state"], approved["approver"]["name"]) == ("approved", "lea")
    assert approved["text"] == edited["text"]
    assert dan.post(f"{path}/send", token=token)["state"] == "queued"
    [entry] = work.accounts.entries(about=f"case:{case}")
    assert (entry.actor, entry.action, entry.facts) == (lead.user.actor, "draft.approved", {"draft": draft["id"]})


def test_nobody_approves_their_own_words(work: Work) -> None:
    lead = work.agent("lea", "lead")
    case = work.says(queue="marketing")
    token = lead.holding(case)
    draft = lead.post(f"/cases/{case}/drafts", 201, text=ANSWER)
    lead.post(f"/drafts/{draft['id']}/send", 409, token=token)  # marketing has every answer approved
    lead.post(f"/drafts/{draft['id']}/submit")
    lead.post(f"/drafts/{draft['id']}/approve", 409)


def test_a_draft_is_discarded_with_its_words(work: Work) -> None:
    ana = work.agent()
    case = work.says()
    draft = ana.post(f"/cases/{case}/drafts", 201, text=ANSWER)
    assert ana.post(f"/drafts/{draft['id']}/discard")["text"] == ""


def test_drafts_are_listed_newest_first_in_pages(work: Work) -> None:
    ana = work.agent()
    case = work.says()
    made = []
    for number in range(3):
        work.clock.advance(1)
        made.append(ana.post(f"/cases/{case}/drafts", 201, text=f"Draft {number}")["id"])
    first = ana.get("/drafts", case=case, limit=2)
    second = ana.get("/drafts", case=case, limit=2, after=first["next"])
    assert [it["id"] for it in [*first["items"], *second["items"]]] == made[::-1]
    assert ana.get(f"/cases/{case}")["drafts"][0]["id"] == made[-1]


def test_what_cannot_be_used_is_named(work: Work) -> None:
    ana = work.agent()
    case = work.says()
    for body, field in (
        ({}, "text"),
        ({"text": "x" * 10_001}, "text"),
        ({"text": "Hi", "mention": "mastodon:99"}, "mention"),
        ({"text": "Hi", "macro": "nope"}, "macro"),
        ({"text": "Hi", "language": "English"}, "language"),
    ):
        assert ana.post(f"/cases/{case}/drafts", 422, **body)["errors"][0]["field"] == field
    ana.post("/cases/nowhere/drafts", 404, text="Hi")
    ana.get("/drafts/nowhere", 404)
    ana.post("/drafts/check", 404, case="nowhere", text="Hi")


def test_macros_are_listed_for_a_language_and_a_network(work: Work) -> None:
    ana = work.agent()
    names = [it["name"] for it in ana.get("/macros")["items"]]
    assert names == ["sorry", "thanks"]
    assert [it["name"] for it in ana.get("/macros", language="de")["items"]] == ["sorry"]
    assert [it["name"] for it in ana.get("/macros", network="mastodon")["items"]] == ["sorry"]
    [sorry] = ana.get("/macros", language="de")["items"]
    assert sorry["variables"] == ["customer.first_name", "links.help", "agent.name"]


def test_a_macro_is_filled_in_for_a_case(work: Work) -> None:
    ana = work.agent()
    case = work.says()
    filled = ana.post("/macros/sorry/fill", case=case)
    assert filled["language"] == "en"
    assert "acme.example/help, ask for ana" in filled["text"]
    assert filled["missing"] == ["customer.first_name"]
    assert ana.post("/macros/sorry/fill", case=case, language="de")["text"].startswith("Hallo")
    assert ana.post("/macros/sorry/fill", 422, case=case, language="fr")["errors"][0]["field"] == "language"
    ana.post("/macros/none/fill", 404, case=case)
    ana.post("/macros/sorry/fill", 404, case="nowhere")
