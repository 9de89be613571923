"""The gate lets in only what it should, in order, and fails closed."""

from __future__ import annotations

import itertools

import pytest

from tests.kernel.conftest import person
from tests.kernel.lab import SECRET
from tools.kernel.errors import (
    Conflict,
    InvalidInput,
    NeedsApproval,
    NotFound,
    OperationFailed,
    PolicyDenied,
    Unauthenticated,
    Unavailable,
)
from tools.kernel.identity import Role
from tools.kernel.policy import Rule, authorise

CALLS = {"read": "lab.read", "write": "lab.put", "dangerous": "lab.wipe"}


def events(kernel, count=20):
    return [(r.body["event"], r.body.get("operation")) for r in kernel.audit.tail("default", count)]


@pytest.mark.parametrize(("role", "effect"), list(itertools.product(Role, CALLS)), ids=str)
def test_a_role_may_do_what_policy_says_and_nothing_else(lab, world, role, effect):
    allowed = effect == "read" or role in (Role.OPERATOR, Role.ADMIN)
    expected = () if allowed and effect != "dangerous" else (PolicyDenied, NeedsApproval)
    if not expected:
        lab.gate.call(CALLS[effect], {}, person("p", role))
        return
    with pytest.raises(NeedsApproval if allowed else PolicyDenied):
        lab.gate.call(CALLS[effect], {}, person("p", role))
    assert world.acts == []


def test_a_refusal_names_the_roles_that_may(lab):
    with pytest.raises(PolicyDenied) as refused:
        lab.gate.call("lab.put", {}, person("vera", Role.VIEWER))
    assert "admin or operator" in str(refused.value)
    assert events(lab)[-1] == ("call.refused", "lab.put")


def test_what_no_rule_names_is_refused():
    with pytest.raises(PolicyDenied, match="No policy rule"):
        authorise(person("root", *Role).principal, "lab.read", "lab:read", ())


def test_the_first_matching_rule_decides():
    rules = (Rule("lab.read", frozenset({Role.ADMIN})), Rule("*:read", frozenset(Role)))
    with pytest.raises(PolicyDenied):
        authorise(person("v", Role.VIEWER).principal, "lab.read", "lab:read", rules)


@pytest.mark.parametrize("context", [person(""), person("nobody"), person("", Role.ADMIN)])
def test_nobody_is_refused(lab, context):
    with pytest.raises(Unauthenticated):
        lab.gate.call("lab.read", {}, context)


def test_identity_goes_before_everything_else(lab):
    with pytest.raises(Unauthenticated):
        lab.gate.call("no.such", {"x": 1}, person("", Role.ADMIN))


def test_policy_goes_before_arguments(lab):
    with pytest.raises(PolicyDenied):
        lab.gate.call("lab.put", {"nonsense": 1}, person("v", Role.VIEWER))


def test_a_removed_person_is_refused_though_their_request_still_says_who_they_were(lab):
    lab.principals.add("ole", frozenset({Role.OPERATOR}))
    context = person("ole", Role.OPERATOR)
    lab.gate.call("lab.put", {}, context)
    lab.principals.remove("ole")
    with pytest.raises(Unauthenticated, match="removed"):
        lab.gate.call("lab.put", {}, context)


def test_a_role_that_was_taken_away_counts_no_longer(lab):
    lab.principals.add("ole", frozenset({Role.VIEWER}))
    with pytest.raises(PolicyDenied):
        lab.gate.call("lab.put", {}, person("ole", Role.OPERATOR, Role.VIEWER))


@pytest.mark.parametrize(("wrong", "right"), [("lab.raed", "lab.read"), ("Lab Read", "lab.read")])
def test_an_unknown_operation_is_answered_with_the_nearest(lab, owner, wrong, right):
    with pytest.raises(NotFound) as error:
        lab.gate.call(wrong, {}, owner)
    assert right in error.value.suggestions


def test_an_unknown_argument_is_answered_with_the_nearest(lab, owner):
    with pytest.raises(InvalidInput) as error:
        lab.gate.call("lab.put", {"shelv": "a"}, owner)
    assert error.value.suggestions == ("shelf",)
    assert "shelf, value" in str(error.value)


def test_a_missing_argument_is_asked_for(lab, owner):
    with pytest.raises(InvalidInput, match=r"model is missing \(Which model\?\)"):
        lab.gate.call("lab.models", {}, owner)


@pytest.mark.parametrize("ratio", [2, -1, "much", float("nan"), float("inf"), None, [1]])
def test_a_value_out_of_bounds_is_refused(lab, owner, ratio):
    with pytest.raises(InvalidInput, match="ratio"):
        lab.gate.call("lab.names", {"ratio": ratio}, owner)


@pytest.mark.parametrize("arguments", [None, [], "shelf", 3, {1: "a"}, {None: 2, "a": 1}])
def test_arguments_that_are_no_names_and_values_are_refused(lab, owner, arguments):
    with pytest.raises(InvalidInput, match="by name"):
        lab.gate.call("lab.put", arguments, owner, idempotency_key="k")


@pytest.mark.parametrize("name", [None, 7, "", "\ud800", ["lab.read"], "x" * 10_000])
def test_a_name_that_is_none_is_refused(lab, owner, name):
    with pytest.raises(NotFound):
        lab.gate.call(name, {}, owner)
    assert lab.audit.verify().intact


@pytest.mark.parametrize("value", ["\ud800", "\x00", "x" * 100_000, "'; drop table ph_audit; --"])
def test_foreign_text_is_stored_or_refused_but_breaks_nothing(lab, owner, value):
    try:
        lab.gate.call("lab.put", {"value": value}, owner)
    except InvalidInput:
        assert value == "\ud800"
    with pytest.raises(InvalidInput):
        lab.gate.call("lab.put", {value: 1}, owner)
    assert lab.audit.verify().intact


def test_an_unexpected_failure_is_told_without_its_inside(lab, owner, caplog):
    with pytest.raises(OperationFailed) as failed:
        lab.gate.call("lab.boom", {}, owner)
    told = str(failed.value.as_dict()) + str(failed.value)
    assert SECRET not in told
    assert "Traceback" not in told
    assert owner.request_id in told
    assert SECRET in caplog.text, "the log has what the answer leaves out"
    assert events(lab)[-2:] == [("call.allowed", "lab.boom"), ("call.failed", "lab.boom")]


@pytest.mark.parametrize("hook", ["normalise", "effect_of", "preview"])
def test_a_hook_that_fails_before_the_act_stops_it(lab, world, owner, hook):
    def broken(*args):
        raise KeyError(SECRET)

    lab.operations.get("lab.put").hooks[hook] = broken
    with pytest.raises(OperationFailed) as failed:
        lab.gate.call("lab.put", {}, owner)
    assert SECRET not in str(failed.value)
    assert world.acts == []


def test_a_preview_that_fails_unexpectedly_is_told_like_any_failure(lab, owner):
    lab.operations.get("lab.put").hooks["preview"] = lambda args, call: 1 / 0
    with pytest.raises(OperationFailed):
        lab.gate.preview("lab.put", {}, owner)


def test_an_answer_of_the_wrong_kind_is_a_failure(lab, owner):
    with pytest.raises(OperationFailed):
        lab.gate.call("lab.vanish", {}, owner)


def test_an_expected_error_passes_as_it_is(lab, owner):
    with pytest.raises(Conflict, match="nailed shut"):
        lab.gate.call("lab.refuse", {}, owner)


def test_a_preview_changes_nothing(lab, world, owner):
    preview = lab.gate.preview("lab.wipe", {"shelf": "b"}, owner)
    assert preview.summary == "Change shelf b."
    assert world.acts == []
    assert lab.approvals.list("default") == []
    assert lab.receipts.list("default") == []


def test_what_cannot_be_done_is_said_before_anybody_is_asked_to_approve(lab, owner):
    lab.operations.get("lab.wipe").hooks["preview"] = lab.operations.get("lab.place").hooks[
        "preview"
    ]
    with pytest.raises(InvalidInput, match="impossible"):
        lab.gate.call("lab.wipe", {"value": "impossible"}, owner)
    assert lab.approvals.list("default") == []


def test_the_effect_is_that_of_the_arguments(lab, owner):
    lab.gate.call("lab.alias", {"value": "staging"}, owner)
    with pytest.raises(NeedsApproval):
        lab.gate.call("lab.alias", {"value": "champion"}, owner)


def test_a_write_is_in_the_audit_before_it_happens(lab, world, owner):
    seen = []
    world.inside = lambda: seen.extend(events(lab))
    lab.gate.call("lab.put", {}, owner)
    assert ("call.allowed", "lab.put") in seen
    assert events(lab)[-1] == ("call.done", "lab.put")


def test_a_write_that_the_audit_cannot_take_does_not_happen(lab, world, owner, monkeypatch):
    def refuse(*args):
        raise Unavailable("The audit cannot be written.")

    monkeypatch.setattr(lab.audit, "link_up", refuse)
    with pytest.raises(Unavailable):
        lab.gate.call("lab.put", {}, owner)
    assert world.acts == []


def test_an_act_whose_facts_cannot_be_read_back_still_has_a_receipt_that_says_so(lab, owner):
    receipt = lab.gate.call("lab.unread", {"shelf": "u"}, owner).receipt
    assert receipt.status == "done"
    assert [e.fact for e in receipt.evidence] == ["read-back after the act"]
    assert "nothing is there" in str(receipt.evidence[0].value)


def test_an_act_whose_receipt_cannot_be_kept_is_told_as_done(lab, world, owner, monkeypatch):
    def refuse(*args):
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(lab.receipts, "add", refuse)
    with pytest.raises(OperationFailed, match="was done, but its receipt could not be kept"):
        lab.gate.call("lab.put", {}, owner)
    assert world.acts == ["put a=x"]


def test_names_are_read_anew_after_a_write_even_if_it_failed(lab, owner):
    version = lab.catalogue.version
    with pytest.raises(OperationFailed):
        lab.gate.call("lab.boom", {}, owner)
    assert lab.catalogue.version > version


def test_a_job_is_refused_where_jobs_do_not_run_and_nothing_is_stored(lab, owner):
    with pytest.raises(Unavailable):
        lab.gate.call("lab.work", {}, owner)
    assert lab.jobs.list("default") == []
    assert lab.receipts.list("default") == []


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("ticket-router", ("ticket-router", None)),
        ("Ticket Router", ("ticket-router", None)),
        ("ticket-router v3", ("ticket-router", 3)),
        ("the ticket router version 3", ("ticket-router", 3)),
        ("ticket_router/3", ("ticket-router", 3)),
        ("ticket-router:3", ("ticket-router", 3)),
        ("ticket-router@3", ("ticket-router", 3)),
        ("ticket-router@v3", ("ticket-router", 3)),
        ("ticket-router@challenger", ("ticket-router", 3)),
        ("ticket router @ Challenger", ("ticket-router", 3)),
        ("Spam 2", ("Spam 2", None)),
        ("spam-2", ("Spam 2", None)),
        ("spam 2 v7", ("Spam 2", 7)),
        ("spam2@champion", ("Spam 2", 7)),
    ],
)
def test_a_model_is_found_as_people_write_it(lab, owner, model, expected):
    found = lab.gate.call("lab.models", {"model": model}, owner).result.arguments
    assert (found["model"], found["version"]) == expected


@pytest.mark.parametrize("version", [3, "3", "v3", "V3", "version 3", "@challenger", "challenger"])
def test_a_version_is_found_as_people_write_it(lab, owner, version):
    arguments = {"model": "Ticket Router", "version": version}
    assert lab.gate.call("lab.models", arguments, owner).result.arguments["version"] == 3


def test_a_reference_and_an_equal_version_agree(lab, owner):
    arguments = {"model": "ticket-router@challenger", "version": "v3"}
    assert lab.gate.call("lab.models", arguments, owner).result.arguments["version"] == 3


def test_a_reference_and_another_version_contradict_each_other(lab, owner):
    with pytest.raises(InvalidInput, match="names version 3"):
        lab.gate.call("lab.models", {"model": "ticket-router v3", "version": 1}, owner)


def test_the_other_model_is_linked_too_or_is_the_same_model(lab, owner):
    arguments = {"model": "ticket-router", "other_model": "spam2@champion"}
    found = lab.gate.call("lab.models", arguments, owner).result.arguments
    assert (found["other_model"], found["other_version"]) == ("Spam 2", 7)
    arguments = {"model": "ticket-router v1", "other_version": "challenger"}
    found = lab.gate.call("lab.models", arguments, owner).result.arguments
    assert (found["version"], found["other_version"]) == (1, 3)


@pytest.mark.parametrize(
    "model", ["ticket-router v9", "ticket-router v0", "ticket-router@nobody", "router²", "tickets"]
)
def test_a_model_or_version_that_is_not_there_is_not_found(lab, owner, model):
    with pytest.raises(NotFound):
        lab.gate.call("lab.models", {"model": model}, owner)


@pytest.mark.parametrize("version", ["²", "v" + "9" * 5000, "-1", "3.5"])
def test_a_version_that_is_no_number_is_not_found(lab, owner, version):
    with pytest.raises((NotFound, InvalidInput)):
        lab.gate.call("lab.models", {"model": "ticket-router", "version": version}, owner)


def test_every_name_of_a_list_is_linked(lab, owner):
    arguments = {"datasets": ["Tickets", "last week"]}
    found = lab.gate.call("lab.names", arguments, owner).result.arguments
    assert found["datasets"] == ["tickets", "week-31"]
    with pytest.raises(NotFound, match="datasets"):
        lab.gate.call("lab.names", {"datasets": ["tickets", "tikkets"]}, owner)


def test_an_open_slot_takes_a_new_name(lab, owner):
    found = lab.gate.call("lab.names", {"fresh": "brand new"}, owner).result.arguments
    assert found["fresh"] == "brand new"
