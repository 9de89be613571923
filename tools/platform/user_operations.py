"""The operations on the platform's users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.operations import Call, Change, Effect, Evidence, Inverse, Preview, operation
from tools.platform.types import (
    AddUserArgs,
    NoArgs,
    RemoveUserArgs,
    UserAdded,
    UserList,
    UserRemoved,
)

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.platform.service import PlatformService


def _service(kernel: Kernel) -> PlatformService:
    from tools.platform.service import PlatformService

    return kernel.get(PlatformService)


@operation(
    "platform.users",
    effect=Effect.READ,
    examples=(
        "list users",
        "who has access?",
        "show all users and their roles",
        "which people can approve things here",
        "who is an admin",
        "who can use the platform?",
        "show the accounts",
        "how many users do we have",
        "which roles does sofia have",
        "users?",
    ),
)
def users(args: NoArgs, call: Call) -> UserList:
    """List the users with their roles."""
    return _service(call.kernel).users(call.tenant)


@users.says
def _(args: NoArgs, result: UserList) -> str:
    told = ", ".join(f"{u.name} ({', '.join(u.roles)})" for u in result.users)
    return f"{len(result.users)} user(s): {told}."


@operation(
    "platform.add_user",
    effect=Effect.DANGEROUS,
    examples=(
        "add user sofia as operator",
        "create an account for dmitri with the approver role",
        "give anna viewer access",
        "add a new admin called root2",
        "let marcus approve things: add him as approver",
        "invite lena as a viewer",
        "make a user jonas, role operator",
        "set up access for the new engineer priya as operator",
        "I want to add somebody: tom, approver",
        "grant karin access as viewer",
    ),
)
def add_user(args: AddUserArgs, call: Call) -> UserAdded:
    """Add a user with a role; the answer holds the user's token, which is shown this once."""
    return _service(call.kernel).add_user(call.tenant, args.name, args.role)


@add_user.preview
def _(args: AddUserArgs, call: Call) -> Preview:
    _service(call.kernel).check_new_user(call.tenant, args.name)
    return Preview(
        summary=f"Add {args.name} as {args.role}.",
        changes=[Change(what=f"user {args.name}", after=args.role)],
        risk="Whoever has the token can act with this role until the user is removed.",
        confirm=args.name,
    )


@add_user.read_back
def _(args: AddUserArgs, result: UserAdded, call: Call) -> list[Evidence]:
    return _service(call.kernel).user_evidence(call.tenant, result.name)


@add_user.inverse
def _(args: AddUserArgs, result: UserAdded, call: Call) -> Inverse | None:
    return Inverse(operation="platform.remove_user", arguments={"name": result.name})


@add_user.says
def _(args: AddUserArgs, result: UserAdded) -> str:
    return f"Added {result.name} as {result.role}. The token is shown only now."


@operation(
    "platform.remove_user",
    effect=Effect.DANGEROUS,
    examples=(
        "remove user sofia",
        "delete dmitri's account",
        "take away anna's access",
        "marcus left the company, remove him",
        "revoke lena's token",
        "jonas should no longer be able to log in",
        "drop the user priya",
        "lock out tom",
        "remove karin from the users",
        "disable the account of root2",
    ),
)
def remove_user(args: RemoveUserArgs, call: Call) -> UserRemoved:
    """Take a user's access away at once; the name stays in the records of what was done.

    It cannot be undone: the token is not kept. Add the user anew, with a new token, instead.
    """
    return _service(call.kernel).remove_user(call.tenant, args.name)


@remove_user.preview
def _(args: RemoveUserArgs, call: Call) -> Preview:
    roles = _service(call.kernel).removable_user(call.tenant, args.name, call.context)
    return Preview(
        summary=f"Remove {args.name} ({', '.join(roles)}).",
        changes=[Change(what=f"user {args.name}", before=", ".join(roles), after=None)],
        risk="The token stops working at once and cannot be restored.",
        confirm=args.name,
    )


@remove_user.read_back
def _(args: RemoveUserArgs, result: UserRemoved, call: Call) -> list[Evidence]:
    return _service(call.kernel).user_evidence(call.tenant, result.name)


@remove_user.says
def _(args: RemoveUserArgs, result: UserRemoved) -> str:
    return f"Removed {result.name}; the token no longer works."
