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


@operation(
    "platform.tokens",
    effect=Effect.READ,
    examples=(
        "list my access tokens",
        "show all tokens",
        "which tokens are there",
        "show the tokens of anna",
        "when was each token last used",
        "what access tokens do i have",
        "which of my tokens are about to end",
        "list everybody's access tokens",
    ),
    hidden=True,
)
def tokens(args: TokensArgs, call: Call) -> TokenList:
    """List access tokens with what they lend and when they were used; your own if not an admin."""
    return _accounts(call.kernel).tokens(call.context, args.user)


@tokens.says
def _(args: TokensArgs, result: TokenList) -> str:
    told = ", ".join(f"{t.id} {t.label} ({t.status})" for t in result.tokens[:10])
    return f"{len(result.tokens)} token(s): {told}." if result.tokens else "There is no token."


@operation(
    "platform.create_token",
    effect=Effect.WRITE,
    examples=(
        "create an access token called ci",
        "make a token labelled nightly-report for 30 days",
        "i need an api token named dashboard",
        "new access token for jonas called laptop",
        "issue a token called grafana that lasts a week",
        "create a token labelled build-bot that never ends",
        "give me an access token for the mcp servers, call it editor",
        "generate an access token, label it backup",
    ),
    hidden=True,
)
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


@operation(
    "platform.revoke_token",
    effect=Effect.WRITE,
    examples=(
        "revoke token T1a2b3c4d5e",
        "end the access token T0c1d2e3f4a",
        "kill token T9a8b7c6d5e, it leaked",
        "invalidate the token T5f6a7b8c9d",
        "token T2b3c4d5e6f is no longer needed, revoke it",
        "withdraw access token T7d8e9f0a1b",
        "delete the token T4e5f6a7b8c",
        "T8c9d0e1f2a was pushed to git, revoke that token",
    ),
    hidden=True,
)
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
