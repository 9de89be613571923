"""What the first start of the gateway tells, once: where to go, and the admin's password."""

from __future__ import annotations

from itertools import chain, count
from typing import TYPE_CHECKING

from tools.kernel.passwords import generated, hash_password
from tools.kernel.roles import ROLES

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

ADMIN = "admin"


def first_admin(kernel: Kernel) -> tuple[str, str] | None:
    """Make the first account that can sign in; its name and its password, which is not kept.

    None if somebody can sign in already.
    """
    accounts = kernel.principals.accounts()
    if any(account.password or account.issuer for account in accounts):
        return None
    taken = {account.principal.name.casefold() for account in accounts}
    name = next(n for n in chain([ADMIN], (f"{ADMIN}{i}" for i in count(2))) if n not in taken)
    password = generated()
    kernel.principals.add_account(name, ROLES["admin"], password=hash_password(password))
    kernel.audit.append("default", {"event": "admin.created", "principal": name})
    return name, password


def welcome(url: str, admin: tuple[str, str] | None) -> str:
    """The words on the terminal."""
    lines = ["", f"  Pilothouse is ready: {url}", ""]
    if admin is not None:
        name, password = admin
        lines += [
            f"  Sign in as  {name}",
            f"  Password    {password}",
            "  It is shown this once and kept nowhere in clear; `pilothouse users reset-password"
            f" {name}` makes another.",
            "",
        ]
    lines += ["  Ctrl-C stops it.", ""]
    return "\n".join(lines)
