"""`tokens`: what programs and other machines show instead of a password."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ui.commands.options import AsJson

UserOption = Annotated[str | None, typer.Option("--user", help="Another user's; for admins.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    tokens = typer.Typer(
        help="Make, list and revoke access tokens.",
        invoke_without_command=True,
        rich_markup_mode=None,
    )
    tokens.callback()(default)
    tokens.command("list")(list_)
    tokens.command("create")(create)
    tokens.command("revoke")(revoke)
    app.add_typer(tokens, name="tokens")


def default(context: typer.Context, as_json: AsJson = False) -> None:
    """Make, list and revoke access tokens."""
    if context.invoked_subcommand is None:
        list_(as_json=as_json)


def list_(user: UserOption = None, as_json: AsJson = False) -> int:
    """List your tokens; `--user '*'` lists everybody's."""
    return _perform("tokens", as_json, user=user)


def create(
    label: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help="Such as '*:read', training:write, registry.promote, approve, mcp; repeatable.",
        ),
    ] = None,
    days: Annotated[float, typer.Option("--days", min=0.0001, help="When it ends.")] = 90,
    never_ends: Annotated[bool, typer.Option("--never-ends", help="Instead of --days.")] = False,
    audience: Annotated[
        str | None,
        typer.Option(
            "--for",
            "--audience",
            help="What alone it is good for: mcp (IDEs need this), mcp/registry, or a URL.",
        ),
    ] = None,
    user: UserOption = None,
    as_json: AsJson = False,
) -> int:
    """Make a token; it is shown once. Without a scope it lends everything you may do."""
    given = {"scopes": scope or None, "audience": audience, "user": user}
    lasts = {"days": None if never_ends else days}
    return _perform("create_token", as_json, lasts, label=label, **given)


def revoke(
    token: Annotated[str, typer.Argument(help="The token's id.")], as_json: AsJson = False
) -> int:
    """End a token at once."""
    return _perform("revoke_token", as_json, token=token)


def _perform(
    verb: str, as_json: bool, always: dict[str, Any] | None = None, **arguments: Any
) -> int:
    from ui.client import connect
    from ui.perform import perform

    given = {key: value for key, value in arguments.items() if value is not None}
    return perform(connect(), f"platform.{verb}", {**given, **(always or {})}, as_json=as_json)
