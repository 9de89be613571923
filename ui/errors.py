"""The one place where errors become HTTP answers, and HTTP answers become exit codes."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

from tools.kernel.errors import InvalidInput, NeedsApproval, PilothouseError
from ui.home import disk_trouble

DONE = 0
BAD_INPUT = 2
NEEDS_APPROVAL = 3
FAILED = 4
INTERRUPTED = 130

EXIT_OF_TURN = {
    "done": DONE,
    "needs_input": BAD_INPUT,
    "needs_confirmation": BAD_INPUT,
    "needs_approval": NEEDS_APPROVAL,
    "failed": FAILED,
    "cancelled": FAILED,
}
"""With which code a command ends, by the status of the conversation's turn."""


class NeedsYes(InvalidInput):
    """A command that writes was given where nobody can be asked, and without `--yes`."""

    code = "needs_yes"


def problem(error: PilothouseError) -> dict[str, Any]:
    """The error as the API sends it; `exit_code` is what a command ends with."""
    return {**error.as_dict(), "status": error.status, "exit_code": error.exit_code}


def unexpected(reference: str) -> dict[str, Any]:
    """What the API says of an error that nobody expected; the log holds the rest.

    Args:
        reference: the request's id, by which the log is searched.
    """
    error = PilothouseError(
        "Something went wrong inside the platform.",
        hint=f"`pilothouse logs` holds the details under {reference}.",
    )
    return {**problem(error), "code": "internal"}


def from_problem(data: dict[str, Any]) -> PilothouseError:
    """The error that an API answer tells of, of the class that it had over there."""
    code = str(data.get("code", "error"))
    base = next((c for c in _classes(PilothouseError) if c.code == code), PilothouseError)
    said = data.get("detail") or data.get("message") or "The platform refused."
    message, hint = str(said), data.get("hint")
    if issubclass(base, NeedsApproval):
        return base(message, approval=data.get("approval") or {}, hint=hint)
    told = {
        "code": code,
        "status": data.get("status", base.status),
        "exit_code": data.get("exit_code", base.exit_code),
    }
    reported = type(base.__name__, (base,), told)
    return reported(message, hint=hint, suggestions=data.get("suggestions") or ())


def translate(error: BaseException) -> PilothouseError | None:
    """An error of the system in a person's words; None if it is none that a person can mend."""
    for cause in _chain(error):
        if isinstance(cause, PilothouseError):
            return cause
        if isinstance(cause, OSError) and cause.errno in _MENDABLE:
            return disk_trouble(cause)
        if type(cause).__module__ == "sqlite3" and str(cause) in _SQLITE:
            return disk_trouble(OSError(_SQLITE[str(cause)], str(cause)))
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that it was raised for."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__
    return iter(found)


_MENDABLE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}
_SQLITE = {
    "database or disk is full": errno.ENOSPC,
    "attempt to write a readonly database": errno.EROFS,
    "unable to open database file": errno.EACCES,
}


def _classes(base: type[PilothouseError]) -> Iterator[type[PilothouseError]]:
    yield base
    for child in base.__subclasses__():
        yield from _classes(child)
