"""The operations on access tokens; hidden, because no sentence and no model should make one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.operations import Call, Change, Effect, Evidence, Inverse, Preview, operation
from tools.platform.account_types import (
    CreateTokenArgs,
    RevokeTokenArgs,
    TokenCreated,
    TokenList,
    TokenRevoked,
    TokensArgs,
)

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.platform.accounts import Accounts


def _accounts(kernel: Kernel) -> Accounts:
    from tools.platform.accounts import Accounts

    return kernel.get(Accounts)


@operation("platform.tokens", effect=Effect.READ, hidden=True)
def tokens(args: TokensArgs, call: Call) -> TokenList:
    """List access tokens with what they lend and when they were used; your own if not an admin."""
    return _accounts(call.kernel).tokens(call.context, args.user)


@tokens.says
def _(args: TokensArgs, result: TokenList) -> str:
    told = ", ".join(f"{t.id} {t.label} ({t.status})" for t in result.tokens[:10])
    return f"{len(result.tokens)} token(s): {told}." if result.tokens else "There is no token."


@operation("platform.create_token", effect=Effect.WRITE, hidden=True)
def create_token(args: CreateTokenArgs, call: Call) -> TokenCreated:
    """Make an access token, narrowed by scopes and ended by a date; it is shown this once."""
    return _accounts(call.kernel).create_token(
        call.context, args.label, args.scopes, args.days, args.audience, args.user
    )


@create_token.preview
def _(args: CreateTokenArgs, call: Call) -> Preview:
    holder, lent = _accounts(call.kernel).check_new_token(call.context, args.user, args.scopes)
    lends = ", ".join(sorted(lent)) if lent else f"everything that {holder} may do"
    ends = "never ends" if args.days is None else f"ends in {args.days:g} days"
    return Preview(
        summary=f"Make the token {args.label!r} for {holder}: it lends {lends}, and {ends}.",
        changes=[Change(what=f"token {args.label}", after=lends)],
        risk="Whoever has the token can act as its holder, within what it lends.",
    )


@create_token.read_back
def _(args: CreateTokenArgs, result: TokenCreated, call: Call) -> list[Evidence]:
    return _accounts(call.kernel).token_evidence(call.tenant, result.id)


@create_token.inverse
def _(args: CreateTokenArgs, result: TokenCreated, call: Call) -> Inverse | None:
    return Inverse(operation="platform.revoke_token", arguments={"token": result.id})


@create_token.says
def _(args: CreateTokenArgs, result: TokenCreated) -> str:
    return f"Made token {result.id} ({result.label}) for {result.user}; it is shown only now."


@operation("platform.revoke_token", effect=Effect.WRITE, hidden=True)
def revoke_token(args: RevokeTokenArgs, call: Call) -> TokenRevoked:
    """End an access token at once; it cannot be restored."""
    return _accounts(call.kernel).revoke_token(call.context, args.token)


@revoke_token.preview
def _(args: RevokeTokenArgs, call: Call) -> Preview:
    found = _accounts(call.kernel).revocable(call.context, args.token)
    return Preview(
        summary=f"End token {found.id} ({found.label}) of {found.principal}.",
        changes=[Change(what=f"token {found.id}", before="active", after="revoked")],
    )


@revoke_token.read_back
def _(args: RevokeTokenArgs, result: TokenRevoked, call: Call) -> list[Evidence]:
    return _accounts(call.kernel).token_evidence(call.tenant, result.id)


@revoke_token.says
def _(args: RevokeTokenArgs, result: TokenRevoked) -> str:
    return f"Token {result.id} ({result.label}) of {result.user} opens nothing any more."
