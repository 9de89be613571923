"""What people do in the chat, handed to the assistant and to the approvals; nothing is decided."""

from __future__ import annotations

import asyncio
from difflib import SequenceMatcher
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import Conflict, InvalidInput, PilothouseError
from tools.kernel.identity import RequestContext
from ui import words
from ui.chat.history import History
from ui.chat.live import Expected, LiveChat
from ui.chat.markdown import code, plain, problem
from ui.chat.people import identifier
from ui.chat.starters import openings
from ui.chat.uploads import Offered, Uploads, rest_of
from ui.errors import problem as as_problem

if TYPE_CHECKING:
    from chainlit.action import Action
    from chainlit.message import Message
    from chainlit.types import Starter, ThreadDict
    from chainlit.user import User

    from ui.api.door import Door

ALIKE = 0.6
"""How alike a typed confirmation and the right one must be for it to count as mistyped."""


class Handlers:
    """Chainlit's callbacks over one platform.

    Args:
        door: the platform.
        server: Chainlit's server module, loaded.
    """

    def __init__(self, door: Door, server: ModuleType) -> None:
        self._door = door
        self._history = History(door)
        self._uploads = Uploads(door.kernel)
        self._live: dict[str, LiveChat] = {}
        self._socket: Any = server.sio

    def register(self) -> None:
        """Put the callbacks in place of Chainlit's own."""
        import chainlit as cl

        cl.data_layer(self.history)
        cl.on_chat_start(self.opened)
        cl.on_chat_resume(self.resumed)
        cl.on_chat_end(self.closed)
        cl.on_message(self.said)
        cl.set_starters(self.starters)
        for name in ("approve", "deny", "edit", "confirm", "answer", "stop", "store", "discard"):
            cl.action_callback(name)(getattr(self, f"press_{name}"))
        self._socket.on("stop", self.stop)
        self._socket.on("connection_successful", self.connected)

    async def starters(self, user: User | None, language: str | None) -> list[Starter]:
        """What to begin with, by role."""
        from chainlit.types import Starter

        from ui.chat.people import asking

        roles = asking.get().principal.roles
        return [Starter(label=o.label, message=o.sentence) for o in openings(roles)]

    def history(self) -> History:
        """Where Chainlit finds conversations."""
        return self._history

    # Sessions.

    def has_open(self, session: str) -> bool:
        """True if a tab is connected, and its conversation open in it."""
        from chainlit.session import WebsocketSession

        return session in self._live and WebsocketSession.get_by_id(session) is not None

    async def connected(self, sid: str) -> None:
        """A browser connected; one that had lost its connection is told what it missed."""
        from chainlit.session import WebsocketSession
        from chainlit.socket import connection_successful

        await connection_successful(sid)
        session = WebsocketSession.require(sid)
        known = self._live.get(session.id)
        if session.restored and known is not None:
            known.begin()

    async def opened(self) -> None:
        """A new conversation, in which nothing was said yet."""
        session = _session()
        author = session.user.identifier
        self._put(session, self._history.blank(session.thread_id, author))

    async def resumed(self, thread: ThreadDict) -> None:
        """A conversation of before, as it stands now."""
        session = _session()
        drawn = await asyncio.to_thread(
            self._history.transcript, thread["id"], session.user.identifier
        )
        thread["steps"] = list(drawn.steps.values())  # pyright: ignore[reportGeneralTypeIssues]
        live = self._put(session, drawn)
        await live.draw_buttons()

    def _put(self, session: Any, drawn: Any) -> LiveChat:
        before = self._live.pop(session.id, None)
        if before is not None:
            before.end()
        live = self._live[session.id] = LiveChat(self._door, session, drawn)
        live.begin()
        return live

    async def closed(self) -> None:
        """A browser left; its turns and jobs go on."""
        session = _session()
        live = self._live.get(session.id)
        if live is not None:
            live.end()
        self._forget()

    def _forget(self) -> None:
        """Let go of tabs that have not come back for so long that Chainlit has let them go."""
        from chainlit.session import WebsocketSession

        for known in [s for s in self._live if WebsocketSession.get_by_id(s) is None]:
            del self._live[known]

    # What is said.

    async def said(self, message: Message) -> None:
        """A sentence, or the answer to what a button asked for."""
        live, text = self._of(_session()), message.content.strip()
        try:
            context = live.context()
            files = [(e.name, Path(e.path)) for e in message.elements or [] if e.path]
            names = [name for name, _ in files]
            await live.tell("said", id=message.id, text=text, files=names)
            await live.place()
            if files:
                await self._receive(live, files, text, context)
            elif not await self._expected(live, text, context):
                await self._ask(live, text, context)
        except PilothouseError as error:
            await self._refused(live, error)

    async def _receive(
        self, live: LiveChat, files: list[tuple[str, Path]], text: str, context: RequestContext
    ) -> None:
        """Check files and show what they hold; they are stored when somebody says yes."""
        receive = self._uploads.receive
        upload, offered, told = await asyncio.to_thread(receive, files, text, context)
        if not offered:
            await live.note(told)
            return
        rest = rest_of(text, ["it"])
        then = f"\n\nThen: “{plain(text)}”." if text and rest else ""
        markdown = f"{told}\n\n**Nothing is stored yet.** Shall I store this?{then}"
        kept = [[o.path, o.operation, o.name, o.splits] for o in offered]
        await live.tell(
            "upload",
            upload=upload,
            state="waiting",
            markdown=markdown,
            files=kept,
            text=text,
            person=identifier(context.principal),
        )

    async def _ask(self, live: LiveChat, text: str, context: RequestContext) -> None:
        if not text:
            raise InvalidInput("Nothing was said.", hint="Say what you want in your own words.")
        assistant = await self._door.assistant()
        await live.run(assistant.ask(text, context))

    async def _expected(self, live: LiveChat, text: str, context: RequestContext) -> bool:
        """Take a message as the answer to what was asked; False if it is a new request."""
        expected, live.expected = live.expected, None
        if expected is None:
            return False
        if expected.what == "deny":
            await self._deny(live, expected.approval, text, context)
            return True
        if expected.what == "edit":
            await self._plan_anew(live, expected.approval, text, context)
            return True
        if text == expected.confirm:
            await self._grant(live, expected.approval, text, context)
            return True
        if SequenceMatcher(None, text.casefold(), expected.confirm.casefold()).ratio() >= ALIKE:
            live.expected = expected
            await live.note(
                f"That is not {code(expected.confirm)}; nothing was approved. Type it exactly,"
                " or say something else to leave it pending."
            )
            return True
        return False

    # What is pressed.

    async def press_approve(self, action: Action) -> None:
        """Approve; who proposed it themselves types what the card names."""
        live, approval = self._of(_session()), str(action.payload.get("approval"))
        try:
            context = live.context()
            found = self._door.kernel.approvals.get(approval, context.tenant)
            if found.status != "pending":
                raise Conflict(f"Approval {approval} is {found.status}; nothing more can be done.")
            if found.proposer != context.principal.name or found.second_person:
                await self._grant(live, approval, None, context)
                return
            live.expected = Expected("approve", approval, found.confirm)
            await live.note(
                f"You proposed this yourself: type {code(found.confirm)} to approve it."
                " Say anything else and it stays pending."
            )
        except PilothouseError as error:
            await self._refused(live, error)

    async def press_deny(self, action: Action) -> None:
        """Deny; the next message is the reason."""
        live, approval = self._of(_session()), str(action.payload.get("approval"))
        try:
            found = self._door.kernel.approvals.get(approval, live.context().tenant)
            if found.status != "pending":
                raise Conflict(f"Approval {approval} is {found.status}; nothing more can be done.")
            live.expected = Expected("deny", approval)
            await live.note("Why not? Your next message is the reason that is kept.")
        except PilothouseError as error:
            await self._refused(live, error)

    async def press_edit(self, action: Action) -> None:
        """Say it differently; the request that waits is withdrawn for a new plan."""
        live, approval = self._of(_session()), str(action.payload.get("approval"))
        live.expected = Expected("edit", approval)
        sentence = live.transcript.sentence_of(approval)
        await live.note(
            f"Say it as it should be. It was: “{plain(sentence)}”."
            " What waits is withdrawn as soon as there is a new plan."
        )

    async def press_confirm(self, action: Action) -> None:
        """Yes or no to a plan that writes."""
        live, yes = self._of(_session()), bool(action.payload.get("yes"))
        try:
            context, assistant = live.context(), await self._door.assistant()
            await live.run(assistant.resume(live.thread, context, confirmed=yes))
        except PilothouseError as error:
            await self._refused(live, error)

    async def press_answer(self, action: Action) -> None:
        """One of the offered answers to a question."""
        live, text = self._of(_session()), str(action.payload.get("text"))
        try:
            context = live.context()
            await live.tell("said", id=f"pressed-{context.request_id}", text=text)
            edits = live.expected is not None and live.expected.what == "edit"
            if not (edits and await self._expected(live, text, context)):
                await self._ask(live, text, context)
        except PilothouseError as error:
            await self._refused(live, error)

    async def press_store(self, action: Action) -> None:
        """Store an upload, and do what was said with it."""
        live, upload = self._of(_session()), str(action.payload.get("upload"))
        try:
            context = live.context()
            offered, text = self._waiting(live, upload)
            await live.tell("upload", upload=upload, state="stored", told="You said: store it.")
            names = [name for o in offered if (name := await self._store(live, o, context))]
            rest = rest_of(text, names) if names else None
            if rest:
                await self._ask(live, rest, context)
        except PilothouseError as error:
            await self._refused(live, error)

    async def _store(self, live: LiveChat, one: Offered, context: RequestContext) -> str | None:
        """Store one file by the operation for its kind; returns the name that it has now."""
        assistant = await self._door.assistant()
        plan = await asyncio.to_thread(assistant.parse, one.sentence, context)
        calls = [(s.operation, s.arguments.get("path")) for s in plan.steps]
        if calls != [(one.operation, one.path)] or plan.question is not None:
            raise InvalidInput(
                f"{Path(one.path).name} could not be stored under that name.",
                hint="Say another name with it: add this as NAME.",
            )
        await live.run(assistant.ask(one.sentence, context, auto_confirm=True))
        turns = await asyncio.to_thread(assistant.threads.history, live.thread, context)
        for held in (turns[-1]["results"] or {}).values():
            result = held.get("result") or {}
            if held.get("status") == "done":
                return str(result.get("name") or Path(one.path).name)
        return None

    async def press_discard(self, action: Action) -> None:
        """Delete an upload that was not stored."""
        live, upload = self._of(_session()), str(action.payload.get("upload"))
        try:
            self._waiting(live, upload)
            await asyncio.to_thread(self._uploads.discard, upload, live.context())
            told = "Discarded; nothing was stored."
            await live.tell("upload", upload=upload, state="discarded", told=told)
        except PilothouseError as error:
            await self._refused(live, error)

    @staticmethod
    def _waiting(live: LiveChat, upload: str) -> tuple[list[Offered], str]:
        """What an upload of this conversation holds.

        Raises:
            Conflict: if it no longer waits, or never did.
        """
        data = live.transcript.uploads.pop(upload, None)
        if data is None:
            raise Conflict("These files no longer wait for an answer.")
        return [Offered(*kept) for kept in data["files"]], str(data.get("text") or "")

    async def press_stop(self, action: Action) -> None:
        """Stop a job and its turn."""
        await self._stop(self._of(_session()), int(action.payload.get("turn") or 0) or None)

    async def stop(self, sid: str) -> None:
        """The stop button: the turn and the job that it started."""
        from chainlit.context import init_ws_context
        from chainlit.session import WebsocketSession

        session = WebsocketSession.get(sid)
        if session is not None:
            init_ws_context(session)
            await self._stop(self._of(session), None)

    async def _stop(self, live: LiveChat, number: int | None) -> None:
        running = live.transcript.running
        turn = live.transcript.turns.get(number or 0) or (running[-1] if running else None)
        try:
            assistant = await self._door.assistant()
            told = await assistant.cancel(live.thread, live.context(), number)
        except PilothouseError as error:
            await self._refused(live, error)
            return
        named = {w.id: w.operation for w in turn.works.values()} if turn else {}
        done = ", ".join(code(named.get(s, s)) for s in told["done"]) or "nothing"
        rest = ", ".join(code(named.get(s, s)) for s in told["not_done"]) or "nothing"
        jobs = f" Jobs stopped: {words.value(told['jobs'])}." if told["jobs"] else ""
        await live.note(f"■ Stopped. Done: {done}. Not done: {rest}.{jobs}")

    # Approvals.

    async def _grant(
        self, live: LiveChat, approval: str, confirm: str | None, context: RequestContext
    ) -> None:
        grant = self._door.kernel.approvals.grant
        live.hold(approval)
        await asyncio.to_thread(grant, approval, context.principal, confirm)
        live.resume_soon(approval, mine=True)

    async def _deny(
        self, live: LiveChat, approval: str, reason: str, context: RequestContext
    ) -> None:
        live.hold(approval)
        deny = self._door.kernel.approvals.deny
        await asyncio.to_thread(deny, approval, context.principal, reason)
        live.resume_soon(approval, mine=True)

    async def _plan_anew(
        self, live: LiveChat, approval: str, text: str, context: RequestContext
    ) -> None:
        """Plan the edited sentence; withdraw the request if it led to steps of its own.

        If it led to a question, the answer to that is still part of the edit.
        """
        before = len(live.transcript.turns)
        await self._ask(live, text, context)
        assistant = await self._door.assistant()
        turns = await asyncio.to_thread(assistant.threads.history, live.thread, context)
        plan = (turns[-1]["plan"] or {}) if len(turns) > before else {}
        planned = bool(plan.get("steps")) and not plan.get("question")
        if plan.get("question"):
            live.expected = Expected("edit", approval)
        found = self._door.kernel.approvals.get(approval, context.tenant)
        if planned and found.status == "pending":
            await self._deny(live, approval, f"planned anew: {text[:200]}", context)

    async def _refused(self, live: LiveChat, error: PilothouseError) -> None:
        try:
            await live.note(f"✘ {problem(as_problem(error))}")
        except PilothouseError:  # logged out: there is nobody to keep it for
            await live.toast(str(error), "error")

    def _of(self, session: Any) -> LiveChat:
        live = self._live.get(session.id)
        if live is None:
            drawn = self._history.transcript(session.thread_id, session.user.identifier)
            live = self._put(session, drawn)
        return live


def _session() -> Any:
    from chainlit.context import context

    return context.session
