"""The weekly report from outside, on the embedded default."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.test_commands import Shell, line
from tests.spikes.receivers import mailing


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def mailer(port: int, **more: object) -> dict[str, object]:
    server = {"type": "email", "host": "127.0.0.1", "port": port, "tls": "none", "timeout_secs": 2}
    return server | {"sender": "harken@acme.example", "to": ["care@acme.example"]} | more


def test_the_report_is_written_as_text_or_as_a_page(shell: Shell) -> None:
    shell.run("ingest", shell.write("a.jsonl", line("t:1", "acme lost my parcel, awful")), "--source", "t")
    assert "Week 2026-W03, all brands" in shell.run("report", "--week", "2026-W03", "--out", "-")
    shell.run("report", "--brand", "acme", "--week", "2026-W03", "--out", "w.html")
    page = (shell.directory / "w.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "Week 2026-W03" in page
    assert "there already" in shell.run("report", "--week", "2026-W03", "--out", "w.html", status=2)


def test_the_report_is_mailed_by_the_server_of_an_alert_target(shell: Shell) -> None:
    with mailing() as mailbox:
        shell.configure(
            alerts={"targets": {"care": mailer(mailbox.port)}}, serve={"public_url": "https://desk.acme.example"}
        )
        to = ("--mail", "kim@acme.example", "--mail", "lou@acme.example")
        assert "mailed to 2" in shell.run("report", "--week", "2026-W03", *to)
        (mail,) = mailbox.mails
        assert mailbox.recipients == [["kim@acme.example", "lou@acme.example"]]
        assert mail["Subject"] == "harken 2026-W03"
        plain = mail.get_body(("plain",))
        assert plain is not None
        assert "https://desk.acme.example/report?week=2026-W03" in plain.get_content()
        mailbox.answer = "452 full"
        assert "try again later" in shell.run("report", *to, status=4)
        mailbox.answer = "554 no"
        assert "not mailed" in shell.run("report", *to, status=3)


def test_what_cannot_be_sent_is_said_with_its_remedy(shell: Shell) -> None:
    wrong = shell.run(
        "report", "--mail", "nobody", "--timezone", "Mars", "--language", "tlh", "--out", "a.doc", status=2
    )
    for said in ("--mail nobody", "--timezone Mars", "--language tlh", "--out a.doc"):
        assert said in wrong
    assert "goes nowhere" in shell.run("report", status=2)
    assert "type email" in shell.run("report", "--mail", "kim@acme.example", status=2)
    assert "2026-W47" in shell.run("report", "--week", "soon", "--out", "-", status=2)
    assert "did you mean acme" in shell.run("report", "--brand", "acne", "--out", "-", status=2)
    shell.configure(alerts={"targets": {"care": mailer(1), "press": mailer(2)}})
    assert "there are several" in shell.run("report", "--mail", "kim@acme.example", status=2)
    assert "no target" in shell.run("report", "--mail", "kim@acme.example", "--target", "sales", status=2)
