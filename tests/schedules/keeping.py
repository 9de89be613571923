"""A platform process that the tests kill: `python -m tests.schedules.keeping HOME SECONDS`.

It keeps a plan that lists the datasets in so many seconds, says when the plan is kept and when it
has become due, and goes on until it is killed.
"""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.plan_runs import TOPIC
from tools.kernel.settings import Settings


def main(home: str, seconds: str) -> None:
    kernel = Kernel(Settings(home=Path(home)))
    kernel.start()
    at = (datetime.now(UTC) + timedelta(seconds=float(seconds))).isoformat()
    given = {"sentence": "list them", "steps": [{"id": "s1", "operation": "datasets.list"}]}
    owner = RequestContext(kernel.principals.local())
    kernel.gate.call("schedules.create", {**given, "timing": {"at": at}}, owner)
    print("KEPT", flush=True)
    while not kernel.events.wait(TOPIC, 0, 60):
        pass
    print("DUE", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
