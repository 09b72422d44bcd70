"""What the commands share: the configuration, the consoles, and how values are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline import config as configuration
from pipeline.clock import SystemClock
from pipeline.config import Config
from pipeline.errors import ConfigError, Problem
from pipeline.logs import configure
from pipeline.wiring import Parts

stdout = Console()
stderr = Console(stderr=True)


@dataclass
class Settings:
    """What the options before the command said."""

    path: Path | None

    @cached_property
    def config(self) -> Config:
        """The validated configuration, whole."""
        return configuration.load(self.path or configuration.find())

    def config_for(self, *sections: str) -> Config:
        """The validated configuration with the adapters of these sections alone."""
        return configuration.load(self.path or configuration.find(), sections=set(sections))

    @property
    def arguments(self) -> list[str]:
        """These options again, for a process we start."""
        path = self.path or configuration.find()
        return ["--config", str(path)] if path else []


def settings(context: typer.Context) -> Settings:
    """The Settings of this call."""
    found = context.find_object(Settings)
    if found is None:
        raise RuntimeError("a command was called without its application")
    return found


@contextmanager
def parts(context: typer.Context, *sections: str) -> Iterator[Parts]:
    """The objects of a short command, its store up to date and what was saved at the desk in force, with the adapters
    of these sections of the configuration; closed at the end."""
    config = settings(context).config_for(*sections)
    configure(config.file.log, quiet=True)
    made = Parts(config, SystemClock())
    try:
        made.prepare()
        yield made
    finally:
        made.close()


@contextmanager
def new_file(path: str) -> Iterator[IO[str]]:
    """A new file in UTF-8 to write into; raises ConfigError where it is there already or cannot be written."""
    try:
        with open(path, "x", encoding="utf-8", newline="") as file:
            yield file
    except FileExistsError:
        raise ConfigError([Problem(safe(path), "is there already", "name another file")]) from None
    except OSError as error:
        raise ConfigError([Problem(safe(path), f"cannot be written: {error.strerror}", "name another")]) from None


def show_json(value: Any) -> None:
    """One JSON object on one line of standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def table(*columns: str, title: str = "") -> Table:
    """A plain table that fits the screen."""
    made = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        made.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", overflow="fold")
    return made


def safe(text: str, width: int = 0) -> str:
    """An outside string for the terminal: on one line, without control or bidi-override characters or markup."""
    line = "".join(char if char.isprintable() else " " for char in " ".join(text.split()))
    if width and len(line) > width:
        line = line[: width - 1] + "…"
    return escape(line)


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """`5 min ago`, `in 2 h`; a dash for None."""
    if moment is None:
        return "—"
    distance = (now or datetime.now(UTC)) - moment
    past = distance >= timedelta(0)
    seconds = abs(distance.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            text = f"{seconds / size:.0f} {unit}"
            break
    else:
        text = f"{seconds:.0f} s"
    return f"{text} ago" if past else f"in {text}"


_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def span(text: str, option: str) -> timedelta:
    """`90m`, `24h`, `7d` or `2w` as a span of time; `option` is named where it is none."""
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if not match:
        raise ConfigError([Problem(f"{option} {text}", "is not a span of time", "for example 24h or 7d")])
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
