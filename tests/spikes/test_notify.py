"""Against real receivers: each target says what it should, to whom it should, and shows no secret."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import unicodedata
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clock import ManualClock
from pipeline.errors import ConfigError
from pipeline.ports import FromEnvironment
from pipeline.store import Store
from spikes._mail import _as_html
from spikes._notice import REPEATED, Matter, Notice, Statement, lines, subject, visible
from spikes._slack import escaped
from spikes._target import Later, Refused, Target, Told
from spikes.detection import Severity
from spikes.notify import KINDS, targets_from
from tests.spikes.receivers import Receiver, mailing, receiving
from tests.spikes.storm import Desk, Storm

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise imports it

SECRET = "a-shared-secret-of-some-length"  # noqa: S105 (a test's)
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def matter(**changes: Any) -> Matter:
    fields: dict[str, Any] = {
        "incident": "i1",
        "version": 1,
        "change": "opened",
        "brand": "larkline",
        "kind": "firestorm",
        "state": "open",
        "severity": "major",
        "title": "trains without heating",
        "paragraph": "19 people complain of cold trains.",
        "url": "http://desk.example/incidents/i1",
        "opened_at": NOON,
        "acknowledged_at": None,
        "playbook": "storm",
        "step": 1,
        "statements": (Statement(name="sorry", title="Sorry", text="We are sorry."),),
        "pause": ("the spring campaign",),
    }
    return Matter(**(fields | changes))


def notice(sequence: int = 1, **changes: Any) -> Notice:
    return Notice(message="m1", sequence=sequence, first=1, at=NOON, summary=False, matters=(matter(**changes),))


def target(**settings: Any) -> Target:
    return targets_from({"care": settings})["care"]


def env(text: str) -> FromEnvironment:
    return FromEnvironment(text)


def webhook(receiver: Receiver, **more: Any) -> Target:
    return target(type="webhook", url=receiver.url, secret=env(SECRET), timeout_secs=0.3, **more)


def slack(receiver: Receiver, **more: Any) -> Target:
    return target(type="slack", url=env(receiver.url), timeout_secs=0.3, **more)


def mail(port: int, **more: Any) -> Target:
    settings = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "harken@care.example"}
    return target(**({"type": "email", "to": ["ana@care.example"], "timeout_secs": 2} | settings | more))


# -------------------------------------------------------------------------------- webhook


def test_a_program_gets_signed_json_with_a_key_and_a_sequence() -> None:
    with receiving() as receiver:
        assert webhook(receiver, headers={"Authorization": "Bearer x"}).send(notice(3), repeated=False) == Told()
    (post,) = receiver.posts
    body = json.loads(post.body)
    assert (body["schema"], body["message"], body["sequence"]) == ("alert/1", "m1", 3)
    assert body["matters"][0]["title"] == "trains without heating"
    assert post.headers["idempotency-key"] == "m1-3"
    assert post.headers["authorization"] == "Bearer x"
    signed = post.headers["x-harken-timestamp"].encode() + b"." + post.body
    assert post.headers["x-harken-signature"] == "sha256=" + hmac.new(SECRET.encode(), signed, "sha256").hexdigest()


@pytest.mark.parametrize(
    ("status", "outcome", "doubtful"),
    [
        (204, Told, False),
        (302, Later, False),
        (400, Refused, False),
        (401, Later, False),
        (404, Refused, False),
        (408, Later, True),
        (429, Later, False),
        (500, Later, False),
        (502, Later, True),
        (503, Later, False),
        (504, Later, True),
        (0, Later, True),
    ],
)
@pytest.mark.parametrize("kind", [webhook, slack])
def test_what_an_answer_means(kind: Any, status: int, outcome: type, doubtful: bool) -> None:
    with receiving() as receiver:
        receiver.always = status
        said = kind(receiver).send(notice(), repeated=False)
        assert isinstance(said, outcome)
        assert getattr(said, "doubtful", False) is doubtful
        assert "secret-token" not in str(said)


def test_a_pause_that_a_target_asks_for_is_passed_on() -> None:
    with receiving() as receiver:
        receiver.always, receiver.headers = 429, {"Retry-After": "90"}
        said = webhook(receiver).send(notice(), repeated=False)
    assert isinstance(said, Later)
    assert said.retry_after == 90.0


def test_what_cannot_be_reached_has_certainly_not_got_it() -> None:
    with receiving() as receiver:
        gone = slack(receiver)
    said = gone.send(notice(), repeated=False)
    assert isinstance(said, Later)
    assert not said.doubtful


# ---------------------------------------------------------------------------------- slack


def test_a_channel_gets_plain_text_in_which_nobody_outside_can_call_anybody() -> None:
    hostile = "<!channel> <@U1> <https://evil.example|refund> @all @here [refund](https://evil.example) & more"
    with receiving() as receiver:
        slack(receiver).send(notice(title=hostile, paragraph=hostile), repeated=False)
    sent = json.loads(receiver.posts[0].body)
    assert sent["mrkdwn"] is False
    text = sent["text"]
    assert "<" not in text
    assert ">" not in text
    assert "@all" not in text
    assert "@here" not in text
    assert "](" not in text
    assert "&lt;!channel&gt;" in text
    assert "http://desk.example/incidents/i1" in text


def test_a_repetition_says_so_on_top() -> None:
    with receiving() as receiver:
        slack(receiver).send(notice(), repeated=True)
        slack(receiver).send(notice(), repeated=False)
    first, second = (json.loads(post.body)["text"] for post in receiver.posts)
    assert first.split("\n")[1] == REPEATED
    assert REPEATED not in second


# --------------------------------------------------------------------------------- e-mail


def test_a_mail_is_text_and_html_with_a_message_id_of_its_own() -> None:
    with mailing() as mailbox:
        assert mail(mailbox.port, to=["ana@care.example", "bo@care.example"]).send(notice(), repeated=False) == Told()
    (sent,) = mailbox.mails
    assert mailbox.recipients == [["ana@care.example", "bo@care.example"]]
    assert sent["Subject"] == "MAJOR larkline: trains without heating"
    assert sent["Message-ID"] == "<m1-1@care.example>"
    assert sent["In-Reply-To"] is None
    assert sent["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in sent.iter_parts()] == ["text/plain", "text/html"]
    text = sent.get_body(("plain",))
    assert text is not None
    assert "To say, once approved: Sorry: We are sorry." in text.get_content()


def test_a_follow_up_stands_in_the_thread_and_a_repetition_has_the_same_message_id() -> None:
    with mailing() as mailbox:
        care = mail(mailbox.port)
        care.send(notice(), repeated=False)
        care.send(notice(4, state="closed"), repeated=False)
        care.send(notice(4, state="closed"), repeated=True)
    first, then, again = mailbox.mails
    assert then["In-Reply-To"] == then["References"] == first["Message-ID"]
    assert then["Message-ID"] == again["Message-ID"] == "<m1-4@care.example>"
    assert then.as_string().split("\n\n")[0] == again.as_string().split("\n\n")[0] or then["Date"] == again["Date"]


def test_outside_words_cannot_write_headers_or_html() -> None:
    hostile = visible("fire\r\nBcc: victim@example.org\r\n\r\n<script>alert(1)</script>", 160)
    with mailing() as mailbox:
        mail(mailbox.port).send(notice(title=hostile, paragraph=hostile), repeated=False)
    (sent,) = mailbox.mails
    assert sent["Bcc"] is None
    assert mailbox.recipients == [["ana@care.example"]]
    html = sent.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
    assert "&lt;script&gt;" in html.get_content()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("550 5.7.1 spam", Refused), ("451 4.3.0 later", Later), ("421 4.3.2 closing", Later)],
)
def test_what_a_mail_server_s_answer_means(answer: str, outcome: type) -> None:
    with mailing() as mailbox:
        mailbox.answer = answer
        assert isinstance(mail(mailbox.port).send(notice(), repeated=False), outcome)


def test_a_recipient_that_is_refused_does_not_keep_it_from_the_others() -> None:
    with mailing() as mailbox:
        mailbox.answers = {"bo@care.example": "550 no such user"}
        both = mail(mailbox.port, to=["ana@care.example", "bo@care.example"]).send(notice(), repeated=False)
        assert both == Told("127.0.0.1 refused 1 of 2 recipients")
        assert isinstance(mail(mailbox.port, to=["bo@care.example"]).send(notice(), repeated=False), Refused)
        mailbox.answers = {"bo@care.example": "450 greylisted"}
        assert isinstance(mail(mailbox.port, to=["bo@care.example"]).send(notice(), repeated=False), Later)
    assert mailbox.recipients == [["ana@care.example"]]


def test_a_mail_server_that_is_away_or_hangs_is_asked_again() -> None:
    with mailing() as mailbox:
        port = mailbox.port
    assert isinstance(mail(port).send(notice(), repeated=False), Later)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = mail(silent.getsockname()[1], timeout_secs=0.2).send(notice(), repeated=False)
    assert said == Later("127.0.0.1 broke off, or did not answer in 0.2 s", doubtful=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for this machine, and a server's context that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    chain, secret = folder / "mail.pem", folder / "mail.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, secret)
    return chain, context


def allowed(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
    good = isinstance(data, LoginPassword) and data == LoginPassword(b"harken", SECRET.encode())
    return AuthResult(success=good, handled=False)


def test_mail_goes_over_starttls_with_a_password(certificate: tuple[Path, ssl.SSLContext]) -> None:
    chain, context = certificate
    login = {"user": "harken", "ca": str(chain), "tls": "starttls"}
    with mailing(tls_context=context, require_starttls=True, authenticator=allowed, auth_required=True) as mailbox:
        assert mail(mailbox.port, password=env(SECRET), **login).send(notice(), repeated=False) == Told()
        wrong = mail(mailbox.port, password=env("wrong"), **login).send(notice(), repeated=False)
        assert isinstance(wrong, Later)
        assert "check user and password" in wrong.reason
        strange = mail(mailbox.port, tls="starttls").send(notice(), repeated=False)
        assert isinstance(strange, Later)
        assert "is not trusted" in strange.reason
    assert len(mailbox.mails) == 1


def test_starttls_is_not_given_up_where_a_server_does_not_offer_it() -> None:
    with mailing() as mailbox:
        said = mail(mailbox.port, tls="starttls").send(notice(), repeated=False)
    assert isinstance(said, Later)
    assert "does not offer" in said.reason
    assert mailbox.mails == []


# -------------------------------------------------------------------------------- apprise


def apprise(receiver: Receiver, **more: Any) -> Target:
    return target(type="apprise", url=env(f"json://127.0.0.1:{receiver.port}/secret-token"), **more)


def test_anything_apprise_can_reach_gets_it() -> None:
    with receiving() as receiver:
        care = apprise(receiver)
        assert care.send(notice(title="@everyone <b>cold</b>"), repeated=False) == Told()
        receiver.always = 500
        said = care.send(notice(), repeated=False)
    body = json.loads(receiver.posts[0].body)
    assert body["title"] == "MAJOR larkline: @\N{WORD JOINER}everyone <b>cold</b>"
    assert "19 people complain" in body["message"]
    assert said == Later("Apprise could not send it")


def test_a_service_that_hangs_leaves_apprise_in_doubt(capfd: pytest.CaptureFixture[str]) -> None:
    with receiving() as receiver:
        receiver.always = 0
        said = apprise(receiver, timeout_secs=0.3).send(notice(), repeated=False)
        assert isinstance(said, Later)
        assert said.doubtful
    assert "secret-token" not in "".join(capfd.readouterr())


# ------------------------------------------------------------------------------- settings


def problems(**targets: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        targets_from(targets)
    return [str(problem) for problem in caught.value.problems]


def test_every_problem_is_told_and_no_secret_with_it() -> None:
    told = problems(
        a={"type": "slak", "url": env("https://hooks.example/secret-token")},
        b={"type": "slack", "url": "https://hooks.example/secret-token"},
        c={"type": "slack", "url": env("hooks.example/secret-token")},
        d={"type": "email", "host": "mail.example", "sender": "x", "to": [], "tls": "none", "pasword": env("hidden")},
        e={"type": "apprise", "url": env("nosuchscheme://secret-token")},
        f={"type": "webhook", "url": env("https://me:secret-token@hooks.example/")},
        g={"type": "webhook", "url": "https://hooks.example/", "secret": env("short"), "headers": {"Host": "x"}},
        h={"url": "https://hooks.example/"},
        i="slack",
    )
    text = "\n".join(told)
    assert "secret-token" not in text
    assert "hidden" not in text
    assert "alerts.targets.a.type: there is no 'slak' (did you mean slack?)" in told
    assert "alerts.targets.b.url: a secret is written as ${NAME} and taken from the environment" in told
    for place in ("c.url", "d.sender", "d.to", "d.pasword", "e.url", "f.url", "g.secret", "g.headers", "h.type", "i"):
        assert any(line.startswith(f"alerts.targets.{place}: ") for line in told), place


@pytest.mark.parametrize(
    "more",
    [{"user": "harken"}, {"user": "harken", "password": env("x"), "tls": "none"}, {"to": ["a@b.example\r\nBcc: x"]}],
)
def test_mail_settings_that_cannot_be_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        mail(25, **more)


def test_a_target_that_is_switched_off_is_left_out() -> None:
    url = env("unset-because-this-part-is-switched-off")
    assert targets_from({"care": {"type": "slack", "enabled": False, "url": url}}) == {}


def test_a_target_does_not_show_its_secrets() -> None:
    with receiving() as receiver:
        for made in (webhook(receiver), slack(receiver), apprise(receiver)):
            shown = repr(made) + repr(vars(made).get("_settings", ""))
            assert "secret-token" not in shown
            assert SECRET not in shown


# ---------------------------------------------------------------------------- outside words


@given(st.text(max_size=400))
def test_whatever_is_said_outside_stays_one_harmless_line(text: str) -> None:
    line = visible(text, 160)
    assert len(line) <= 160
    assert not any(unicodedata.category(it) in ("Cc", "Cs", "Zl", "Zp") for it in line)
    assert not any(it in line for it in "\u202e\u2066\u200b\ufeff")
    assert "<" not in escaped(line)
    assert "@all" not in escaped(line)
    assert _as_html(line, []).count("<") == _as_html("", []).count("<")


def test_a_summary_lists_what_it_sums_up() -> None:
    held = Notice(message="s", sequence=1, first=1, at=NOON, summary=True, matters=(matter(), matter(title="other")))
    assert subject(held) == "2 incidents while it was quiet"
    assert sum("larkline" in line for line in lines(held)) == 2


# ------------------------------------------------------------------------- from end to end

EVERYBODY = "playbooks: [{name: all}]"


@pytest.mark.parametrize("trouble", ["down", "500", "hangs"])
def test_a_receiver_that_is_down_refuses_or_hangs_for_an_hour_gets_one_message(
    sqlite_store: Store, clock: ManualClock, trouble: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    care = target(type="webhook", url=f"http://127.0.0.1:{port}/alerts", secret=env(SECRET), timeout_secs=0.05)
    desk = Desk(sqlite_store, clock, {"care": care}, EVERYBODY)
    if trouble == "down":
        desk.change()
        desk.work(60)
    else:
        with receiving(port) as receiver:
            receiver.always = 500 if trouble == "500" else 0
            desk.change()
            for _ in range(6):  # ten minutes each: it answers nobody, and every wait takes real time
                clock.advance(600)
                desk.work()
            assert len(receiver.posts) >= 6
            assert len({post.headers["idempotency-key"] for post in receiver.posts}) == 1
            assert len({hashlib.sha256(post.body).digest() for post in receiver.posts}) == 1
    with receiving(port) as receiver:
        desk.work(5)
        assert len(receiver.kept) == 1
        assert len(receiver.posts) == 1
    assert desk.stand() == {"care": "told"}


def test_an_incident_s_whole_life_reaches_every_kind_of_target(sqlite_store: Store, clock: ManualClock) -> None:
    with receiving() as program, receiving() as chat, receiving() as anything, mailing() as mailbox:
        targets = {
            "program": webhook(program),
            "chat": slack(chat),
            "anything": apprise(anything),
            "mail": mail(mailbox.port),
        }
        desk = Desk(sqlite_store, clock, targets, EVERYBODY)
        desk.change(severity=Severity.MAJOR)
        desk.work()
        for number in range(30):
            desk.change("grew", paragraph=f"{number} people complain.")
            desk.work(1)
        desk.change("acknowledged", state="acknowledged")
        desk.work()
        desk.change("closed", state="closed")
        desk.work()
    assert [len(mailbox.mails), len(chat.posts), len(anything.posts)] == [3, 3, 3]
    assert len({mail["References"] for mail in mailbox.mails[1:]}) == 1
    sequences = [json.loads(post.body)["sequence"] for post in program.posts]
    assert sequences == sorted(set(sequences))
    assert 3 < len(sequences) <= 10
    assert len({json.loads(post.body)["message"] for post in program.posts}) == 1


def test_hostile_words_of_an_incident_reach_no_target_as_commands(sqlite_store: Store, clock: ManualClock) -> None:
    with receiving() as chat, mailing() as mailbox:
        desk = Desk(sqlite_store, clock, {"chat": slack(chat), "mail": mail(mailbox.port)}, EVERYBODY)
        desk.follow(Storm(title="<!channel>\r\nBcc: x@example.org\n\u202egnp", paragraph="<img src=x>\0" * 500))
        desk.work()
        assert desk.stand() == {"chat": "told", "mail": "told"}
    assert "<!channel>" not in chat.posts[0].body.decode()
    assert mailbox.mails[0]["Bcc"] is None
    assert mailbox.mails[0]["Subject"] == "MINOR larkline: <!channel> Bcc: x@example.org gnp"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_target_s_settings_are_documented(kind: str) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "alerts.md").read_text(encoding="utf-8")
    assert f"(`{kind}`)" in page
    for setting in KINDS[kind].model_fields:
        assert f"`{setting}`" in page, setting
