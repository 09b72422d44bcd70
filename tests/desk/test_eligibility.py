"""Where an account may answer, as a table a care manager can read, and the reason and the link where it may not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.eligibility import Account, Eligible, Ineligible, decide, deep_link
from pipeline.mention import Author, Kind, Mention
from tests.fixtures.shapes import mention

X = Account("x", "900", "@AcmeHelp")
BLUESKY = Account("bluesky", "did:plc:acme", "acme.example")
REFS = {"uri": "at://a/p/1", "cid": "c1", "root_uri": "at://a/p/0", "root_cid": "c0"}


def on(network: str, **changes: Any) -> Mention:
    return mention(f"{network}:17", **({"url": f"https://{network}.example/17"} | changes))


@pytest.mark.parametrize(
    ("what", "changes", "tier", "quotes_ours", "may"),
    [
        ("names us", {"reply_ref": {"mentions": "someone acmehelp"}}, "self_serve", False, True),
        ("names us in other capitals", {"reply_ref": {"mentions": "ACMEHELP"}}, "self_serve", False, True),
        ("names somebody else", {"reply_ref": {"mentions": "acmehelp2"}}, "self_serve", False, False),
        ("names us in its text only", {"text": "@AcmeHelp hello"}, "self_serve", False, True),
        (
            "text and what X tagged disagree",
            {"text": "@AcmeHelp", "reply_ref": {"mentions": ""}},
            "self_serve",
            False,
            False,
        ),
        ("an address is no mention", {"text": "me@acmehelp.example"}, "self_serve", False, False),
        ("quotes us", {"kind": Kind.QUOTE}, "self_serve", True, True),
        ("quotes somebody else", {"kind": Kind.QUOTE}, "self_serve", False, False),
        ("replies to us without naming us", {"kind": Kind.REPLY, "parent": "x:1"}, "self_serve", True, False),
        ("names nobody", {}, "self_serve", False, False),
        ("names nobody, enterprise", {}, "enterprise", False, True),
    ],
)
def test_x_lets_self_serve_answer_only_where_it_was_mentioned_or_quoted(
    what: str, changes: dict[str, Any], tier: Any, quotes_ours: bool, may: bool
) -> None:
    account = Account("x", "900", "@AcmeHelp", tier=tier)
    decided = decide(on("x", **changes), account, quotes_ours=quotes_ours)
    assert isinstance(decided, Eligible) is may, what
    if isinstance(decided, Ineligible):
        assert decided.reason == (
            "X lets @AcmeHelp answer only posts that mention or quote it, and this one does neither."
        )
        assert decided.deep_link == "https://x.example/17"


def test_x_lets_anybody_be_written_to_in_private() -> None:
    account = Account("x", "900", "@AcmeHelp")
    assert decide(on("x"), account, private=True) == Eligible(account)
    assert isinstance(decide(on("x", own=True), account, private=True), Ineligible)
    assert isinstance(decide(on("x"), account, private=True, removed=True), Ineligible)
    assert isinstance(decide(on("x"), None, private=True), Ineligible)


def test_bluesky_needs_to_know_root_and_parent() -> None:
    assert decide(on("bluesky", reply_ref=REFS), BLUESKY) == Eligible(BLUESKY)
    decided = decide(on("bluesky", reply_ref=REFS | {"cid": ""}), BLUESKY)
    assert isinstance(decided, Ineligible)
    assert decided.reason == "What Bluesky needs to attach a reply is not known: cid."


@pytest.mark.parametrize("network", ["mastodon", "reddit", "youtube", "discourse", "threads", "facebook", "instagram"])
def test_elsewhere_the_right_to_post_and_the_quota_decide(network: str) -> None:
    may = Account(network, "1")
    assert decide(on(network), may) == Eligible(may)
    assert decide(on(network), Account(network, "1", replies_left=1)) == Eligible(Account(network, "1", replies_left=1))
    for account, said in (
        (Account(network, "1", may_post=False), "has not given this account the right"),
        (Account(network, "1", replies_left=0), "has used up the answers"),
        (None, "The brand has no account on"),
    ):
        decided = decide(on(network), account)
        assert isinstance(decided, Ineligible)
        assert said in decided.reason
        assert decided.deep_link == f"https://{network}.example/17"


@pytest.mark.parametrize(
    ("changes", "account", "said"),
    [
        ({"own": True}, X, "It is our own post."),
        ({"author": Author(id="900")}, X, "It is our own post."),
        ({"kind": Kind.REPOST}, X, "It repeats someone else's post; answer the original."),
        ({}, BLUESKY, "The account is one of Bluesky, the mention is from X."),
    ],
)
def test_what_nobody_answers_says_why(changes: dict[str, Any], account: Account, said: str) -> None:
    decided = decide(on("x", text="@acmehelp", **changes), account)
    assert isinstance(decided, Ineligible)
    assert decided.reason == said


@pytest.mark.parametrize(("network", "shown"), [("rss", "feeds"), ("hackernews", "Hacker News"), ("paper", "paper")])
def test_a_network_that_takes_no_answers_leaves_the_link(network: str, shown: str) -> None:
    expected = Ineligible(f"harken has no way to write on {shown}.", f"https://{network}.example/17")
    assert decide(on(network), None) == expected


def test_what_was_deleted_has_neither_an_answer_nor_a_link() -> None:
    decided = decide(on("x", text="@acmehelp"), X, removed=True)
    assert decided == Ineligible("It was deleted, so there is nothing left to answer.", "")


@pytest.mark.parametrize(
    ("id", "url", "link"),
    [
        ("x:17", "https://x.com/ana/status/17", "https://x.com/ana/status/17"),
        ("x:17", "", "https://x.com/i/status/17"),
        ("hackernews:8", "", "https://news.ycombinator.com/item?id=8"),
        ("x:17", "javascript:alert(1)", "https://x.com/i/status/17"),
        ("x:17/../../login", "", ""),
        ("x:\u0661", "", ""),
        ("rss:a", "", ""),
        ("rss:a", "https://", ""),
        ("rss:a", "https://[half", ""),
        ("rss:a", "http://ok.example/a b", ""),
        ("rss:a", "data:text/html,hello", ""),
    ],
)
def test_a_link_is_the_mentions_own_or_made_of_its_id_and_never_a_script(id: str, url: str, link: str) -> None:
    assert deep_link(mention(id, url=url)) == link


@given(url=st.text(max_size=40), own=st.booleans(), text=st.text(max_size=30))
def test_an_ineligible_mention_always_has_a_reason_and_a_link_only_to_the_web(url: str, own: bool, text: str) -> None:
    decided = decide(on("x", url=url, own=own, text=text), X)
    if isinstance(decided, Ineligible):
        assert decided.reason.endswith(".")
        assert decided.deep_link.startswith(("http://", "https://"))


def test_what_a_webhook_brought_is_answered_where_an_account_says_so() -> None:
    asked = on("shop")
    assert isinstance(decide(asked, Account("shop", "")), Eligible)
    refused = decide(asked, None)
    assert isinstance(refused, Ineligible)
    assert refused.reason == "harken has no way to write on shop."
