"""What our producer, our consumer and the bus share: opening the library's clients, and its errors as ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient

from pipeline.errors import BusUnavailable, HarkenError, Stop

MAX_REQUEST_BYTES = 5 * 1024 * 1024
"""The largest request to write, and the largest batch a topic takes: room for the largest record and its frame."""

TROUBLE = (kafka_errors.KafkaError, OSError)
"""What the library raises when something outside this process is wrong."""

_REFUSED = (
    kafka_errors.AuthorizationError,
    kafka_errors.InconsistentGroupProtocolError,
    kafka_errors.InvalidConfigurationError,
    kafka_errors.InvalidGroupIdError,
    kafka_errors.InvalidReplicationFactorError,
    kafka_errors.InvalidSessionTimeoutError,
    kafka_errors.InvalidTopicError,
    kafka_errors.KafkaConfigurationError,
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.PolicyViolationError,
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.UnsupportedSaslMechanismError,
    kafka_errors.UnsupportedVersionError,
)


def translated(error: BaseException, doing: str) -> HarkenError:
    """The library's error as ours: Stop where a retry cannot help, else BusUnavailable."""
    # The library's time-outs often come without a word.
    silent = isinstance(error, kafka_errors.KafkaTimeoutError) and error.args in ((), (None,))
    reason = f"cannot {doing}: {'no answer in time' if silent else str(error)[:300]}"
    return Stop(reason) if isinstance(error, _REFUSED) else BusUnavailable(reason)


def opened(kind: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """A client of the library. Its constructor already talks to the brokers, and leaves a thread and sockets behind
    when they do not answer; they are freed here."""
    made: list[KafkaNetClient] = []

    def network(**settings: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**settings))
        return made[-1]

    try:
        return kind(kafka_client=network, **options)
    except BaseException:
        for client in made:
            client.close()
        raise
