"""The side that a condition names decides its sign, and is what its act is about."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.plan import Step
from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames

CHALLENGER, CHAMPION = 4, 2


@pytest.mark.parametrize(
    "text",
    [
        "compare champion and challenger of ticket-router; if the challenger wins promote it",
        "compare the challenger of ticket-router with its champion and promote it if it wins",
        "compare ticket-router's champion and challenger, if the challenger comes out ahead "
        "make it champion",
        "does the challenger of ticket-router beat the champion on tickets? if so promote it",
        "compare champion and challenger of ticket-router, promote the winner",
        "compare challenger and champion of ticket-router on tickets, promote if the challenger is "
        "better",
        "if ticket-router v4 beats the champion, promote it",
        "compare ticket-router 2 with 4; if 4 is better promote it to champion",
    ],
)
def test_the_challenger_is_promoted_to_champion_where_it_wins(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    compared, promoted = understanding.parse(text, names).steps
    assert promoted.arguments == {
        "model": "ticket-router",
        "version": CHALLENGER,
        "alias": "champion",
    }
    assert _won_by(compared, promoted) == CHALLENGER


@pytest.mark.parametrize(
    ("text", "operation", "version", "winner"),
    [
        ("if the challenger loses archive it", "registry.archive", CHALLENGER, CHAMPION),
        ("if the challenger wins deploy it to the kiosks", "deployment.start", 4, 4),
        ("if the champion is better, deploy it to the kiosks", "deployment.start", 2, 2),
        ("if the champion loses, deploy the challenger to the kiosks", "deployment.start", 4, 4),
        ("unless the challenger wins archive it", "registry.archive", 4, 2),
        ("if the challenger wins promote it to staging", "registry.promote", 4, 4),
    ],
)
def test_an_act_is_about_the_side_that_its_condition_names(
    understanding: Understanding,
    names: FileNames,
    text: str,
    operation: str,
    version: int,
    winner: int,
) -> None:
    sentence = f"compare champion and challenger of ticket-router; {text}"
    compared, act = understanding.parse(sentence, names).steps
    assert (act.operation, act.arguments["version"]) == (operation, version)
    assert _won_by(compared, act) == winner


@pytest.mark.parametrize(
    "text",
    [
        "compare ticket-router v2 and v3 on tickets; if the challenger wins promote it to champion",
        "compare champion and challenger of ticket-router; if the champion loses promote it",
        "compare ticket-router v3 and v4, if v4 wins promote it",
        "compare ticket-router v3 and v4, if v4 isn't better deploy it to the kiosks",
        "compare ticket-router v1 and v3 and promote the winner",
    ],
)
def test_what_may_be_another_side_or_alias_is_not_guessed(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    assert understanding.parse(text, names).steps == []


@pytest.mark.parametrize(
    ("text", "model", "version", "first"),
    [
        (" and make mail-triage v3 challenger if it is better", "mail-triage", 3, False),
        (" and make ticket-router v3 challenger if it is better", "ticket-router", 3, True),
        ("; if mail-triage v3 wins promote it to challenger", "mail-triage", 3, False),
        ("; if ticket-router v3 wins promote it to challenger", "ticket-router", 3, True),
    ],
)
def test_sides_of_one_number_are_told_apart_by_their_models(
    understanding: Understanding,
    names: FileNames,
    text: str,
    model: str,
    version: int,
    first: bool,
) -> None:
    sentence = f"compare ticket-router v3 with mail-triage v3 on tickets{text}"
    _, act = understanding.parse(sentence, names).steps
    assert (act.arguments["model"], act.arguments["version"]) == (model, version)
    assert act.condition is not None and (act.condition.op == ">") == first


def test_what_is_promoted_if_it_is_better_is_the_side_that_must_win(
    understanding: Understanding, names: FileNames
) -> None:
    text = "compare ticket-router v3 with v1 on tickets and make v1 challenger if it is better"
    compared, act = understanding.parse(text, names).steps
    assert act.arguments["version"] == _won_by(compared, act) == 1


def _won_by(compared: Step, act: Step) -> Any:
    """The version whose win the act hangs on."""
    assert act.condition is not None and act.condition.left.step == compared.id
    first = (act.condition.op == ">") != act.condition.otherwise
    return compared.arguments.get("version" if first else "other_version", CHAMPION)
