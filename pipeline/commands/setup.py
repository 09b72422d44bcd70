"""`harken check`, `schema`, `topics apply` and `store upgrade`: before the work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline import schema as schemas
from pipeline.clock import SystemClock
from pipeline.commands.common import parts, settings, stdout
from pipeline.config import TopicSettings
from pipeline.wiring import Parts

topics = typer.Typer(no_args_is_help=True, help="Topics: make those on the bus, discover those that people speak of.")


def check(context: typer.Context) -> None:
    """Report every problem of the configuration and its rules at once, with path and remedy; opens no connection."""
    config = settings(context).config
    Parts(config, SystemClock()).check()
    brands, sources, sinks = len(config.brands), len(config.sources), len(config.sinks)
    stdout.print(f"The configuration is sound: {brands} brand(s), {sources} source(s), {sinks} sink(s) enabled.")


def schema(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option(help="Write schema.json and asyncapi.json into this directory.")] = None,
) -> None:
    """Print the wire form: JSON Schema of the records and AsyncAPI document of the topics, as one object."""
    given = settings(context)
    names = given.config.file.topics if given else TopicSettings()
    documents = {"schema": schemas.json_schema(), "asyncapi": schemas.asyncapi(names)}
    if out is None:
        typer.echo(json.dumps(documents, indent=2))
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (out / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        stdout.print(f"{out / name}.json")


@topics.command("apply")
def apply(context: typer.Context) -> None:
    """Make the topics as the configuration states them; does nothing where they are so already."""
    with parts(context) as made:
        changes = made.bus.apply(made.topics)
    for change in changes or ["nothing to change"]:
        stdout.print(change, markup=False)
