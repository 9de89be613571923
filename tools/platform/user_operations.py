"""The operations on the platform's users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.kernel.operations import Call, Change, Effect, Evidence, Inverse, Preview, operation
from tools.kernel.roles import role_of
from tools.platform.account_types import (
    AddUserArgs,
    PasswordReset,
    RemoveUserArgs,
    RoleSet,
    SetRoleArgs,
    UserAdded,
    UserArgs,
    UserList,
    UserRemoved,
    UsersArgs,
    UserUnlocked,
)

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.platform.accounts import Accounts


def _accounts(kernel: Kernel) -> Accounts:
    from tools.platform.accounts import Accounts

    return kernel.get(Accounts)


def _tenant(args: Any, call: Call) -> str:
    return _accounts(call.kernel).tenant(call.context, args.tenant)


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
def users(args: UsersArgs, call: Call) -> UserList:
    """List the users with their roles and how they sign in."""
    return _accounts(call.kernel).users(_tenant(args, call))


@users.says
def _(args: UsersArgs, result: UserList) -> str:
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
    """Add a user with a role; the answer holds token and password, which are shown this once."""
    tenant = _tenant(args, call)
    return _accounts(call.kernel).add_user(tenant, args.name, args.role, args.password)


@add_user.preview
def _(args: AddUserArgs, call: Call) -> Preview:
    tenant = _tenant(args, call)
    _accounts(call.kernel).check_new_user(tenant, args.name)
    where = "" if tenant == call.tenant else f" of the tenant {tenant}"
    return Preview(
        summary=f"Add {args.name} as {args.role}{where}.",
        changes=[Change(what=f"user {args.name}", after=args.role)],
        risk="Whoever has the token or password can act with this role until the user is removed.",
        confirm=args.name,
    )


@add_user.read_back
def _(args: AddUserArgs, result: UserAdded, call: Call) -> list[Evidence]:
    return _accounts(call.kernel).user_evidence(result.tenant, result.name)


@add_user.inverse
def _(args: AddUserArgs, result: UserAdded, call: Call) -> Inverse | None:
    if result.tenant == call.tenant:
        return Inverse(operation="platform.remove_user", arguments={"name": result.name})
    arguments = {"name": result.name, "tenant": result.tenant}
    return Inverse(operation="platform.remove_tenant_user", arguments={**arguments})


@add_user.says
def _(args: AddUserArgs, result: UserAdded) -> str:
    return f"Added {result.name} as {result.role}. Token and password are shown only now."


@operation(
    "platform.remove_user",
    effect=Effect.DANGEROUS,
    examples=(
        "remove user sofia",
        "delete dmitri's account",
        "take away anna's access",
        "marcus left the company, remove him",
        "lena must not get in any more",
        "jonas should no longer be able to log in",
        "drop the user priya",
        "lock out tom",
        "remove karin from the users",
        "disable the account of root2",
    ),
)
def remove_user(args: RemoveUserArgs, call: Call) -> UserRemoved:
    """Take a user's access away at once; the name stays in the records of what was done.

    It cannot be undone: tokens are not kept. Add the user anew, with a new token, instead.
    """
    return _accounts(call.kernel).remove_user(call.tenant, args.name)


@remove_user.preview
def _(args: RemoveUserArgs, call: Call) -> Preview:
    return _removal(call.tenant, args.name, call)


def _removal(tenant: str, name: str, call: Call) -> Preview:
    account = _accounts(call.kernel).changeable(tenant, name, call.context)
    roles = ", ".join(sorted(account.principal.roles))
    return Preview(
        summary=f"Remove {name} ({roles}).",
        changes=[Change(what=f"user {name}", before=roles, after=None)],
        risk="Tokens, password and sessions stop working at once and cannot be restored.",
        confirm=name,
    )


@remove_user.read_back
def _(args: RemoveUserArgs, result: UserRemoved, call: Call) -> list[Evidence]:
    return _accounts(call.kernel).user_evidence(call.tenant, result.name)


@remove_user.says
def _(args: RemoveUserArgs, result: UserRemoved) -> str:
    return f"Removed {result.name}; nothing of theirs opens a door any more."


@operation("platform.remove_tenant_user", effect=Effect.DANGEROUS, hidden=True)
def remove_tenant_user(args: UserArgs, call: Call) -> UserRemoved:
    """Take the access of another tenant's user away at once; for admins of the default tenant."""
    return _accounts(call.kernel).remove_user(_tenant(args, call), args.name)


@remove_tenant_user.preview
def _(args: UserArgs, call: Call) -> Preview:
    return _removal(_tenant(args, call), args.name, call)


@remove_tenant_user.read_back
def _(args: UserArgs, result: UserRemoved, call: Call) -> list[Evidence]:
    return _accounts(call.kernel).user_evidence(_tenant(args, call), result.name)


@remove_tenant_user.says
def _(args: UserArgs, result: UserRemoved) -> str:
    return f"Removed {result.name}; nothing of theirs opens a door any more."


@operation(
    "platform.set_role",
    effect=Effect.DANGEROUS,
    examples=(
        "make anna an approver",
        "change the role of jonas to viewer",
        "give lena the admin role instead of operator",
        "sofia is an operator from now on",
        "set tom's role to approver",
        "demote marcus to viewer",
        "priya should be an admin",
        "promote dmitri to operator",
    ),
    idempotent=True,
    hidden=True,
)
def set_role(args: SetRoleArgs, call: Call) -> RoleSet:
    """Give a user another role; who is signed in with the old one is signed out at once."""
    return _accounts(call.kernel).set_role(_tenant(args, call), args.name, args.role)


@set_role.preview
def _(args: SetRoleArgs, call: Call) -> Preview:
    account = _accounts(call.kernel).changeable(_tenant(args, call), args.name, call.context)
    before = role_of(account.principal.roles)
    return Preview(
        summary=f"Make {args.name}, who is {before}, {args.role}.",
        changes=[Change(what=f"role of {args.name}", before=before, after=args.role)],
        risk="What they have signed in is signed out; their tokens lend the new role's rights.",
        confirm=args.name,
    )


@set_role.read_back
def _(args: SetRoleArgs, result: RoleSet, call: Call) -> list[Evidence]:
    return _accounts(call.kernel).user_evidence(_tenant(args, call), result.name)


@set_role.inverse
def _(args: SetRoleArgs, result: RoleSet, call: Call) -> Inverse | None:
    if result.before == result.role:
        return None
    arguments = {"name": result.name, "role": result.before, "tenant": args.tenant}
    return Inverse(operation="platform.set_role", arguments={**arguments})


@set_role.says
def _(args: SetRoleArgs, result: RoleSet) -> str:
    return f"{result.name} is {result.role} now, and was {result.before}."


@operation(
    "platform.reset_password",
    effect=Effect.DANGEROUS,
    examples=(
        "reset anna's password",
        "give jonas a new password",
        "lena forgot her password",
        "generate a new password for tom",
        "sofia needs a new password",
        "set a fresh password for priya",
        "marcus cannot remember his password, make him a new one",
        "reset the password of dmitri",
    ),
    hidden=True,
)
def reset_password(args: UserArgs, call: Call) -> PasswordReset:
    """Give a user a new, generated password, which is shown this once; ends their sessions."""
    return _accounts(call.kernel).reset_password(_tenant(args, call), args.name)


@reset_password.preview
def _(args: UserArgs, call: Call) -> Preview:
    tenant = _tenant(args, call)
    _accounts(call.kernel).sign_in_evidence(tenant, args.name)
    return Preview(
        summary=f"Give {args.name} a new password.",
        changes=[Change(what=f"password of {args.name}", before="the old one", after="a new one")],
        risk="The old password and all that is signed in with it stop working at once.",
        confirm=args.name,
    )


@reset_password.read_back
def _(args: UserArgs, result: PasswordReset, call: Call) -> list[Evidence]:
    return _accounts(call.kernel).sign_in_evidence(_tenant(args, call), result.name)


@reset_password.says
def _(args: UserArgs, result: PasswordReset) -> str:
    return f"{result.name} has a new password, which is shown only now."


@operation(
    "platform.unlock_user",
    effect=Effect.WRITE,
    examples=(
        "unlock anna",
        "jonas is locked out, let him in again",
        "unlock the account of lena",
        "lift the sign-in lock of tom",
        "let sofia try to sign in again",
        "priya typed the wrong password too often, unlock her",
        "clear marcus's failed sign-ins",
        "dmitri has locked himself out, open his account again",
    ),
    idempotent=True,
    hidden=True,
)
def unlock_user(args: UserArgs, call: Call) -> UserUnlocked:
    """Let a user try to sign in again who failed too often."""
    return _accounts(call.kernel).unlock(_tenant(args, call), args.name)


@unlock_user.preview
def _(args: UserArgs, call: Call) -> Preview:
    _accounts(call.kernel).sign_in_evidence(_tenant(args, call), args.name)
    return Preview(summary=f"Let {args.name} try to sign in again.")


@unlock_user.read_back
def _(args: UserArgs, result: UserUnlocked, call: Call) -> list[Evidence]:
    return _accounts(call.kernel).sign_in_evidence(_tenant(args, call), result.name)


@unlock_user.says
def _(args: UserArgs, result: UserUnlocked) -> str:
    return f"{result.name} may sign in again." if result.was_locked else f"{result.name} was free."
