"""No word of an act is dropped in silence."""

from __future__ import annotations

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames, parse_turns


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("roll back the kiosks and dance", "dance"),
        ("roll back the kiosks in berlin", "berlin"),
        ("roll back the kiosks slowly", "slowly"),
        ("roll back the red kiosks", "red"),
        ("retire tp-14 quietly", "quietly"),
        ("roll back the kiosks, thinkpads and the moon", "moon"),
        ("archive ticket-router v1 but keep v2", "keep"),
        ("archive ticket-router v1, v2 is better", "v2"),
        ("roll back the kiosks, the thinkpads are fine", "thinkpads"),
        ("roll back the kiosks; the thinkpads can wait", "thinkpads"),
        ("we should maybe roll back the kiosks at some point", "at some point"),
        ("train on tickets until it stops getting better", "better"),
        ("add a.csv or b.csv as datasets", "b.csv"),
        ("retire tp-14 or tp-15", "or"),
        ("archive every ticket-router below v3", "below"),
        ("promote ticket-router v3 to champion for a week", "for a week"),
        ("make ticket-router v3 champion in staging", "champion"),
        ("protect the kiosks from nadia", "from nadia"),
        ("undo everything we did today", "everything"),
        ("swap champion and challenger of ticket-router", "swap"),
        ("make the best of ticket-router v3 and v4 champion", "the best of"),
    ],
)
def test_an_act_with_words_that_nothing_takes_in_is_not_planned_without_them(
    understanding: Understanding, names: FileNames, said: str, told: str
) -> None:
    plan = understanding.parse(said, names)
    assert plan.abstained and not plan.steps
    assert told in (plan.reply or "")


@pytest.mark.parametrize(
    "said",
    [
        "roll the damn kiosks back plz",
        "roll back the kiosks, customers are calling",
        "the kiosks are broken, roll them back",
        "the kiosks must be rolled back",
        "tp-14 fell into the freezer. retire it",
        "retire tp-14 because it smells funny",
        "pause training 31, i need the gpu",
        "take ticket-router v3 off the thinkpads again",
        "the kiosks should need two people from now on",
        "stop job 31, the loss diverged",
    ],
)
def test_remarks_reasons_and_temper_are_no_part_of_an_order(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    assert len(understanding.parse(said, names).steps) == 1


def test_waiting_for_somebody_is_no_correction_of_what_was_said(
    understanding: Understanding, names: FileNames
) -> None:
    said = "deploy ticket-router v4 to the thinkpads, wait for my ok before the kiosks"
    assert understanding.parse(said, names).steps == []
    corrected = understanding.parse("pause the kiosks, wait, the thinkpads", names).steps
    assert [s.arguments for s in corrected] == [{"group": "thinkpads"}]


def test_what_is_only_read_may_hold_words_that_say_nothing(
    understanding: Understanding, names: FileNames
) -> None:
    assert understanding.parse("show the blinking kiosks", names).steps


def test_a_name_that_was_asked_about_is_accounted_for_by_its_answer(
    understanding: Understanding, names: FileNames
) -> None:
    plan = parse_turns(["retire tp-41", "tp-14"], understanding, names)
    assert [s.arguments for s in plan.steps] == [{"device": "tp-14"}]
