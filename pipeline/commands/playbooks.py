"""`harken spikes playbooks check`: whether the playbooks can be used, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.common import safe, settings, stdout

app = typer.Typer(name="playbooks", no_args_is_help=True, help="What is done about each kind of incident.")


@app.callback()
def playbooks() -> None:
    """What is done about each kind of incident."""


@app.command()
def check(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="A file of playbooks; else that of the configuration, else those of harken.")
    ] = None,
) -> None:
    """Name everything that is wrong with the playbooks, or say for which incidents each is used."""
    from desk._durations import text
    from spikes.playbooks import load

    config = settings(context).config_for()
    found = load(
        file or config.file.alerts.playbooks,
        targets=[*config.file.alerts.targets],
        brands=[brand.name for brand in config.brands],
    )
    for book in found.playbooks:
        kinds = ", ".join(str(kind).replace("_", " ") for kind in book.kinds) or "every kind"
        brands = f", of {', '.join(book.brands)}" if book.brands else ""
        called = "; ".join(
            f"{', '.join(call.targets) or 'every target'}"
            + (f" after {call.after_minutes:g} min" if call.after_minutes else " at once")
            + (f" from {call.severity} on" if call.severity.rank else "")
            for call in book.call
        )
        stdout.print(f"[bold]{safe(book.name)}[/bold]: {safe(kinds)}{safe(brands)}", highlight=False)
        stdout.print(f"  calls {safe(called)}", highlight=False)
        promised = [
            f"{name} within {text(within)}"
            for name, within in (
                ("acknowledge", book.service_level.acknowledge),
                ("statement", book.service_level.statement),
            )
            if within is not None
        ]
        if promised:
            stdout.print(f"  promises {', '.join(promised)}", highlight=False)
        if book.statements:
            stdout.print(f"  may say {safe(', '.join(book.statements))}", highlight=False)
