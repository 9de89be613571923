"""`users`: who else may use this home."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ui.commands.options import AsJson

Name = Annotated[str, typer.Argument(help="The user's name.")]
RoleOption = Annotated[str, typer.Option("--role", help="viewer, operator, approver or admin.")]
TenantOption = Annotated[
    str | None, typer.Option("--tenant", help="The user's tenant, if not your own.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    users = typer.Typer(
        help="Add, list, change and remove users.",
        invoke_without_command=True,
        rich_markup_mode=None,
    )
    users.callback()(default)
    users.command("list")(list_)
    users.command("add")(add)
    users.command("remove")(remove)
    users.command("set-role")(set_role)
    users.command("reset-password")(reset_password)
    users.command("unlock")(unlock)
    app.add_typer(users, name="users")


def default(context: typer.Context, as_json: AsJson = False) -> None:
    """Add, list, change and remove users."""
    if context.invoked_subcommand is None:
        list_(as_json=as_json)


def list_(tenant: TenantOption = None, as_json: AsJson = False) -> int:
    """List the users with their roles and how they sign in."""
    return _perform("users", as_json, tenant=tenant)


def add(
    name: Name,
    role: RoleOption,
    tenant: TenantOption = None,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="For a program: a token only.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Add a user; shows once the token, for PILOTHOUSE_TOKEN, and the password, for /login."""
    more = {"password": False} if no_password else {}
    return _perform("add_user", as_json, name=name, role=role, tenant=tenant, **more)


def remove(name: Name, tenant: TenantOption = None, as_json: AsJson = False) -> int:
    """Take a user's access away at once."""
    if tenant is None:
        return _perform("remove_user", as_json, name=name)
    return _perform("remove_tenant_user", as_json, name=name, tenant=tenant)


def set_role(
    name: Name, role: RoleOption, tenant: TenantOption = None, as_json: AsJson = False
) -> int:
    """Give a user another role; ends what they have signed in."""
    return _perform("set_role", as_json, name=name, role=role, tenant=tenant)


def reset_password(name: Name, tenant: TenantOption = None, as_json: AsJson = False) -> int:
    """Give a user a new password, which is shown once; ends what they have signed in."""
    return _perform("reset_password", as_json, name=name, tenant=tenant)


def unlock(name: Name, tenant: TenantOption = None, as_json: AsJson = False) -> int:
    """Let a user sign in again who failed too often."""
    return _perform("unlock_user", as_json, name=name, tenant=tenant)


def _perform(verb: str, as_json: bool, **arguments: Any) -> int:
    from ui.client import connect
    from ui.perform import perform

    given = {key: value for key, value in arguments.items() if value is not None}
    return perform(connect(), f"platform.{verb}", given, as_json=as_json)
