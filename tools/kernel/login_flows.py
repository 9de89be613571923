"""Sign-ins that are under way at an identity provider: begun once, ended once, by one browser."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete

from tools.kernel.errors import Unauthenticated
from tools.kernel.storage import Database, now
from tools.kernel.tables import LoginFlowRow
from tools.kernel.tokens import hashed

PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Flow:
    """One sign-in.

    Attributes:
        state: goes to the provider and comes back (RFC 6749, section 10.12).
        browser: stays in a cookie of the browser that began it.
        nonce: comes back inside the ID token (OpenID Connect Core, section 3.1.2.1).
        verifier: proves to the provider who began it (PKCE, RFC 7636).
        goal: where the person wanted to go.
    """

    state: str
    browser: str
    nonce: str
    verifier: str
    goal: str


class LoginFlows:
    """Begin and end; safe to use from several threads and processes.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, goal: str) -> Flow:
        """A new sign-in."""
        state, browser, nonce, verifier = (secrets.token_urlsafe(40) for _ in range(4))
        flow = Flow(state, browser, nonce[:43], verifier, goal)
        row = LoginFlowRow(
            state=hashed(flow.state),
            browser=hashed(flow.browser),
            nonce=flow.nonce,
            verifier=flow.verifier,
            goal=goal,
            expires=now() + PATIENCE,
        )
        with self._database.session() as session:
            session.execute(delete(LoginFlowRow).where(LoginFlowRow.expires < now()))
            session.add(row)
        return flow

    def end(self, state: str, browser: str) -> Flow:
        """The sign-in that came back; it cannot come back again.

        Raises:
            Unauthenticated: if none of that state is under way, or another browser began it.
        """
        with self._database.session() as session:
            row = session.get(LoginFlowRow, hashed(state))
            if row is not None:
                session.delete(row)
        known = row is not None and row.expires > now()
        if row is None or not known or not hmac.compare_digest(row.browser, hashed(browser)):
            raise Unauthenticated(
                "This sign-in was not begun in this browser, or took too long.", hint="Begin anew."
            )
        return Flow(state, browser, row.nonce, row.verifier, row.goal)
