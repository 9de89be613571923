"""Conversations are kept once, whoever opens them first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from graphs.conversations import Conversations
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel


def test_those_who_open_a_conversation_at_the_same_moment_share_it(kernel: Kernel) -> None:
    conversations, together = Conversations(kernel.database), Barrier(6)
    context = RequestContext(kernel.principals.local())

    def opened(number: int) -> list[str]:
        together.wait(20)
        return [conversations.open(f"t{n}", f"said by {number}", context).title for n in range(20)]

    with ThreadPoolExecutor(6) as pool:
        seen = list(pool.map(opened, range(6)))
    assert all(titles == seen[0] for titles in seen)
