"""Language understanding: words in, a typed plan out, offline and in milliseconds."""

from graphs.understanding.conversation import ConversationState, Focus, Pending
from graphs.understanding.names import NameView
from graphs.understanding.parsed import ParsedPlan, Reason
from graphs.understanding.understanding import Understanding

__all__ = [
    "ConversationState",
    "Focus",
    "NameView",
    "ParsedPlan",
    "Pending",
    "Reason",
    "Understanding",
]
