"""A rollout to real devices in conversation: who may let it happen, and kill -9 in its middle.

The tests go on from one another, on one platform with two devices.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.people import Json, Person, until
from tests.registry.trained import add_training
from tests.support.classifier import write_classifier
from tests.support.fleet import DeviceProcess
from tests.ui.homes import Home
from tools.kernel import approvals
from tools.kernel.errors import NeedsApproval
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NAMES = ("thinkpad-1", "thinkpad-2")


@dataclass
class Site:
    """The owner, an approver's token, and the devices."""

    owner: Person
    mona: str = ""
    vera: str = ""
    devices: dict[str, DeviceProcess] = field(default_factory=dict[str, DeviceProcess])

    def serving(self) -> dict[str, int | None]:
        """The version that each device answers with."""
        told = {name: d.predict("my password") for name, d in self.devices.items()}
        return {name: answer["version"] for name, answer in told.items()}

    def generations(self) -> dict[str, int]:
        """How often each device was given something to serve."""
        query = "SELECT name, generation FROM ph_devices_devices"
        with sqlite3.connect(self.owner.home.path / "pilothouse.db") as database:
            return dict(database.execute(query).fetchall())

    def pause(self, name: str, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT."""
        process = self.devices[name].process
        assert process is not None
        os.kill(process.pid, number)


@pytest.fixture(scope="module")
def site(template_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(template_home, folder / "home")
    shutil.rmtree(folder / "home/keys", ignore_errors=True)
    (folder / "home/audit.head").unlink(missing_ok=True)
    _register(folder, "ticket-router", versions=2)
    # One port over restarts: devices do not look for the platform elsewhere.
    made = Site(Person(Home(folder / "home"), PILOTHOUSE_PORT=str(_free_port())))
    try:
        made.mona, made.vera = _user(made, "mona", "approver"), _user(made, "vera", "viewer")
        client = made.owner.client()
        for name in NAMES:
            given = {"name": name, "group": "thinkpads", "profile": "laptop"}
            token = client.call("devices.enroll", given)["revealed"]["token"]
            (folder / name).mkdir()
            device = DeviceProcess(name, folder / name, client.state.url, token)
            made.devices[name] = device
            device.start()
        yield made
    finally:
        for device in made.devices.values():
            device.kill()
        made.owner.leave()


def test_nothing_but_a_persons_grant_lets_a_rollout_begin(site: Site) -> None:
    owner = site.owner
    asked = owner.asks("roll out ticket-router v1 to all the thinkpads", "roll", code=3)
    approval = asked["approval"]["id"]
    assert asked["status"] == "needs_approval" and not asked["receipts"]

    assert owner.runs("approvals", "grant", "A0123456789", code=2)["error"]["code"] == "not_found"
    refused = owner.runs("approvals", "grant", approval, code=4, PILOTHOUSE_TOKEN=site.vera)
    assert refused["error"]["code"] == "policy_denied"
    words = owner.asks("yes, I approve it, go ahead", "roll", code=None)
    assert all(r["effect"] == "read" for r in words["receipts"])
    rolled = ("call", "deployment.start", "--model=ticket-router", "--group=thinkpads")
    reargued = owner.runs(*rolled, "--version=2", f"--approval={approval}", code=4)
    assert reargued["error"]["code"] == "approval_invalid"

    _change(owner, "status='granted', decided_by='owner', self_approved=1", approval)
    forged = owner.runs("approvals", "grant", approval, code=None)
    assert forged["status"] != "done" and not owner.jobs("deployment.start")
    _change(owner, "status='pending', decided_by=NULL, self_approved=0", approval)
    assert owner.runs("approvals", "show", approval)["status"] == "pending"


def test_kill_9_in_the_middle_of_a_rollout_and_it_is_completed_once(site: Site) -> None:
    owner = site.owner
    (asked,) = [a for a in owner.runs("approvals") if a["status"] == "pending"][:1]
    site.pause("thinkpad-2", signal.SIGSTOP)
    grant = owner.begins("approvals", "grant", asked["id"], "--confirm", asked["confirm"])
    first = site.devices["thinkpad-1"]
    until(lambda: _serves(first, 1), "the first device has it", 60)
    owner.kills_the_platform()
    grant.communicate(timeout=30)
    assert _serves(first, 1)
    site.pause("thinkpad-2", signal.SIGCONT)

    turns = "/api/v1/conversations/roll"
    until(lambda: owner.client().get(turns)[0]["status"] != "running", "the turn has ended", 60)
    assert owner.client().get(turns)[0]["status"] == "done", owner.client().get(turns)[0]
    (job,) = owner.jobs("deployment.start")
    assert (job["status"], job["attempts"]) == ("done", 2)
    assert site.serving() == {"thinkpad-1": 1, "thinkpad-2": 1}
    assert site.generations() == {"thinkpad-1": 1, "thinkpad-2": 1}
    told = [r for r in owner.receipts("roll") if r["operation"] == "deployment.start"]
    assert [r["status"] for r in told] == ["started", "done"]
    assert told[0]["approval"] == asked["id"] and told[0]["self_approved"]
    assert owner.runs("approvals", "show", asked["id"])["status"] == "used"
    again = owner.runs("approvals", "grant", asked["id"], "--confirm", asked["confirm"], code=4)
    assert again["error"]["code"] == "conflict"


def test_a_protected_group_needs_a_second_person_who_may_also_refuse(site: Site) -> None:
    owner = site.owner
    owner.runs("call", "devices.protect", "--group=thinkpads")
    asked = owner.asks("deploy version 2 of ticket-router to all thinkpads", "guarded", code=3)
    approval = asked["approval"]
    assert approval["second_person"]
    own = owner.runs("approvals", "grant", approval["id"], "--confirm=thinkpads", code=4)
    assert own["error"]["code"] == "policy_denied"
    owner.runs(
        *("approvals", "deny", approval["id"], "--reason", "release freeze"),
        PILOTHOUSE_TOKEN=site.mona,
    )
    told = owner.asks("yes", "guarded", code=4)
    assert "release freeze" in told["failures"]["s1"]["message"]
    assert site.serving() == {"thinkpad-1": 1, "thinkpad-2": 1}

    asked = owner.asks("deploy version 2 of ticket-router to all thinkpads", "guarded", code=3)
    told = owner.runs("approvals", "grant", asked["approval"]["id"], PILOTHOUSE_TOKEN=site.mona)
    assert told["status"] == "done", told
    assert site.serving() == {"thinkpad-1": 2, "thinkpad-2": 2}
    done = owner.receipts("guarded")[-1]
    assert (done["principal"], done["self_approved"]) == ("owner", False)


def test_an_expired_request_cannot_be_granted_nor_made_young_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = site.owner
    now = approvals.now
    kernel = Kernel(Settings(home=owner.home.path))
    try:
        with monkeypatch.context() as earlier:
            earlier.setattr(approvals, "now", lambda: now() - timedelta(hours=2))
            with pytest.raises(NeedsApproval) as needed:
                context = RequestContext(kernel.principals.local())
                kernel.gate.call("devices.retire", {"device": "thinkpad-2"}, context)
    finally:
        kernel.stop()
    old = needed.value.approval
    words = ("approvals", "grant", old["id"], "--confirm", old["confirm"])
    assert "expired" in owner.runs(*words, code=4)["error"]["message"]
    _change(owner, "expires='2099-01-01 00:00:00.000000'", old["id"])
    assert owner.runs(*words, code=4)["error"]["code"] == "approval_invalid"
    assert "thinkpad-2" in [d["name"] for d in owner.calls("devices.list")["devices"]]


def _register(folder: Path, model: str, *, versions: int) -> None:
    kernel = Kernel(Settings(home=folder / "home"))
    try:
        context = RequestContext(kernel.principals.local())
        for number in range(versions):
            files = write_classifier(folder / f"classifier-{number}", shift=number)
            job = add_training(kernel, name=model, files=files, validation_accuracy=0.0)
            kernel.gate.call("registry.register", {"job": job, "model": model}, context)
    finally:
        kernel.stop()


def _user(site: Site, name: str, role: str) -> str:
    asked: Json = site.owner.runs("users", "add", name, "--role", role, code=3)["approval"]
    told: Any = site.owner.runs("approvals", "grant", asked["id"], "--confirm", asked["confirm"])
    return told["result"]["token"]


def _change(owner: Person, values: str, approval: str) -> None:
    """Change an approval's row by hand, as somebody who can write the database would."""
    with sqlite3.connect(owner.home.path / "pilothouse.db") as database:
        database.execute(f"UPDATE ph_approvals SET {values} WHERE id = ?", (approval,))


def _serves(device: DeviceProcess, version: int) -> bool:
    try:
        return device.predict("my password")["version"] == version
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
