"""The operations on devices, through the gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from tools.devices.views import changes_of, spellings
from tools.kernel.errors import Conflict, InvalidInput, NeedsApproval, NotFound
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel

Enroll = Callable[..., Outcome]


@pytest.fixture
def enroll(kernel: Kernel, context: RequestContext) -> Enroll:
    def run(name: str = "thinkpad-1", group: str = "thinkpads", profile: str = "laptop") -> Outcome:
        arguments = {"name": name, "group": group, "profile": profile}
        return kernel.gate.call("devices.enroll", arguments, context)

    return run


def test_the_token_is_shown_once_and_stored_nowhere(enroll: Enroll, kernel: Kernel) -> None:
    outcome = enroll()
    result: Any = outcome.result
    token: str = result.token.get_secret_value()
    assert token.isalnum() and "--name thinkpad-1" in result.command
    assert token not in result.command
    assert outcome.receipt is not None and outcome.receipt.says.endswith(result.command)
    assert token not in json.dumps(outcome.receipt.model_dump(mode="json"))
    with kernel.database.engine.connect() as connection:
        tables = connection.execute(text("select name from sqlite_master where type = 'table'"))
        for (table,) in tables.all():
            rows = connection.execute(text(f'select * from "{table}"')).all()
            assert token not in repr(rows), table


def test_a_new_device_is_pending_in_the_group_that_was_meant(enroll: Enroll, call: Any) -> None:
    enroll()
    enroll("thinkpad-2", group="Thinkpad")
    listed = call("devices.list", group="the thinkpads").result.devices
    assert [(d.name, d.group, d.state) for d in listed] == [
        ("thinkpad-1", "thinkpads", "pending"),
        ("thinkpad-2", "thinkpads", "pending"),
    ]
    assert call("devices.health").result.pending == 2


def test_a_name_is_given_once(enroll: Enroll) -> None:
    enroll()
    with pytest.raises(Conflict, match="already"):
        enroll("ThinkPad_1", group="phones")


@pytest.mark.parametrize("name", ["", "../x", "-a", "a b", "é", "x" * 65, "1a"])
def test_a_name_that_would_not_do_on_a_command_line_is_refused(enroll: Enroll, name: str) -> None:
    with pytest.raises(InvalidInput):
        enroll(name)


def test_an_unknown_device_or_group_is_told_with_what_is_near(enroll: Enroll, call: Any) -> None:
    enroll()
    with pytest.raises(NotFound) as error:
        call("devices.describe", device="thinkpd-1")
    assert error.value.suggestions == ("thinkpad-1",)
    with pytest.raises(NotFound):
        call("devices.list", group="toasters")


def test_retiring_needs_approval_and_can_be_undone_with_a_new_token(
    enroll: Enroll, approved: Callable[..., Outcome], call: Any, kernel: Kernel
) -> None:
    enroll()
    with pytest.raises(NeedsApproval) as needed:
        call("devices.retire", device="thinkpad-1")
    assert needed.value.approval["confirm"] == "thinkpad-1"
    outcome = approved("devices.retire", device="thinkpad-1")
    assert [e.value for e in outcome.receipt.evidence][:2] == ["retired", "thinkpads"]
    assert call("devices.list").result.devices == []
    assert outcome.receipt.undo is not None
    undo = outcome.receipt.undo
    again = kernel.gate.call(
        undo.operation, undo.arguments, RequestContext(kernel.principals.local())
    )
    assert again.result.model_dump()["name"] == "thinkpad-1"
    assert call("devices.describe", device="thinkpad-1").result.state == "pending"


def test_protecting_is_a_write_and_lifting_it_needs_a_second_person(
    enroll: Enroll, call: Any
) -> None:
    enroll()
    assert call("devices.protect", group="thinkpads", protected=True).result.protected
    with pytest.raises(NeedsApproval) as needed:
        call("devices.protect", group="thinkpads", protected=False)
    assert needed.value.approval["second_person"] is True
    assert call("devices.describe", device="thinkpad-1").result.protected


@pytest.mark.parametrize(
    ("group", "other"),
    [
        ("thinkpads", "thinkpad"),
        ("phone", "phones"),
        ("galaxies", "galaxy"),
        ("battery", "batteries"),
        ("boxes", "box"),
        ("switch", "switches"),
        ("servers-batch", "servers-batches"),
    ],
)
def test_a_group_is_known_in_its_other_number_and_with_an_article(group: str, other: str) -> None:
    assert set(spellings(group)) == {other, f"the {group}", f"the {other}"}


def test_every_operation_has_enough_examples(kernel: Kernel) -> None:
    for operation in kernel.operations.of(("devices", "deployment")):
        assert operation.hidden or len(set(operation.examples)) >= 8, operation.name


def test_a_card_for_a_large_fleet_has_a_row_for_each_kind_of_change() -> None:
    told = [
        (f"phone-{n}", f"ticket-router v{n % 2 + 1}", "ticket-router v3") for n in range(10_000)
    ]
    first, second = changes_of(told)
    assert first.what == "5,000 devices (phone-0, phone-2, phone-4 and 4,997 more)"
    assert (second.before, second.after) == ("ticket-router v2", "ticket-router v3")
    assert [c.what for c in changes_of(told[:3])] == ["phone-0", "phone-1", "phone-2"]
