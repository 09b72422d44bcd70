"""`harken users`, `harken tokens` and `harken audit`: who may come in, by what, and what they did."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from desk.accounts import Accounts
from desk.audit import Entry, Head
from desk.passwords import WeakPassword, check
from desk.roles import ACTIONS, ROLES
from desk.tokens import ApiToken
from desk.users import INVITATION, AccountError, User
from pipeline.clock import SystemClock
from pipeline.commands.common import ago, parts, safe, settings, show_json, stdout, table
from pipeline.errors import ConfigError, Problem
from routing import durations

users = typer.Typer(no_args_is_help=True, help="Accounts: add, list, roles, password, invite, link, disable, enable.")
tokens = typer.Typer(no_args_is_help=True, help="API tokens: add, list, revoke.")
audit = typer.Typer(no_args_is_help=True, help="The audit log: list, verify.")

Name = Annotated[str, typer.Argument(help="What they sign in with.")]
Roles = Annotated[list[str], typer.Option("--role", help=f"One of {', '.join(ROLES)}; may be given again.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object or array.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000)]


@users.command("add")
def add_user(
    context: typer.Context,
    name: Name,
    role: Roles,
    email: Annotated[str | None, typer.Option(help="Their e-mail address.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, or ask for it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make an account. It has no password until its owner sets one by the invitation that is shown this once."""
    with _accounts(context) as accounts:
        password = _password(name, email) if password_stdin else None
        user, secret = accounts.add_user(name, role, me(), email)
        if password is not None:
            user = accounts.accept(secret.get_secret_value(), password)
    if password is None:
        _show_invitation(user, secret.get_secret_value(), as_json)
    elif as_json:
        show_json(_user(user))
    else:
        stdout.print(f"{user.name} may sign in.")


@users.command()
def invite(context: typer.Context, name: Name, as_json: Json = False) -> None:
    """Make a new invitation, for whoever lost the first or forgot the password; the one before ends."""
    with _accounts(context) as accounts:
        user = _known(accounts, name)
        secret = accounts.invite(user.id, me())
    _show_invitation(user, secret.get_secret_value(), as_json)


@users.command()
def link(context: typer.Context, name: Name) -> None:
    """Make a link by which they come into the console once, within a quarter of an hour, without a password."""
    serve = settings(context).config_for().file.serve
    host = f"[{serve.host}]" if ":" in serve.host else serve.host
    with _accounts(context) as accounts:
        secret = accounts.link(_known(accounts, name).id, me())
    stdout.print(
        f"{serve.public_url or f'http://{host}:{serve.port}'}/welcome/{secret.get_secret_value()}", soft_wrap=True
    )


@users.command("password")
def set_password(context: typer.Context, name: Name) -> None:
    """Set a password, asked for or read from standard input; ends every session of theirs."""
    with _accounts(context) as accounts:
        user = _known(accounts, name)
        accounts.set_password(user.id, _password(user.name, user.email), me())
    stdout.print(f"{user.name} signs in with the new password; every session of theirs has ended.")


@users.command("list")
def list_users(context: typer.Context, limit: Limit = 1000, as_json: Json = False) -> None:
    """List accounts by name."""
    with _accounts(context) as accounts:
        found = accounts.users(limit)
    if as_json:
        show_json([_user(user) for user in found])
        return
    if not found:
        stdout.print("Nobody has an account: harken users add NAME --role admin")
        return
    grid = table("name", "roles", "state", "e-mail", "since", "id")
    for user in found:
        grid.add_row(
            user.name, " ".join(user.roles), _state(user), safe(user.email or ""), ago(user.created_at), user.id
        )
    stdout.print(grid)


@users.command("roles")
def set_roles(context: typer.Context, name: Name, role: Roles) -> None:
    """Give these roles instead of those they have; in force at once, for sessions and tokens too."""
    with _accounts(context) as accounts:
        user = accounts.set_roles(_known(accounts, name).id, role, me())
    stdout.print(f"{user.name}: {' '.join(user.roles)}")


@users.command()
def disable(context: typer.Context, name: Name) -> None:
    """End an account, and every session, token and invitation of theirs, at once. What they did stays."""
    with _accounts(context) as accounts:
        user = accounts.disable(_known(accounts, name).id, me())
    stdout.print(f"{user.name} is disabled; their sessions and tokens have ended.")


@users.command()
def enable(context: typer.Context, name: Name) -> None:
    """Let somebody in again with the password they had; tokens have to be made anew."""
    with _accounts(context) as accounts:
        user = accounts.enable(_known(accounts, name).id, me())
    stdout.print(f"{user.name} may sign in again.")


@tokens.command("add")
def add_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose token it is.")],
    scope: Annotated[list[str], typer.Option(help=f"One of {', '.join(ACTIONS)}; may be given again.")],
    expires: Annotated[str, typer.Option(help="After how long: 12h, 90d; at most 366d.")],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    as_json: Json = False,
) -> None:
    """Make an API token; its secret is shown this once."""
    try:
        lasting = durations.parse(expires)
    except ValueError as error:
        raise ConfigError([Problem("--expires", str(error), "90d, for example")]) from None
    with _accounts(context) as accounts:
        token, secret = accounts.issue_token(_known(accounts, name).id, scope, lasting, me(), label)
    if as_json:
        show_json(_token(token) | {"secret": secret.get_secret_value()})
        return
    stdout.print(f"Token {token.id} of {safe(name)}, until {token.expires_at:%Y-%m-%d %H:%M} UTC. Shown this once:\n")
    typer.echo(secret.get_secret_value())


@tokens.command("list")
def list_tokens(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Of one person only.")] = None,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """List tokens, oldest first; never their secrets."""
    with _accounts(context) as accounts:
        found = accounts.tokens(_known(accounts, name).id if name is not None else None, limit)
        names = {id: user.name for id in {it.user_id for it in found} if (user := accounts.user(id))}
    if as_json:
        show_json([_token(token) for token in found])
        return
    if not found:
        stdout.print("No tokens.")
        return
    now = SystemClock().now()
    grid = table("id", "of", "for", "scopes", "state", "last used")
    for token in found:
        state = "revoked" if token.revoked_at else ("ends " if token.live(now) else "ended ") + ago(token.expires_at)
        scopes = " ".join(token.scopes)
        grid.add_row(token.id, names.get(token.user_id), safe(token.label, 40), scopes, state, ago(token.last_used_at))
    stdout.print(grid)


@tokens.command()
def revoke(
    context: typer.Context, id: Annotated[str, typer.Argument(help="As `harken tokens list` shows it.")]
) -> None:
    """End a token at once."""
    with _accounts(context) as accounts:
        if not accounts.revoke(id, me()):
            raise ConfigError([Problem("harken tokens", "there is no such token in force", "harken tokens list")])
    stdout.print(f"Token {safe(id)} is revoked.")


@audit.command("list")
def list_audit(
    context: typer.Context,
    limit: Limit = 50,
    before: Annotated[int | None, typer.Option(help="Only rows before this number.")] = None,
    actor: Annotated[str | None, typer.Option(help="user:ID or system:WHAT.")] = None,
    about: Annotated[str | None, typer.Option(help="What was seen or changed, user:ID for example.")] = None,
    as_json: Json = False,
) -> None:
    """List who saw and did what, newest first."""
    with _accounts(context) as accounts:
        entries = accounts.entries(limit, before, actor, about)
    if as_json:
        show_json([_entry(entry) for entry in entries])
        return
    grid = table(">no.", "at (UTC)", "who", "did", "about", "facts")
    for it in entries:
        facts = " ".join(f"{key}={value}" for key, value in it.facts.items()) if it.facts is not None else ""
        about_what = "(redacted)" if it.about is None else safe(it.about)
        grid.add_row(
            str(it.seq), f"{it.at:%Y-%m-%d %H:%M:%S}", safe(it.actor), safe(it.action), about_what, safe(facts)
        )
    stdout.print(grid)


@audit.command()
def verify(
    context: typer.Context,
    head: Annotated[str | None, typer.Option(help="One that was printed before: the log must still hold it.")] = None,
    as_json: Json = False,
) -> None:
    """Check the chain from its start; name the first row that is wrong, and exit with 1."""
    try:
        noted = Head.parse(head) if head is not None else None
    except ValueError as error:
        raise ConfigError([Problem("--head", "is not a head", str(error))]) from None
    with _accounts(context) as accounts:
        verdict = accounts.verify(noted)
    if as_json:
        facts = {"rows": verdict.rows, "redacted": verdict.redacted, "broken": verdict.broken, "why": verdict.why}
        show_json({"sound": verdict.sound, "head": str(verdict.head), **facts})
    elif verdict.sound:
        stdout.print(f"The log is sound: {verdict.rows} rows, {verdict.redacted} of them redacted. Note this head:\n")
        typer.echo(str(verdict.head))
    else:
        stdout.print(f"The log is broken at row {verdict.broken}: {verdict.why}.")
    if not verdict.sound:
        raise typer.Exit(1)


@contextmanager
def _accounts(context: typer.Context) -> Iterator[Accounts]:
    with parts(context) as made:
        try:
            yield made.accounts
        except (AccountError, WeakPassword) as error:
            raise ConfigError([Problem(context.command_path, str(error))]) from None


def _known(accounts: Accounts, name: str) -> User:
    user = accounts.user_named(name)
    if user is None:
        raise AccountError("nobody has this name; harken users list shows everybody")
    return user


def me() -> str:
    """Who sits at the terminal, as far as the system knows."""
    try:
        return f"system:cli/{getpass.getuser()}"
    except (KeyError, OSError):  # no such entry in the password file, as in a container
        return "system:cli"


def _password(name: str, email: str | None) -> str:
    if sys.stdin.isatty():
        password = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    check(password, name, email)
    return password


def _show_invitation(user: User, secret: str, as_json: bool) -> None:
    if as_json:
        show_json(_user(user) | {"invitation": secret})
        return
    stdout.print(
        f"{user.name} sets a password by this invitation, once, within {INVITATION.days} days. Shown this once:\n"
    )
    typer.echo(secret)


def _state(user: User) -> str:
    if user.disabled_at:
        return f"disabled {ago(user.disabled_at)}"
    return "active" if user.has_password else "invited"


def _user(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "roles": user.roles,
        "state": _state(user).partition(" ")[0],
        "created_at": user.created_at.isoformat(),
    }


def _token(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "user": token.user_id,
        "label": token.label,
        "scopes": token.scopes,
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
        "last_used_at": token.last_used_at and token.last_used_at.isoformat(),
        "revoked_at": token.revoked_at and token.revoked_at.isoformat(),
    }


def _entry(it: Entry) -> dict[str, Any]:
    told = {"actor": it.actor, "action": it.action, "about": it.about, "facts": it.facts}
    return {"seq": it.seq, "at": it.at.isoformat(), **told}
