"""A condition stands on the act that it governs, or nothing is planned."""

from __future__ import annotations

import pytest

from graphs.plan import Step
from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames
from tools.kernel.operations import Effect


def _acts(understanding: Understanding, names: FileNames, text: str) -> list[Step]:
    steps = understanding.parse(text, names).steps
    kinds = {s.id: understanding.operations.get(s.operation) for s in steps}
    return [
        s for s in steps
        if kinds[s.id].effect is not Effect.READ and kinds[s.id].domain != "evaluation"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "otherwise"),
    [
        ("compare ticket-router 4 with 2 - if 4 wins promote it to champion", False),
        ("compare ticket-router 4 with 2 – unless 4 loses, make it champion", True),
        ("compare ticket-router 4 with 2 unless 4 loses, promote it to champion", True),
        ("compare ticket-router 4 with 2 if 4 wins, promote it to champion", False),
        ("compare ticket-router 4 with 2 - unless 4 loses by a point, make it champion", True),
        (
            "compare ticket-router 4 with 2; if 2 is better do nothing, otherwise make 4 champion",
            True,
        ),
        ("compare ticket-router 4 with 2; if 2 wins leave it, else make 4 champion", True),
    ],
)
def test_what_measures_hangs_on_nothing_and_the_act_behind_it_does(
    understanding: Understanding, names: FileNames, text: str, otherwise: bool
) -> None:
    compared, promoted = understanding.parse(text, names).steps
    assert compared.condition is None
    assert promoted.condition is not None
    assert promoted.condition.left.step == compared.id
    assert promoted.condition.otherwise is otherwise
    assert promoted.arguments["version"] == 4


@pytest.mark.parametrize(
    "text",
    [
        "evaluate ticket-router 4 if the kiosks are healthy, promote it to champion",
        "retire tp-14 if it is silent",
        "retire tp-14 if the kiosks are silent, remove the user nadia",
        "promote ticket-router 4 to champion and deploy it to the kiosks; if 2 beats it do nothing",
        "promote ticket-router 4 if it beats 2, and if the kiosks are silent don't promote it",
        "how is job 31 doing? if it is stuck, cancel it",
    ],
)
def test_a_condition_that_may_govern_something_else_plans_no_act(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    plan = understanding.parse(text, names)
    assert plan.abstained
    assert not plan.steps


@pytest.mark.parametrize(
    ("text", "field", "otherwise"),
    [
        ("deploy ticket-router 4 to the kiosks, but if they are unhealthy don't deploy it",
         "unhealthy", True),
        ("roll back the kiosks; if they are healthy, don't", "unhealthy", True),
        ("pause the rollout on the kiosks when there are errors", "errors", False),
        ("abort the rollout on the kiosks if the error rate is above 2 percent", "error_rate",
         False),
        ("check ticket-router 4 against the gate; only when it passes promote it to champion",
         "passes", False),
        ("look at experiment 4 and if it is decided, conclude it", "decided", False),
        ("look at experiment 4; if it is undecided do nothing, otherwise conclude it", "decided",
         True),
        ("what does the a/b test on the kiosks say? if the challenger is ahead, promote it there",
         "effect", False),
        ("how well calibrated is ticket-router 3? unless its ece is above 0.1 it becomes the "
         "challenger", "ece", True),
    ],
)  # fmt: skip
def test_a_condition_is_kept_by_its_act(
    understanding: Understanding, names: FileNames, text: str, field: str, otherwise: bool
) -> None:
    steps = understanding.parse(text, names).steps
    condition = steps[-1].condition
    assert len(steps) == 2
    assert condition is not None
    assert (condition.left.field, condition.otherwise) == (field, otherwise)
    assert field in understanding.operations.get(steps[0].operation).output.model_fields


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("if the ece of ticket-router 3 is below 0.05 promote it to staging", 0.05),
        ("if the accuracy of ticket-router 3 on tickets is 0.9 or more promote it to staging", 0.9),
        ("if ticket-router 4 is above 92 percent promote it to staging", 0.92),
    ],
)
def test_a_version_is_no_bound(
    understanding: Understanding, names: FileNames, text: str, right: float
) -> None:
    condition = understanding.parse(text, names).steps[-1].condition
    assert condition is not None
    assert condition.right == right


def test_the_health_that_an_act_hangs_on_is_that_of_its_group(
    understanding: Understanding, names: FileNames
) -> None:
    measured, _ = understanding.parse("roll back the kiosks if they are unhealthy", names).steps
    assert measured.arguments == {"group": "kiosks"}


@pytest.mark.parametrize(
    "text",
    [
        "how do I roll a group back and then freeze it?",
        "how do we retire a device, and remove a user?",
        "can you tell me how to freeze a group and then roll it back?",
        "what do I have to say to delete a dataset and then retire a phone?",
    ],
)
def test_a_question_how_covers_all_its_acts(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    assert not _acts(understanding, names, text)
    assert understanding.parse(text, names).question is None
