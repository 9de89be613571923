"""Models that run beside the one that answers: their labels are compared, and never used.

A model that is served with weight 0 answers nobody. What the device was asked goes to it
afterwards from a short queue; when it cannot keep up, requests are passed over, so that no answer
waits for it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

from edge.counters import Counters
from edge.runtime import Arm, Prediction, Runtime

_WAITING = 32
_Asked = tuple[Arm, list[str], list[Prediction]]


class Shadow:
    """Compares models of weight 0 with what was answered; safe to use from several threads.

    Args:
        runtime: the models.
        counters: where comparisons are counted.
    """

    def __init__(self, runtime: Runtime, counters: Counters) -> None:
        self._runtime = runtime
        self._counters = counters
        self._asked: queue.Queue[_Asked] = queue.Queue(_WAITING)
        threading.Thread(target=self._compare_forever, daemon=True).start()

    def answered(self, texts: Sequence[str], answers: Sequence[Prediction]) -> None:
        """Hand over what was asked and answered; returns at once."""
        for arm in self._runtime.arms:
            if arm.assignment.weight == 0:
                try:
                    self._asked.put_nowait((arm, list(texts), list(answers)))
                except queue.Full:
                    return

    def settle(self) -> None:
        """Wait until all that was handed over has been compared."""
        self._asked.join()

    def _compare_forever(self) -> None:
        while True:
            self._compare(*self._asked.get())
            self._asked.task_done()

    def _compare(self, arm: Arm, texts: list[str], answers: list[Prediction]) -> None:
        try:
            found = arm.model.predict(texts)
        except Exception:  # the runtime's own exceptions share no base
            self._counters.failed(arm.assignment, len(texts))
            return
        agreed = sum(a.label == b.label for a, b in zip(answers, found, strict=True))
        self._counters.compared(arm.assignment, len(texts), agreed)
