"""A channel of Slack, or of what takes the same webhooks (Mattermost, Rocket.Chat, Discord under `/slack`).

An incoming webhook can only post: it returns no id by which to change or to recognise what was posted
(https://api.slack.com/messaging/webhooks). `Idempotency-Key` is sent all the same; Slack does not heed it.
"""

from __future__ import annotations

import re

import msgspec
from pydantic import SecretStr, field_validator

from pipeline.ports import Secret
from spikes._notice import Notice, lines, subject
from spikes._post import address, post
from spikes._target import Outcome, UnkeyedSettings


class SlackSettings(UnkeyedSettings):
    """`url` is the webhook's: it holds a token, so it comes from the environment."""

    url: Secret

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: SecretStr) -> SecretStr:
        return address(url)


class Slack:
    """Posts each message as plain text."""

    keyed = False
    edits = False

    def __init__(self, settings: SlackSettings) -> None:
        self.sleeps = settings.quiet_hours
        self.repeats = settings.when_unsure == "repeat"
        self._settings = settings

    def send(self, notice: Notice, *, repeated: bool) -> Outcome:
        """Post it."""
        text = "\n".join(escaped(it) for it in (subject(notice), *lines(notice, repeated=repeated)))
        body = msgspec.json.encode({"text": text, "mrkdwn": False})
        headers = {"Content-Type": "application/json", "Idempotency-Key": notice.key, "User-Agent": "harken"}
        return post(self._settings.url, body, headers, self._settings.timeout_secs)


def escaped(text: str) -> str:
    """So that it calls nobody and hides no address. Slack reads commands (`<!channel>`, `<@U1>`, `<url|text>`) out of
    angle brackets, which are escaped as it says (https://api.slack.com/reference/surfaces/formatting#escaping); others
    read `@all` and `[text](url)`, which are broken with an invisible word joiner."""
    return quiet_names(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def quiet_names(text: str) -> str:
    """So that `@all` calls nobody and `[text](url)` is no link, in chats that read Markdown."""
    return re.sub(r"(?<=\])(?=\()", "\N{WORD JOINER}", re.sub("@(?=[^\\s])", "@\N{WORD JOINER}", text))
