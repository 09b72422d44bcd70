"""Anything that Apprise can reach (https://github.com/caronc/apprise), by its URL.

Apprise says that a service took a message, that it did not, or that it did not answer in time: only in the last case
is nobody sure. A connection that breaks off after the message counts as not taken: Apprise does not tell it apart.
"""

from __future__ import annotations

import logging
from typing import Any

from pydantic import SecretStr, field_validator

from pipeline.errors import ConfigError, Problem
from pipeline.ports import Secret
from spikes._notice import Notice, lines, subject
from spikes._slack import quiet_names
from spikes._target import Later, Outcome, Told, UnkeyedSettings

_GRACE_SECS = 5.0
"""So much longer than the time-out a call that was given up may linger, so that it is Apprise that calls it late."""


class AppriseSettings(UnkeyedSettings):
    """`url` is Apprise's own, one service: it holds tokens, so it comes from the environment."""

    url: Secret

    @field_validator("url")
    @classmethod
    def _has_a_service(cls, url: SecretStr) -> SecretStr:
        if "://" not in url.get_secret_value():
            raise ValueError("not an address of Apprise, such as json://example.org/alerts")
        return url


class Apprise:
    """Sends each message through one service. Building raises ConfigError for an address that Apprise cannot read."""

    keyed = False
    edits = False

    def __init__(self, settings: AppriseSettings, path: str) -> None:
        self.sleeps = settings.quiet_hours
        self.repeats = settings.when_unsure == "repeat"
        self._timeout = settings.timeout_secs
        self._service = _service(settings, path)

    def send(self, notice: Notice, *, repeated: bool) -> Outcome:
        """Send it."""
        from apprise import AppriseResultStatus, NotifyFormat, NotifyType

        body = "\n".join(quiet_names(it) for it in lines(notice, repeated=repeated))
        result = self._service.notify(
            body=body,
            title=quiet_names(subject(notice)),
            notify_type=NotifyType.WARNING,
            body_format=NotifyFormat.TEXT,
            interpret_escapes=False,
        )
        if result.status == AppriseResultStatus.SUCCESS:
            return Told()
        if result.status == AppriseResultStatus.TIMEOUT:
            return Later(f"the service did not answer in {self._timeout:g} s", doubtful=True)
        return Later("Apprise could not send it")


def _service(settings: AppriseSettings, path: str) -> Any:
    """The library is loaded here: it takes a second and is rarely needed."""
    try:
        import apprise
    except ModuleNotFoundError:
        raise ConfigError([Problem(path, "needs the package apprise", "pip install 'harken[alerts]'")]) from None
    # What its services log may show the address; what became of a message is known from the result.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(
        app_id="harken", app_desc="harken", storage_mode="memory", service_timeout=settings.timeout_secs
    )
    one = apprise.Apprise.instantiate(settings.url.get_secret_value(), asset=asset)
    if one is None:
        raise ConfigError([Problem(f"{path}.url", "Apprise cannot read this address", "see its list of services")])
    one.socket_read_timeout = settings.timeout_secs + _GRACE_SECS
    service = apprise.Apprise(asset=asset)
    service.add(one)
    return service
