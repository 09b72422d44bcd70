"""Structured logs on standard error: text for a terminal, one JSON object a line for a machine."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog

from pipeline.config import LogSettings

_QUOTED = re.compile(r"""(['"]).*?(?:\1|\Z)""", re.DOTALL)


def unquoted(reason: str) -> str:
    """Why a record could not be handled, without what it quotes of the record: a log is kept where no removal comes."""
    return _QUOTED.sub("'…'", reason)


def configure(settings: LogSettings, *, quiet: bool = False, **bound: str) -> None:
    """Set up logging for this process; `bound` (the role, say) stands on every line. Called by the command alone.

    A `quiet` command, which answers a person, leaves out what is merely informative unless the level is `debug`.
    """
    as_json = settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty())
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    if quiet and level == logging.INFO:
        level = logging.WARNING
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log through the standard library; theirs are shown from WARNING on, in the same form.
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    structlog.contextvars.bind_contextvars(**bound)
