"""The kernel: one object a process and home, through which every part reaches every other."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any, TypeVar, cast

from tools.catalog import load_operations
from tools.kernel.approvals import Approvals
from tools.kernel.audit import Audit
from tools.kernel.budget import Budget
from tools.kernel.entities import Catalogue
from tools.kernel.errors import Unavailable
from tools.kernel.events import Events
from tools.kernel.gate import Gate
from tools.kernel.idempotency import Idempotency
from tools.kernel.jobs import Jobs
from tools.kernel.keys import Keys
from tools.kernel.leases import Leases
from tools.kernel.lockout import Lockout
from tools.kernel.operations import OPERATIONS, OperationSet
from tools.kernel.peers import Peers
from tools.kernel.plan_runs import PlanRuns
from tools.kernel.principals import Principals
from tools.kernel.receipts import Receipts
from tools.kernel.sessions import Sessions
from tools.kernel.settings import Settings
from tools.kernel.storage import Database
from tools.kernel.timers import Timers
from tools.kernel.tokens import Tokens

S = TypeVar("S")
log = logging.getLogger(__name__)
SWITCH_SECONDS = 0.0005
"""For how long a thread that computes keeps others from running; a tenth of Python's default.

Each statement of a short transaction waits that long beside a job that computes, and whoever waits
for the database's lock waits for all of them.
"""


class Kernel:
    """Opens a home: its database (migrated), keys and records, and all operations.

    Args:
        settings: configuration; from the environment when not given.
        operations: what can be done; every domain's operations when not given.

    Raises:
        Unavailable: if the home cannot be written.
    """

    def __init__(
        self, settings: Settings | None = None, operations: OperationSet | None = None
    ) -> None:
        self.settings = settings or Settings()
        self._open_home()
        if operations is None:
            load_operations()
        self.operations = OPERATIONS if operations is None else operations
        self.database = Database(self.settings.database)
        self.database.migrate()
        self.leases = Leases(self.database)
        self.keys = Keys(self.settings.home / "keys")
        self.events = Events(self.database)
        self.audit = Audit(self.database, self.keys, self.settings.home / "audit.head")
        self.catalogue = Catalogue(self)
        self.tokens = Tokens(self.database)
        self.principals = Principals(self.database, self.tokens)
        self.sessions = Sessions(self.database, self.principals, self.settings)
        self.lockout = Lockout(self.database)
        self.receipts = Receipts(self.database)
        self.approvals = Approvals(self.database, self.settings, self.keys, self.audit, self.events)
        self.budget = Budget(self.database, self.settings)
        self.idempotency = Idempotency(self.database)
        self.jobs = Jobs(self)
        self.timers = Timers(self)
        self.plan_runs = PlanRuns(self.database, self.events)
        self.gate = Gate(self)
        self.peers = Peers(self)
        self._services: dict[type[Any], Any] = {}
        self._lock = threading.RLock()

    def get(self, service: type[S]) -> S:
        """The one instance of a service class, made as `service(kernel)` at its first use."""
        with self._lock:
            if service not in self._services:
                self._services[service] = cast("Any", service)(self)
            return cast("S", self._services[service])

    def start(self) -> None:
        """Run jobs in this process, those first that a crash cut off."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self.peers.start()
        self.jobs.start()
        self.timers.started()

    def stop(self) -> None:
        """Stop running jobs, close what services hold open, and the database."""
        self.peers.stop()
        self.jobs.stop()
        for service in reversed(self._services.values()):
            close = getattr(service, "close", None)
            if callable(close):
                try:
                    close()
                except Exception:
                    log.exception("%s could not be closed", type(service).__name__)
        self.leases.close()
        self.database.close()

    def _open_home(self) -> None:
        try:
            self.settings.folder()
        except OSError as error:
            raise Unavailable(
                f"The home {self.settings.home} cannot be used: {error.strerror}.",
                hint="Set PILOTHOUSE_HOME to a folder that can be written.",
            ) from error
