"""What every handler shares: the kernel, the assistant once it is open, and who is asking."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from fastapi.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from tools.kernel.errors import InvalidInput, PolicyDenied, Unavailable
from tools.kernel.identity import RequestContext, Role
from tools.kernel.policy import require_lent
from tools.kernel.principals import DEFAULT_TENANT
from ui.api.notifier import Notifier
from ui.api.turns import Turns
from ui.auth import Caller, Gatekeeper

if TYPE_CHECKING:
    from graphs.assistant import Assistant
    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)
PREFIX = "/api/v1"
"""Where the REST resources lie."""
_THREAD = re.compile(r"^[\w.-]{1,64}$")
OpenAssistant = Callable[["Kernel"], Awaitable["Assistant"]]


class Door:
    """The platform as its handlers see it.

    Args:
        kernel: the started kernel.
        token: the owner's token.
        open_assistant: opens the assistant; it takes seconds, so it is done in the background.
        shut_down: asks the process to stop.
    """

    def __init__(
        self,
        kernel: Kernel,
        token: str,
        open_assistant: OpenAssistant,
        shut_down: Callable[[], None],
    ) -> None:
        self.kernel = kernel
        self.shut_down = shut_down
        self.turns = Turns()
        self.notifier = Notifier(kernel.events)
        self.stopping = asyncio.Event()
        self.gatekeeper = Gatekeeper(kernel, token)
        self._open = open_assistant
        self._opening: asyncio.Task[Assistant] | None = None
        self._warming: asyncio.Task[None] | None = None

    def begin(self) -> asyncio.Task[Assistant]:
        """Open the assistant in the background."""
        self._opening = asyncio.create_task(self._open_assistant())
        return self._opening

    async def assistant(self) -> Assistant:
        """The assistant, waited for while it is being opened.

        Raises:
            Unavailable: if it could not be opened; the log says why.
        """
        opening = self._opening
        if opening is None or (opening.done() and self._failed(opening)):
            opening = self.begin()
        return await asyncio.shield(opening)

    @property
    def assistant_state(self) -> str:
        """`opening`, `ready` or `failed`."""
        if self._opening is None or not self._opening.done():
            return "opening"
        return "failed" if self._failed(self._opening) else "ready"

    async def quiet(self) -> None:
        """Cut off what runs for people here; it goes on from its checkpoint at the next start."""
        self.stopping.set()
        await self.notifier.stop()
        await self.turns.stop()

    async def close(self) -> None:
        """Close the assistant."""
        await self.quiet()
        opening, self._opening = self._opening, None
        if opening is None:
            return
        if not opening.done():
            opening.cancel()
        elif not self._failed(opening):
            await opening.result().close()

    @staticmethod
    def _failed(task: asyncio.Task[Any]) -> bool:
        return task.cancelled() or task.exception() is not None

    async def _open_assistant(self) -> Assistant:
        try:
            assistant = await self._open(self.kernel)
        except ImportError as error:
            raise Unavailable(
                f"The assistant could not be loaded: {error}.",
                hint="`make setup` installs what is missing.",
            ) from error
        local = RequestContext(self.kernel.principals.local())
        self._warming = asyncio.create_task(run_in_threadpool(assistant.prepare, local))
        return assistant


async def door_of(connection: HTTPConnection) -> Door:
    """The door that the application was made with; a coroutine, which needs no thread."""
    return connection.app.state.door


def require_admin(context: RequestContext) -> None:
    """Let administrators of the installation pass: those of the default tenant.

    Raises:
        PolicyDenied: for everybody else.
    """
    require_lent(context.principal, "platform.shutdown", "platform:dangerous")
    if Role.ADMIN not in context.principal.roles or context.tenant != DEFAULT_TENANT:
        raise PolicyDenied(
            f"{context.principal.name} may not do this.",
            hint="It needs the role admin in the default tenant.",
        )


def thread_name(thread: str) -> str:
    """A thread's id, checked.

    Raises:
        InvalidInput: if it has other than 1 to 64 letters, digits, dots and dashes.
    """
    if not _THREAD.match(thread):
        raise InvalidInput(
            f"{thread[:80]!r} is no thread's id.",
            hint="1 to 64 letters, digits, dots, dashes or underscores.",
        )
    return thread


TheDoor = Annotated[Door, Depends(door_of)]
__all__ = ["Caller", "Door", "TheDoor"]
