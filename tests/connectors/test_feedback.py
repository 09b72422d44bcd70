from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from pydantic import SecretStr, ValidationError

from connectors import _feedback_page as page_of
from connectors._feedback_form import LONGEST, TRAP, Form
from connectors._feedback_traps import Limits, Tokens
from connectors.feedback import Config, Connector
from pipeline.clock import SystemClock
from pipeline.codec import encode
from pipeline.mention import Kind, Mention
from pipeline.ports import Context, Page
from tests.contract.connectors.feedback import SECRET

FORM = Form(
    brand="Acme", topics=("Delivery", "Shop"), sites=("https://www.acme.example",), privacy_url="https://acme.example/p"
)


class Visitor:
    """A connector that listens, read by hand, and somebody with a browser."""

    def __init__(self, form: Form = FORM, **settings: Any) -> None:
        self.clock = SystemClock()
        settings = {"fill_secs": 0, **settings}
        self.config = Config(port=0, secret=SecretStr(SECRET), forms={"acme": form}, **settings)
        self.connector = Connector(self.config, Context("forms", (), self.clock))
        self.pages = cast(Any, self.connector.pages(None))
        next(self.pages)
        self.tokens = Tokens(self.config.secret)
        self.threads = ThreadPoolExecutor(4)

    def ask(self, method: str, path: str, **sent: Any) -> Future[httpx2.Response]:
        def send() -> httpx2.Response:
            with httpx2.Client(trust_env=False, timeout=20) as client:
                return client.request(method, f"http://127.0.0.1:{self.connector.port}/feedback/{path}", **sent)

        return self.threads.submit(send)

    def get(self, path: str = "acme", **sent: Any) -> httpx2.Response:
        return self.ask("GET", path, **sent).result()

    def token(self, ago: timedelta = timedelta(minutes=1)) -> str:
        return self.tokens.issue("acme", self.clock.now() - ago)

    def post(self, path: str = "acme", headers: Any = None, **fields: Any) -> Future[httpx2.Response]:
        return self.ask("POST", path, headers=headers, data={"token": self.token(), **fields})

    def refused(self, **fields: str) -> httpx2.Response:
        """The answer to what never reaches a page."""
        return self.post(**fields).result()

    def taken(self, sent: Future[httpx2.Response]) -> tuple[Mention, httpx2.Response]:
        """What was sent, as a mention, and the answer once that was durable."""
        (mention,) = next(page for page in cast(Iterator[Page], self.pages) if page.items).items
        assert isinstance(mention, Mention)
        assert not sent.done()
        while not sent.done():
            next(self.pages)
        return mention, sent.result()


@contextmanager
def visiting(form: Form = FORM, **settings: Any) -> Iterator[Visitor]:
    at = Visitor(form, **settings)
    with closing(at.pages):
        yield at
    at.threads.shutdown()


@pytest.fixture(scope="module")
def visitor() -> Iterator[Visitor]:
    with visiting(per_address=10_000) as at:
        yield at


def hidden(answer: httpx2.Response) -> str:
    found = re.search(r'name="token" value="([^"]+)"', answer.text)
    assert found
    return found[1]


def test_a_message_is_thanked_for_with_its_reference_only_once_it_is_durable(visitor: Visitor) -> None:
    mention, answer = visitor.taken(
        visitor.post(message="Late again.\r\nTwice!", rating="2", topic="Delivery", name="Ana", email="Ana@Example.org")
    )
    assert answer.status_code == 200
    assert mention.native_id in answer.text
    assert "answer to the e-mail address" in answer.text
    assert (mention.source, mention.brand, mention.via, mention.kind) == ("feedback", "Acme", "forms", Kind.MESSAGE)
    assert (mention.text, mention.title, mention.rating) == ("Late again.\nTwice!", "Delivery", 0.4)
    assert (mention.author.id, mention.author.name) == ("ana@example.org", "Ana")
    assert mention.suspicions == ()


def test_two_people_without_an_address_are_not_one_person(visitor: Visitor) -> None:
    authors = set()
    for _ in range(2):
        mention, _answer = visitor.taken(visitor.post(message="The same words"))
        authors.add(mention.author.id)
        assert mention.author.id.startswith("anonymous-")
    assert len(authors) == 2


def test_the_same_form_sent_twice_is_one_mention_and_other_words_are_another(visitor: Visitor) -> None:
    token = visitor.token()
    ids = [visitor.taken(visitor.post(token=token, message=text))[0].id for text in ("One", "One", "Two")]
    assert ids[0] == ids[1] != ids[2]


def test_what_never_became_durable_comes_back_with_all_that_was_written() -> None:
    with visiting(durable_timeout_secs=0.2) as at:
        token = at.token()
        answer = at.refused(message='Lost & "found"', name="<b>Ana", token=token, topic="Shop", rating="5")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert "Lost &amp; &#34;found&#34;</textarea>" in answer.text
        assert 'value="&lt;b&gt;Ana"' in answer.text
        assert '<option value="Shop" selected>' in answer.text
        assert '<option value="5" selected>' in answer.text
        assert hidden(answer) == token, "sent again it is the same message"


def test_the_form_that_is_shown_can_be_sent(visitor: Visitor) -> None:
    mention, _ = visitor.taken(visitor.post(token=hidden(visitor.get()), message="Hello"))
    assert mention.text == "Hello"


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"message": " \n "}, "message", "Write a message."),
        ({"message": "x" * (LONGEST + 1)}, "message", "longer than 10,000"),
        ({"message": "x", "rating": "9"}, "rating", "Choose one"),
        ({"message": "x", "topic": "Made up"}, "topic", "Choose one"),
        ({"message": "x", "email": "ana at home"}, "email", "not an e-mail address"),
        ({"message": "x", "email": "a@b.org\nBcc: c@d.org"}, "email", "not an e-mail address"),
        ({"message": "x", "name": "n" * 201}, "name", "too long"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_in_a_list_on_top(
    visitor: Visitor, fields: dict[str, str], field: str, words: str
) -> None:
    answer = visitor.refused(**fields)
    assert answer.status_code == 422
    assert f'<a href="#{field}">' in answer.text
    assert f'id="{field}-error"' in answer.text
    assert f'{field}-error" aria-invalid="true"' in answer.text
    assert answer.text.count(words) == 2


def test_the_longest_message_in_the_widest_letters_is_taken(visitor: Visitor) -> None:
    mention, _ = visitor.taken(visitor.post(message="🚂" * LONGEST))
    assert len(mention.text) == LONGEST


def test_control_characters_do_not_get_in(visitor: Visitor) -> None:
    mention, _ = visitor.taken(visitor.post(message="a\x00b\x08c\td"))
    assert mention.text == "abc\td"


def test_a_form_that_wants_to_know_who_writes_asks_for_the_address() -> None:
    with visiting(Form(anonymous=False)) as at:
        answer = at.refused(message="x")
        assert answer.status_code == 422
        assert "so that you can be answered" in answer.text
        assert at.taken(at.post(message="x", email="a@b.example"))[0].brand == "acme"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "a.1.é"])
def test_a_form_that_was_not_opened_here_comes_back_with_the_text_and_can_then_be_sent(
    visitor: Visitor, token: str
) -> None:
    answer = visitor.refused(token=token, message="Blindly posted")
    assert answer.status_code == 409
    assert "Blindly posted</textarea>" in answer.text
    mention, _ = visitor.taken(visitor.post(token=hidden(answer), message="Blindly posted"))
    assert mention.suspicions == ()


def test_a_token_of_another_form_or_another_day_is_none() -> None:
    with visiting(open_hours=1) as at:
        other = at.tokens.issue("globex", at.clock.now())
        for token in (other, at.token(timedelta(hours=2))):
            assert at.refused(token=token, message="x").status_code == 409


@pytest.mark.parametrize(
    ("fields", "settings", "sign"),
    [
        ({TRAP: "https://spam.example"}, {}, "a field that people do not see was filled in"),
        ({"message": "see http://a http://b http://c http://d"}, {}, "4 links"),
        ({}, {"fill_secs": 120}, "after the form was opened"),
    ],
)
def test_a_tripped_trap_is_thanked_too_and_its_mention_says_why_it_is_suspected(
    fields: dict[str, str], settings: dict[str, Any], sign: str
) -> None:
    with visiting(**settings) as at:
        mention, answer = at.taken(at.post(**{"message": "Hello", **fields}))
        assert answer.status_code == 200
        (said,) = mention.suspicions
        assert sign in said


def test_who_sends_too_often_is_asked_to_wait_and_keeps_the_text() -> None:
    with visiting(per_address=2, within_minutes=5) as at:
        for number in range(2):
            at.taken(at.post(message=f"Message {number}"))
        answer = at.refused(message="One more")
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 301
        assert "in 5 min" in answer.text
        assert "One more</textarea>" in answer.text
        other = at.post(message="From elsewhere", headers={"X-Forwarded-For": "203.0.113.9"})
        assert at.taken(other)[1].status_code == 200


def test_only_a_proxy_named_in_the_settings_may_say_for_whom_it_asks() -> None:
    with visiting(per_address=1, proxies=("192.0.2.1",)) as at:
        at.taken(at.post(message="a", headers={"X-Forwarded-For": "203.0.113.1"}))
        assert at.post(message="b", headers={"X-Forwarded-For": "203.0.113.2"}).result().status_code == 429


class Moved(SystemClock):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def test_counts_are_of_an_address_or_a_subscribers_network_and_are_forgotten_with_their_salt() -> None:
    clock = Moved()
    limits = Limits(clock, per_address=1, per_form=3, minutes=10)
    assert limits.refused("acme", "2001:db8::1") == 0
    assert limits.refused("acme", "2001:db8::2") == 600, "one subscriber"
    assert limits.refused("acme", "2001:db8:0:1::1") == 0
    assert limits.refused("globex", "2001:db8::1") == 0, "each form counts by itself"
    assert limits.refused("acme", "::ffff:192.0.2.1") == 0
    assert limits.refused("acme", "192.0.2.2") == 600, "the form has had enough from everybody"
    held = repr(vars(limits))
    assert "2001:db8" not in held
    assert "192.0.2" not in held
    salt = limits._salt
    clock.seconds = 600
    assert limits.refused("acme", "2001:db8::1") == 0
    assert limits._salt != salt


@pytest.mark.parametrize(
    ("page", "kept"),
    [
        ("https://www.acme.example/shop?id=1", True),
        ("https://www.acme.example.evil.example/", False),
        ("https://evil.example/", False),
        ("javascript:alert(1)", False),
        ("https://user@www.acme.example/", False),
        ("https://[", False),
    ],
)
def test_the_page_somebody_wrote_from_is_kept_only_where_it_is_of_a_known_site(
    visitor: Visitor, page: str, kept: bool
) -> None:
    sent = visitor.ask("POST", "acme", params={"page": page}, data={"token": visitor.token(), "message": page})
    mention, _ = visitor.taken(sent)
    assert mention.url == (page if kept else "")


def test_a_browser_may_run_nothing_and_only_the_named_sites_may_frame_it(visitor: Visitor) -> None:
    answer = visitor.get()
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert policy.endswith("frame-ancestors https://www.acme.example")
    assert "set-cookie" not in answer.headers
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    with visiting(Form()) as at:
        assert at.get().headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")


@pytest.mark.parametrize(
    "site", ["https://a.example/path", "a.example", "https://a.example; script-src *", "*", "'self'", "https://*"]
)
def test_a_site_that_is_no_origin_is_refused(site: str) -> None:
    with pytest.raises(ValidationError, match="a site is written"):
        Form(sites=(site,))


def test_a_form_needs_a_name_for_addresses() -> None:
    with pytest.raises(ValidationError):
        Config(secret=SecretStr(SECRET), forms={"Acme Ltd": Form()})


def test_every_setting_of_a_form_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs/connectors/feedback.md").read_text(encoding="utf-8")
    assert [name for name in Form.model_fields if f"| `{name}` |" not in text] == []


def test_an_unknown_form_and_what_is_no_form_are_answered_with_a_page(visitor: Visitor) -> None:
    gone = visitor.get("globex")
    assert (gone.status_code, "There is no such form" in gone.text) == (404, True)
    sent: list[dict[str, Any]] = [{"content": b"\xff\xfe"}, {"content": b"&".join([b"a=1"] * 50)}]
    for body in sent:
        assert visitor.ask("POST", "acme", **body).result().status_code == 400
    large = visitor.ask("POST", "acme", content=b"message=" + b"x" * 300_000).result()
    assert (large.status_code, "Go back, shorten it" in large.text) == (413, True)


def test_the_style_sheet_is_served_beside_the_form(visitor: Visitor) -> None:
    assert 'href="form.css"' in visitor.get().text
    assert visitor.get("form.css").headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    ("asked", "accepted", "tongue"),
    [
        ("", "de-AT,de;q=0.9,en;q=0.5", "de"),
        ("", "fr, en;q=0.4, de;q=0.7", "de"),
        ("", "de;q=0, en", "en"),
        ("", "de;q=x", "en"),
        ("de", "en", "de"),
        ("xx", "", "en"),
    ],
)
def test_the_form_speaks_the_readers_language(asked: str, accepted: str, tongue: str) -> None:
    assert page_of.language(asked, accepted) == tongue


def test_every_language_says_everything_with_the_same_values() -> None:
    def shape(words: dict[str, str]) -> dict[str, list[str]]:
        return {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in words.items()}

    shapes = {tongue: shape(dict(words)) for tongue, words in page_of.words().items()}
    assert len(shapes) >= 2
    assert all(one == shapes["en"] for one in shapes.values())


def test_a_form_in_german_is_marked_as_german_and_stays_so(visitor: Visitor) -> None:
    answer = visitor.get("acme?lang=de")
    assert '<html lang="de"' in answer.text
    _, thanked = visitor.taken(visitor.post("acme?lang=de", message="Hallo"))
    assert 'href="acme?lang=de"' in thanked.text


def test_what_was_kept_as_a_dead_letter_is_read_again_as_it_was(visitor: Visitor) -> None:
    mention, _ = visitor.taken(visitor.post(message="Hello", **{TRAP: "x"}))
    (again,) = visitor.connector.parse(encode(mention))
    assert isinstance(again, Mention)
    assert isinstance(again.collected_at, datetime)
    assert (again.id, again.text, again.suspicions) == (mention.id, mention.text, mention.suspicions)
