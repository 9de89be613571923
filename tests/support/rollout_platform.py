"""A platform in a process of its own, to be killed: `python -m tests.support.rollout_platform`.

Reads one JSON object a line, `{"operation": …, "arguments": {…}}`, calls it as the owner, who
approves it, and prints the job's number.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.support.fleet import DeviceServer
from tools.deployment.workflow import Workflow
from tools.kernel.errors import NeedsApproval
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings


def call_approved(
    kernel: Kernel, context: RequestContext, operation: str, arguments: dict[str, Any]
) -> Outcome:
    """Call a dangerous operation as the owner, who approves it."""
    try:
        return kernel.gate.call(operation, arguments, context)
    except NeedsApproval as needed:
        approval = needed.approval
    kernel.approvals.grant(approval["id"], context.principal, approval["confirm"])
    return kernel.gate.call(operation, arguments, context, approval=approval["id"])


def main(home: str, port: str) -> None:
    """Serve devices and run jobs until standard input is closed."""
    kernel = Kernel(Settings(home=Path(home), device_report_seconds=8.0))
    kernel.get(Workflow).bake_seconds = 0.5
    server = DeviceServer(kernel, int(port))
    kernel.start()
    context = RequestContext(kernel.principals.local())
    print(server.port, flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        outcome = call_approved(kernel, context, wanted["operation"], wanted["arguments"])
        print(outcome.job, flush=True)
    server.stop()
    kernel.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
