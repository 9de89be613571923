"""`users`: who else may use this home."""

from __future__ import annotations

from typing import Annotated

import typer

from ui.commands.options import AsJson

Name = Annotated[str, typer.Argument(help="The user's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    users = typer.Typer(
        help="Add, list and remove users.", invoke_without_command=True, rich_markup_mode=None
    )
    users.callback()(default)
    users.command("list")(list_)
    users.command("add")(add)
    users.command("remove")(remove)
    app.add_typer(users, name="users")


def default(context: typer.Context, as_json: AsJson = False) -> None:
    """Add, list and remove users."""
    if context.invoked_subcommand is None:
        list_(as_json=as_json)


def list_(as_json: AsJson = False) -> int:
    """List the users with their roles."""
    from ui.client import connect
    from ui.perform import perform

    return perform(connect(), "platform.users", {}, as_json=as_json)


def add(
    name: Name,
    role: Annotated[str, typer.Option("--role", help="viewer, operator, approver or admin.")],
    as_json: AsJson = False,
) -> int:
    """Add a user; the token is shown once and goes into PILOTHOUSE_TOKEN."""
    from ui.client import connect
    from ui.perform import perform

    return perform(connect(), "platform.add_user", {"name": name, "role": role}, as_json=as_json)


def remove(name: Name, as_json: AsJson = False) -> int:
    """Take a user's access away at once."""
    from ui.client import connect
    from ui.perform import perform

    return perform(connect(), "platform.remove_user", {"name": name}, as_json=as_json)
