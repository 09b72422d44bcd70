"""What became of stored posts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import SecretStr

from connectors.x import Config, Rechecker
from pipeline.clock import ManualClock
from pipeline.errors import SourceRefused, SourceUnavailable
from pipeline.mention import Mention, Removal
from pipeline.ports import Context
from tests.fixtures.shapes import mention
from tests.fixtures.x_server import START, TOKEN, XServer, post, snowflake


@pytest.fixture
def rechecker(x_server: XServer) -> Rechecker:
    config = Config(bearer_token=SecretStr(TOKEN), api_base=x_server.url, recheck_posts_per_day=3)
    return Rechecker(config, Context("birds", (), ManualClock(START)))


def stored(serial: int) -> Mention:
    id = snowflake(START, serial)
    return mention(f"x:{id}", created_at=START, conversation=f"x:{id}", reply_ref={"id": id}, brand="acme")


def test_what_is_gone_or_protected_is_removed_and_the_rest_left(x_server: XServer, rechecker: Rechecker) -> None:
    x_server.archive = [post("Acme", serial=1), post("Acme in private", serial=2, protected=True)]
    found = rechecker.recheck([stored(1), stored(2), stored(3), mention("x:nonsense")])
    assert [(one.mention, one.reason) for one in found if isinstance(one, Removal)] == [
        (stored(2).id, "account_hidden"),
        (stored(3).id, "deleted"),
    ]
    assert len(found) == 2
    (request,) = x_server.requests
    assert request[2]["ids"] == [",".join(stored(serial).native_id for serial in (1, 2, 3))]


def test_what_was_edited_comes_anew(x_server: XServer, rechecker: Rechecker) -> None:
    later = START + timedelta(minutes=5)
    versions = [stored(1).native_id, snowflake(later)]
    x_server.archive = [post("Acme is fine after all", later, edit_history_tweet_ids=versions)]
    (anew,) = rechecker.recheck([stored(1)])
    assert isinstance(anew, Mention)
    assert (anew.id, anew.text, anew.edited_at) == (stored(1).id, "Acme is fine after all", later)
    assert anew.brand == "acme"
    assert rechecker.recheck([anew]) == []


def test_trouble_is_told_and_nothing_is_taken_for_gone(x_server: XServer, rechecker: Rechecker) -> None:
    x_server.refuse("post", 503)
    with pytest.raises(SourceUnavailable):
        rechecker.recheck([stored(1)])
    x_server.refuse("post", 401)
    with pytest.raises(SourceRefused):
        rechecker.recheck([stored(1)])
    x_server.refuse("post", 200, b'{"errors": [{"type": "x", "value": 5}, "odd"], "data": "odd"}')
    assert rechecker.recheck([stored(1)]) == []


def test_no_more_is_looked_at_a_day_than_was_agreed(x_server: XServer) -> None:
    clock = ManualClock(START)
    config = Config(bearer_token=SecretStr(TOKEN), api_base=x_server.url, recheck_posts_per_day=3)
    ours = Rechecker(config, Context("birds", (), clock))
    x_server.archive = [post("Acme", serial=serial) for serial in range(4)]
    assert ours.recheck([stored(serial) for serial in range(4)]) == []
    with pytest.raises(SourceUnavailable) as bound:
        ours.recheck([stored(1)])
    assert (bound.value.trouble, bound.value.retry_after) == ("rate_limited", 15 * 3_600)
    assert len(x_server.requests) == 1
    clock.advance(15 * 3_600)
    assert ours.recheck([stored(1)]) == []


def test_an_x_that_knows_only_the_older_names_is_asked_by_them(x_server: XServer, rechecker: Rechecker) -> None:
    x_server.by_tweets = True
    assert len(rechecker.recheck([stored(1)])) == 1
    asked = [sorted(set(query) & {"post.fields", "tweet.fields"}) for _, _, query, _ in x_server.requests]
    assert asked == [["post.fields"], ["tweet.fields"]]
    x_server.refuse("post", 400, b'{"title":"Invalid Request","detail":"no"}')
    with pytest.raises(SourceRefused, match="no"):
        rechecker.recheck([stored(1)])


def test_an_error_about_what_a_post_refers_to_removes_nothing(x_server: XServer, rechecker: Rechecker) -> None:
    id = stored(1).native_id
    error = '"type": "https://api.x.com/2/problems/resource-not-found", "parameter": "referenced_tweets.id"'
    x_server.refuse("post", 200, f'{{"errors": [{{{error}, "resource_id": "{id}"}}]}}'.encode())
    assert rechecker.recheck([stored(1)]) == []
