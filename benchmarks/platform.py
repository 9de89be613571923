"""A platform in a process of its own: `python -m benchmarks.platform HOME PORT SILENT WATCHED`.

Serves the device protocol on the loopback address and runs jobs. Reads one JSON object a line,
`{"key": …, "operation": …, "arguments": {…}}`, calls it as the owner, who approves it, and answers
with a line: `{"job": …}` or `{"error": …}`. The key makes a line that is sent again the same call.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from tools.deployment.workflow import Workflow
from tools.devices.protocol import DeviceProtocol
from tools.kernel.errors import NeedsApproval, PilothouseError
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings
from tools.registry.service import RegistryService
from ui.devices_api import device_router


def call_approved(
    kernel: Kernel, context: RequestContext, operation: str, arguments: dict[str, Any], key: str
) -> Outcome:
    """Call a dangerous operation as the owner, who approves it."""
    try:
        return kernel.gate.call(operation, arguments, context, idempotency_key=key)
    except NeedsApproval as needed:
        approval = needed.approval
    kernel.approvals.grant(approval["id"], context.principal, approval["confirm"])
    return kernel.gate.call(
        operation, arguments, context, approval=approval["id"], idempotency_key=key
    )


def answer(kernel: Kernel, context: RequestContext, line: str) -> dict[str, Any]:
    """Carry one line out."""
    wanted = json.loads(line)
    operation, arguments = wanted["operation"], wanted["arguments"]
    try:
        outcome = call_approved(kernel, context, operation, arguments, wanted["key"])
    except PilothouseError as error:
        return {"error": error.message, "code": error.code}
    return {"job": outcome.job}


def main(home: str, port: str, silent: str, watched: str) -> None:
    """Serve devices and run jobs until standard input is closed.

    Args:
        home: the platform's home.
        port: on the loopback address.
        silent: seconds after which a device counts as silent.
        watched: seconds for which a step is watched.
    """
    kernel = Kernel(Settings(home=Path(home), device_report_seconds=float(silent)))
    kernel.get(Workflow).bake_seconds = float(watched)
    app = FastAPI()
    app.include_router(device_router(kernel))
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=int(port), log_level="critical", lifespan="off", access_log=False,
            timeout_graceful_shutdown=1, backlog=4096,
        )
    )  # fmt: skip
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    kernel.start()
    context = RequestContext(kernel.principals.local())
    kernel.get(RegistryService).model_names(context.tenant)  # opened now, not while measured
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(kernel, context, line)), flush=True)
    kernel.get(DeviceProtocol).send_away()
    server.should_exit = True
    thread.join(5)
    kernel.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
