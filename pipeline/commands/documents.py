"""`harken documents`: what is edited at the desk (rules, macros, calendars and the like), from the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.clock import SystemClock
from pipeline.commands.common import safe, settings, show_json, stdout, table
from pipeline.commands.people import me
from pipeline.errors import ConfigError, Problem
from pipeline.logs import configure
from pipeline.wiring import Parts

if TYPE_CHECKING:
    from desk.documents import Documents

app = typer.Typer(no_args_is_help=True, help="What is edited at the desk: list, show, diff, save, rollback.")

Kind = Annotated[str, typer.Argument(help="rules, rule_tests, macros, calendars, service_levels, brands, playbooks, …")]
Why = Annotated[str, typer.Option(help="Kept with the version, and in the audit log.")]


@app.command("list")
def show_list(
    context: typer.Context,
    kind: Annotated[str | None, typer.Argument(help="All versions of this one, the newest first.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> None:
    """List what is in force, or the versions of one document."""
    with _documents(context) as documents:
        versions = documents.versions(kind, 1000) if kind else documents.in_force()
        never = [] if kind else [it for it in documents.kinds if it not in {one.kind for one in versions}]
    if as_json:
        fields = ("kind", "version", "at", "actor", "why", "made_from")
        show_json([{name: getattr(it, name) for name in fields} for it in versions])
        return
    grid = table("document", ">version", "at (UTC)", "by", "why", "made from")
    for it in versions:
        at = f"{it.at:%Y-%m-%d %H:%M}"
        grid.add_row(it.kind, str(it.version), at, safe(it.actor), safe(it.why, 100), safe(it.made_from))
    for name in never:
        grid.add_row(name, "0", "", "", "", "as configured")
    stdout.print(grid)


@app.command()
def show(
    context: typer.Context,
    kind: Kind,
    version: Annotated[int | None, typer.Option(min=0, help="Else what is in force; 0 is the configuration.")] = None,
) -> None:
    """Print the text of a document."""
    with _documents(context) as documents:
        typer.echo(_text(documents, kind, version), nl=False)


@app.command()
def diff(
    context: typer.Context,
    kind: Kind,
    old: Annotated[int, typer.Argument(min=0, help="A version; 0 is the configuration.")],
    new: Annotated[int | None, typer.Argument(min=0, help="Another; else what is in force.")] = None,
) -> None:
    """Print what changed in the text from one version to another."""
    with _documents(context) as documents:
        before, after = _text(documents, kind, old), _text(documents, kind, new)
    names = f"{kind} {old}", f"{kind} {'in force' if new is None else new}"
    typer.echo("\n".join(unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="")))


@app.command()
def save(
    context: typer.Context,
    kind: Kind,
    file: Annotated[Path, typer.Argument(help="The new text; - for standard input.")],
    why: Why,
    expected: Annotated[int, typer.Option(min=0, help="The version that you changed, as `list` shows it.")],
) -> None:
    """Put a text in force, once it is found to be sound; every process takes it up within seconds."""
    try:
        body = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(file), f"cannot be read: {error}", "a text in UTF-8")]) from None
    with _documents(context) as documents:
        _sound(documents, kind, body)
        made = documents.save(kind, body, me(), why, expected)
    stdout.print(f"{kind} version {made.version} is in force")


@app.command()
def rollback(
    context: typer.Context,
    kind: Kind,
    version: Annotated[int, typer.Argument(min=0, help="The version to put back; 0 is the configuration.")],
    why: Why,
) -> None:
    """Put an old version in force again, as a new version."""
    with _documents(context) as documents:
        now = documents.current(kind).version
        _sound(documents, kind, _text(documents, kind, version))
        made = documents.roll_back(kind, version, me(), why, now)
    stdout.print(f"{kind} version {made.version} is in force: {made.made_from}")


@contextmanager
def _documents(context: typer.Context) -> Iterator[Documents]:
    """The documents; not yet put over the configuration, so that one that is wrong can be put right from here."""
    config = settings(context).config_for()
    configure(config.file.log, quiet=True)
    made = Parts(config, SystemClock())
    try:
        made.store.upgrade()
        yield made.documents
    finally:
        made.close()


def _text(documents: Documents, kind: str, version: int | None) -> str:
    if version is None:
        return documents.current(kind).body
    if version == 0:
        documents.current(kind)  # says so where there is no such kind
        return documents.kinds[kind].given()
    found = documents.version(kind, version)
    if found is None:
        raise ConfigError([Problem(f"{kind} {version}", "there is no such version", f"harken documents list {kind}")])
    return documents.kinds[kind].given() if found.body is None else found.body


def _sound(documents: Documents, kind: str, body: str) -> None:
    if found := documents.check(kind, body):
        raise ConfigError(
            [Problem(f"{kind}, line {it.line}" if it.line else it.place, it.message, it.remedy) for it in found]
        )
