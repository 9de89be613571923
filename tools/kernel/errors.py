"""Every error a person or a model can meet, and who should react to it.

One root, `PilothouseError`. Each subclass carries the HTTP status and the exit code with which the
doors show it; `ui` translates in one place. A message says what was wrong and where; `hint` says
what would be right; `suggestions` are names from the live catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class PilothouseError(Exception):
    """The root of all expected errors.

    Args:
        message: what was wrong and where, in one sentence.
        hint: what would be right, or what to do next.
        suggestions: names from the live catalogue that were probably meant, best first.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 4

    def __init__(
        self, message: str, *, hint: str | None = None, suggestions: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.suggestions = tuple(suggestions)

    def as_dict(self) -> dict[str, Any]:
        """The error as doors send it: code, message, hint and suggestions."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "suggestions": list(self.suggestions),
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is pickled: the job engine keeps the errors of steps."""
        return _revived, (type(self), self.__dict__)

    def __str__(self) -> str:
        """The message with its suggestions and hint, as a person reads it."""
        parts = [self.message]
        if self.suggestions:
            parts.append(f"Did you mean {' or '.join(self.suggestions)}?")
        if self.hint:
            parts.append(self.hint)
        return " ".join(parts)


class InvalidInput(PilothouseError):
    """The caller's arguments are wrong; the caller should correct them."""

    code = "invalid_input"
    status = 422
    exit_code = 2


class NotFound(InvalidInput):
    """A name is not in the live catalogue; `suggestions` says which are near."""

    code = "not_found"
    status = 404


class NotConfirmed(InvalidInput):
    """Who approves an act of their own typed something else than what names it; type it anew."""

    code = "not_confirmed"
    status = 409


class Conflict(PilothouseError):
    """The world is not in the state that the act needs; read it again and decide anew."""

    code = "conflict"
    status = 409


class Unauthenticated(PilothouseError):
    """Nobody is known behind the call; log in or present a token."""

    code = "unauthenticated"
    status = 401
    exit_code = 2


class PolicyDenied(PilothouseError):
    """The principal's roles do not allow this; somebody else must do it."""

    code = "policy_denied"
    status = 403


class ApprovalInvalid(PilothouseError):
    """A grant does not fit: forged, expired, revoked, used, or given for other arguments."""

    code = "approval_invalid"
    status = 403


class NeedsApproval(PilothouseError):
    """A person has to approve first; nothing was done.

    Args:
        message: what needs approving.
        approval: the pending approval as plain data (`id`, `operation`, `arguments`, who may).
    """

    code = "needs_approval"
    status = 403
    exit_code = 3

    def __init__(self, message: str, *, approval: dict[str, Any], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.approval = approval

    def as_dict(self) -> dict[str, Any]:
        """The error with the pending approval."""
        return {**super().as_dict(), "approval": self.approval}


class BudgetExceeded(PilothouseError):
    """The estimate is over what the budget leaves; raise the budget or ask for less."""

    code = "budget_exceeded"
    status = 402


class OperationFailed(PilothouseError):
    """The act was tried and failed; the message says at what, and what stands now."""

    code = "operation_failed"


class Cancelled(PilothouseError):
    """The act was cancelled; the message says what was and was not done."""

    code = "cancelled"
    status = 499


class Unavailable(PilothouseError):
    """A part that is needed is not there (a model asset, a server); the hint says how to get it."""

    code = "unavailable"
    status = 503


class PayloadTooLarge(InvalidInput):
    """More was sent than is taken at once."""

    code = "payload_too_large"
    status = 413


class TooManyRequests(PilothouseError):
    """Too much was asked in too short a time; wait, then ask again.

    Args:
        message: of what there was too much.
        retry_after: seconds after which to try again.
    """

    code = "too_many_requests"
    status = 429

    def __init__(self, message: str, *, retry_after: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint or f"Try again in {retry_after:.0f} s.")
        self.retry_after = retry_after


def _revived(kind: type[PilothouseError], state: dict[str, Any]) -> PilothouseError:
    error = kind.__new__(kind, state["message"])
    error.__dict__.update(state)
    return error
