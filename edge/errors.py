"""What can go wrong on a device, by who has to react."""

from __future__ import annotations


class EdgeError(Exception):
    """The root of all expected errors on a device."""


class Refused(EdgeError):
    """A bundle is not what it should be, or does not fit: trying again would not help."""


class NotNow(Refused):
    """What stands against it may pass (a disturbed line, a full disk): refuse, and try later."""


class DiedLoading(Refused):
    """The program died more than once while it loaded a model whose files are whole."""


class Unreachable(EdgeError):
    """The server did not answer, or not usefully: try again later, keep serving."""


class LockedOut(Unreachable):
    """The server does not know this device any more: keep serving, ask again rarely."""


class Superseded(EdgeError):
    """Something newer is desired: drop the work at hand."""


class Retired(EdgeError):
    """The server says that this device is retired: stop."""


class BadRequest(EdgeError):
    """A prediction request is malformed; the message says how."""


class NoModel(EdgeError):
    """The device serves no model yet."""
