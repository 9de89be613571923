"""What is said when there is nothing to do. Plain words, no promises."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.understanding.values import is_period
from tools.kernel.operations import OperationSet

_SOCIAL = {
    "greeting": "Hello. Say what you need, for example {example!r}; `help` shows what I can do.",
    "thanks": "You are welcome.",
    "farewell": "Good bye.",
}


_SAID = {
    "rank": "with rank 16",
    "epochs": "for 3 epochs",
    "trials": "with 8 trials",
    "max_loss_points": "at most 1 point worse",
    "max_latency_ms": "under 20 ms",
    "minimum_effect": "with a minimum effect of 2 points",
    "max_rows": "at most 2000 rows",
    "minutes": "for 30 minutes each",
    "percent": "to 10 percent",
    "group": "on the group NAME",
    "device": "the device NAME",
    "alias": "as challenger",
    "version": "version 3",
    "dataset": "on the dataset NAME",
    "model": "of the model NAME",
    "rows": "on 200 rows",
    "period": "of last week",
    "days": "for 30 days",
    "role": "as viewer",
    "audience": "for the board",
    "job": "job 7",
    "source": "the document NAME",
    "name": "called NAME",
    "limit": "the last 5",
}
"""How an argument may be said, the most telling ones first."""
_EVERY_STEPS = re.compile(r"\bevery\b.*\bsteps?\b", re.IGNORECASE)


class Replies:
    """Sentences for the cases in which no step is planned."""

    def __init__(self, operations: OperationSet) -> None:
        self._operations = operations

    def social(self, act: str) -> str:
        """The answer to a greeting, thanks or a farewell."""
        return _SOCIAL[act].format(example=self._example("training.start"))

    def nothing(self) -> str:
        """For a message without words."""
        return "I saw no request in that. `help` shows what I can do."

    def pasted(self) -> str:
        """For pasted text that is not itself a request."""
        return (
            "That looks like pasted or quoted text. I treat it as data and do nothing it says; "
            "tell me in your own words what to do with it."
        )

    def foreign(self) -> str:
        """For other languages."""
        return "I understand English only, so far. Nothing was done."

    def negated(self) -> str:
        """For "do not …"."""
        return "All right, I will not. Nothing was done."

    def cancelled(self) -> str:
        """For a plan or a question that was given up."""
        return "Dropped. Nothing of it was done."

    def wrong(self, part: str) -> str:
        """For a plan of which a part is wrong, where nobody said what is right."""
        return f"Dropped. Nothing of it was done. Which {part} is right?"

    def nothing_open(self) -> str:
        """For a yes, no or cancel when nothing waits."""
        return "Nothing is waiting for an answer right now."

    def condition(self, words: str) -> str:
        """For a condition that cannot be decided."""
        return (
            f"I cannot decide {words!r} by myself, so I planned nothing. I can compare two models, "
            "or a measured figure with a number."
        )

    def unrestricted(self, words: str) -> str:
        """For a condition or an exception that a plan which waits cannot take in."""
        return (
            f"I cannot take {words.strip()!r} into the plan, so I dropped it: nothing was done. "
            "Say the whole of it in one sentence."
        )

    def idle(self) -> str:
        """For `how is it going?` where nothing goes."""
        return "Nothing runs right now. Say what you need; `help` shows what I can do."

    def unread(self, words: str, operations: Sequence[str]) -> str:
        """For words of an order that none of its arguments takes in.

        Args:
            words: what was not understood.
            operations: what the order asks for; the hint names arguments of theirs.
        """
        if _EVERY_STEPS.search(words) and any(o.startswith("training.") for o in operations):
            return (
                f"I cannot do {words!r}, so I planned nothing: a training measures the validation "
                "split after every epoch, and at no other step. Without it, it does."
            )
        if is_period(words):
            return (
                "Only trainings, evaluations and comparisons take the rows of a certain time, so I "
                f"planned nothing. Without {words!r} all rows of the dataset count."
            )
        told = self._hints(operations)
        example = f", for example {told}" if told else ""
        return (
            f"I do not know what {words!r} is to be there, so I planned nothing. Name what it is "
            f"for{example}."
        )

    def _hints(self, operations: Sequence[str]) -> str:
        """How arguments that the operations take are said: `'with rank 16' or 'for 3 epochs'`."""
        taken = {n for o in operations for n in self._operations.get(o).input.model_fields}
        found = [f"'{said}'" for name, said in _SAID.items() if name in taken][:3]
        return " or ".join(filter(None, (", ".join(found[:-1]), *found[-1:])))

    def back_to_version(self, version: str) -> str:
        """For a rollback that names the version to go back to."""
        return (
            f"A rollback puts back what the group served before, whatever {version!r} is, so I "
            "planned nothing. Say it without the version for that, or deploy the version: "
            "`deploy MODEL v2 to GROUP`."
        )

    def single_device(self, name: str) -> str:
        """For one device, where an act is on a whole group."""
        return (
            f"{name} is one device, and that is done to a whole group of devices, so I planned "
            f"nothing. Name the group, or enrol {name} into a group of its own."
        )

    def not_by_time(self, said: str, operation: str) -> str:
        """For a list that cannot be narrowed to a time."""
        known = self._operations.get(operation)
        return (
            f"I cannot narrow that to {said!r}: {known.name} takes no time. Without it I can "
            f"{known.summary[:1].lower()}{known.summary[1:].rstrip('.')}; jobs, receipts and "
            "reports can be narrowed to a time."
        )

    def no_such_time(self, said: str, problem: str) -> str:
        """For a time that cannot be kept."""
        return (
            f"I planned nothing, because I cannot keep {said!r}: {problem}. I can do something at "
            "a moment (`tomorrow at 9`), on a clock (`every monday at 9`, `every 6 hours`), or "
            "when a job has ended (`when job 7 has finished`)."
        )

    def reminding(self) -> str:
        """For reminders and messages."""
        return (
            "I cannot send reminders or messages, so I planned nothing. I can carry something out "
            "at a time or when a job has ended, and you find what came of it in "
            "`pilothouse schedules`."
        )

    def one_run(self, name: str) -> str:
        """For one run of a schedule that is to be left out."""
        return (
            f"I cannot leave out a single run of a schedule, so nothing was changed. Say `pause "
            f"{name}` before that run is due and `resume {name}` after it."
        )

    def still_scheduled(self, names: Sequence[str]) -> str:
        """For "do not …" where schedules stand."""
        told = ", ".join(names[:5])
        return (
            f"All right, nothing was done now. What is scheduled stays so ({told}): say "
            f"`pause {names[0]}` or `cancel {names[0]}` to stop it."
        )

    def outside(self, nearest: Sequence[str], clause: str, one_of_several: bool) -> str:
        """For what no operation can serve, with what comes nearest."""
        names = [self._operations.get(name) for name in nearest[:3]]
        near = "; ".join(
            f"{o.summary.rstrip('.').lower()} ({o.examples[0]!r})" for o in names if o.examples
        )
        what = (
            f"I do not understand {clause!r}, so I planned nothing"
            if one_of_several
            else "I cannot do that"
        )
        return f"{what}. What comes nearest: {near}. `help` shows everything."

    def _example(self, name: str) -> str:
        try:
            return self._operations.get(name).examples[0]
        except Exception:
            return next((o.examples[0] for o in self._operations if o.examples), "help")
