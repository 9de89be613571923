"""Changes that say the act again, suppose it, give a reason for it or misspell what they name."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames, as_line, parse_turns
from tests.graphs.understanding.conftest import Says

ROLLOUT = "deploy ticket-router 3 to the kiosks"
COMPARED = "compare ticket-router 3 and 4 on tickets"
TRAINING = "train ticket-router on tickets with rank 8"


@pytest.mark.parametrize(
    ("turns", "operation", "arguments"),
    [
        ((TRAINING, "no, train the head only"), "training.start", {"method": "head", "rank": 8}),
        (
            (TRAINING, "what would that need?", "and if we only trained the head?"),
            "training.estimate",
            {"method": "head", "rank": 8, "dataset": "tickets"},
        ),
        ((ROLLOUT, "no, deploy version 4"), "deployment.start", {"version": 4, "group": "kiosks"}),
        (
            (
                ROLLOUT,
                "show the evaluation results of ticket-router 4",
                "right, roll out 4 instead",
            ),
            "deployment.start",
            {"version": 4, "group": "kiosks"},
        ),
        (
            (COMPARED, "no, 2 and 4"),
            "evaluation.compare",
            {"version": 2, "other_version": 4, "dataset": "tickets"},
        ),
        (
            (COMPARED, "no, compare 1 with the champion"),
            "evaluation.compare",
            {"version": 1, "other_version": 2, "dataset": "tickets"},
        ),
        (
            ("describe ticket-router", "compare 3 with 2 of it on tickets"),
            "evaluation.compare",
            {"model": "ticket-router", "version": 3, "other_version": 2, "dataset": "tickets"},
        ),
        (
            ("describe ticket-router", "archive 1"),
            "registry.archive",
            {"model": "ticket-router", "version": 1},
        ),
        (
            ("start an a/b test on the kiosks", "ticket-router 4, at 30 percent"),
            "deployment.ab_test",
            {"model": "ticket-router", "version": 4, "group": "kiosks", "percent": 30},
        ),
        (
            (ROLLOUT, "make it 4. 3 still mixes up hydraulics and pitch"),
            "deployment.start",
            {"version": 4, "group": "kiosks"},
        ),
        (
            ("how far is training job 31?", "pause it, I need the machine for an hour"),
            "training.pause",
            {"job": 31},
        ),
        (
            ("evaluate ticket-router 3", "and then compare it with 2"),
            "evaluation.compare",
            {"model": "ticket-router", "version": 3, "other_version": 2},
        ),
        (
            (COMPARED, "now the same against 2"),
            "evaluation.compare",
            {"version": 3, "other_version": 2, "dataset": "tickets"},
        ),
        (
            ("would ticket-router 4 pass the gate for champion?", "then promote it"),
            "registry.promote",
            {"model": "ticket-router", "version": 4, "alias": "champion"},
        ),
        (
            ("rollouts of the kiosks?", "put ticket-router 3 there"),
            "deployment.start",
            {"model": "ticket-router", "version": 3, "group": "kiosks"},
        ),
        (
            (ROLLOUT, "hold on, how's the health there?", "fine. 10 percent then"),
            "deployment.start",
            {"version": 3, "group": "kiosks", "percent": 10},
        ),
        (
            ("show the drift reports for ticket-router", "deploy version 3 of it to the kiosks"),
            "deployment.start",
            {"model": "ticket-router", "version": 3, "group": "kiosks"},
        ),
        (
            (ROLLOUT, "argh no, not those!! the thinkpads"),
            "deployment.start",
            {"version": 3, "group": "thinkpads"},
        ),
        (
            (
                "a/b test ticket-router 4 on the kiosks",
                "is that version well calibrated?",
                "fine. back to the A/B test, but give it just 20 percent",
            ),
            "deployment.ab_test",
            {"version": 4, "group": "kiosks", "percent": 20},
        ),
        (
            ("evaluate ticket-router 3", "what were the results?"),
            "evaluation.results",
            {"model": "ticket-router", "version": 3},
        ),
        (
            ("create a token labelled grafana", "read only (*:read), 30 days"),
            "platform.create_token",
            {"label": "grafana", "scopes": ["*:read"], "days": 30},
        ),
        (
            (ROLLOUT, "make it 10 percent, as a canary"),
            "deployment.start",
            {"version": 3, "percent": 10, "strategy": "canary"},
        ),
        (("put the newest mail-triage on the kiosks",), "deployment.start", {"version": 3}),
        (("champion of ticket-router back to 3",), "registry.promote", {"version": 3}),
        (("swap ticket-router champion to 4",), "registry.promote", {"version": 4}),
        (
            ("what is the difference between 2 and 4 of ticket-router",),
            "evaluation.compare",
            {"version": 2, "other_version": 4},
        ),
        (
            ("how robust is ticket-router against typos", "and 3?"),
            "evaluation.robustness",
            {"model": "ticket-router", "version": 3},
        ),
    ],
)
def test_an_act_has_what_is_said_and_a_change_keeps_the_rest(
    says: Says, turns: tuple[str, ...], operation: str, arguments: dict[str, Any]
) -> None:
    [step] = says(*turns).steps
    assert step.operation == operation
    assert arguments.items() <= step.arguments.items()


@pytest.mark.parametrize(
    ("turns", "arguments"),
    [
        ((TRAINING, "what if we only trained the head?"), {"method": "head"}),
        ((ROLLOUT, "and if we started at 5 percent?"), {"percent": 5}),
    ],
)
def test_what_is_only_supposed_of_an_act_is_tried(
    says: Says, turns: tuple[str, ...], arguments: dict[str, Any]
) -> None:
    plan = says(*turns)
    assert plan.dry_run
    assert arguments.items() <= plan.steps[0].arguments.items()


def test_only_one_of_two_steps_is_kept(says: Says) -> None:
    [step] = says("archive ticket-router 1 and 3", "only 1, leave 3 alone").steps
    assert step.arguments == {"model": "ticket-router", "version": 1}


def test_a_step_is_left_out_by_the_noun_of_its_act(says: Says) -> None:
    [step] = says("retire tp-14 and rotate the signing key", "leave out the key rotation").steps
    assert step.operation == "devices.retire"


def test_one_of_two_rollouts_is_corrected_by_its_models_name(says: Says) -> None:
    first, second = says(
        "deploy ticket-router 3 to the kiosks and mail-triage 3 to the thinkpads",
        "mail-triage should be 2, not 3",
    ).steps
    assert (first.arguments["version"], second.arguments["version"]) == (3, 2)


@pytest.mark.parametrize(
    ("turns", "slot", "candidates"),
    [
        (("roll out ticket-router 3", "to the thinkpasd"), "group", ["thinkpads"]),
        ((ROLLOUT, "no, the thinkpasd"), "group", ["thinkpads"]),
        ((ROLLOUT, "no, mail-traige 2"), "model", ["mail-triage"]),
        ((ROLLOUT, "and the thinkpasd too"), "group", ["thinkpads"]),
        (("remove user oska",), "name", ["oskar"]),
        ((ROLLOUT, "no, version 9"), "version", ["4", "3", "2", "1"]),
        ((COMPARED, "no, 2 and 9"), "other_version", ["4", "3", "2", "1"]),
    ],
)
def test_what_a_dangerous_act_is_said_to_be_on_is_never_guessed(
    says: Says, turns: tuple[str, ...], slot: str, candidates: list[str]
) -> None:
    line = as_line(says(*turns))
    assert line["steps"] == []
    assert line["question"]["slot"] == slot
    assert line["question"]["candidates"] == candidates


@pytest.mark.parametrize(
    ("change", "answer", "arguments"),
    [
        ("no, the thinkpasd", "yes", {"group": "thinkpads", "version": 3}),
        ("no, the thinkpasd", "thinkpads", {"group": "thinkpads", "version": 3}),
        ("no, mail-traige 2", "yes", {"model": "mail-triage", "version": 2, "group": "kiosks"}),
        ("no, version 9", "4", {"version": 4, "group": "kiosks"}),
    ],
)
def test_the_answer_completes_the_change_that_was_asked_about(
    says: Says, change: str, answer: str, arguments: dict[str, Any]
) -> None:
    [step] = says(ROLLOUT, change, answer).steps
    assert arguments.items() <= step.arguments.items()


def test_a_yes_to_a_question_of_several_does_not_agree_to_the_plan_as_it_was(says: Says) -> None:
    line = as_line(says(ROLLOUT, "no, version 9", "yes"))
    assert (line["steps"], line["question"]["slot"]) == ([], "version")


@pytest.mark.parametrize(
    "turns",
    [
        (ROLLOUT, "no, version 4, they would never accept it"),
        (ROLLOUT, "version 4, but only if it is better than last week"),
        (ROLLOUT, "no, version 4, the office screens"),
        (ROLLOUT, "version 4, the kiosks are excluded"),
    ],
)
def test_what_may_narrow_an_act_is_no_reason_that_is_dropped(
    says: Says, turns: tuple[str, ...]
) -> None:
    steps = says(*turns).steps
    assert all(s.condition is not None for s in steps if s.operation == "deployment.start")


@pytest.mark.parametrize(
    ("sentence", "operation", "arguments"),
    [
        ("tune on tickets over learning_rate=1e-5..5e-4, rank=4..64", "training.tune",
         {"space": "learning_rate 1e-05..0.0005, rank 4..64"}),
        ("tune on tickets with learning_rate between 1e-5 and 5e-4", "training.tune",
         {"space": "learning_rate 1e-05..0.0005"}),
        ("rotate the signing key and let the old one count for another fortnight",
         "devices.rotate_key", {"grace_days": 14}),
        ("rotate the signing key, the old one stays valid for 14 days", "devices.rotate_key",
         {"grace_days": 14}),
        ("how many rows to see 1.5 points with 90% power?", "evaluation.sample_size",
         {"points": 1.5, "power": 0.9}),
        ("grade the answers in chat-turns? 80 rows should be plenty.", "evaluation.grade",
         {"dataset": "chat-turns", "rows": 80}),
        ("grade chat-turns, 80 rows. Rubric: no dose is invented.", "evaluation.grade",
         {"rubric": "no dose is invented", "rows": 80}),
        ("token for pacs-sync, read only, 30d", "platform.create_token",
         {"label": "pacs-sync", "scopes": ["*:read"], "days": 30}),
        ("outcome for key P-77120 on the kiosks: wrong, version 4 answered it",
         "deployment.record_outcome", {"key": "P-77120", "success": False, "version": 4}),
        ("list everybody's tokens", "platform.tokens", {"user": "*"}),
        ("deploy ticket-router 3 to the kiosks: first 5 percent, after it 25, after it everybody",
         "deployment.start", {"steps": [5, 25, 100]}),
    ],
)  # fmt: skip
def test_amounts_are_read_however_they_are_said(
    says: Says, sentence: str, operation: str, arguments: dict[str, Any]
) -> None:
    [step] = says(sentence).steps
    assert step.operation == operation
    assert arguments.items() <= step.arguments.items()


def test_a_wish_to_look_that_hangs_on_the_gate_is_a_condition(says: Says) -> None:
    checked, rolled_out = says(
        "check ticket-router 4 against the champion gate. passes? then onto the kiosks with it"
    ).steps
    assert checked.operation == "registry.check_promotion"
    assert rolled_out.condition is not None
    assert rolled_out.condition.left.field == "passes"


@pytest.mark.parametrize("said", ["make that half past five", "half past five please"])
def test_a_time_in_words_moves_what_comes_again(says: Says, said: str) -> None:
    [step] = says("check ticket-router for drift every day at 6", said).steps
    assert step.schedule is not None
    assert step.schedule.every == "30 5 * * *"


@pytest.mark.parametrize(
    "said",
    ["evaluate ticket-router 4. then promote it to staging",
     "evaluate ticket-router 4; after that promote it to staging"],
)  # fmt: skip
def test_a_sentence_that_begins_with_then_waits_for_the_one_before(says: Says, said: str) -> None:
    first, second = says(said).steps
    assert second.depends_on == [first.id]


def test_what_is_trained_can_be_rolled_out_to_a_group_by_a_part_of_its_name(says: Says) -> None:
    steps = says("train on tickets, then deploy it to the office phones").steps
    assert [s.operation for s in steps] == [
        "training.start", "registry.register", "deployment.start",
    ]  # fmt: skip
    assert steps[2].arguments["group"] == "phones-office"


def test_what_was_only_tried_is_done_when_that_is_said(says: Says) -> None:
    plan = says("dry run: archive ticket-router 1", "looks fine, now do it for real")
    assert (plan.dry_run, plan.steps[0].operation) == (False, "registry.archive")


def test_a_target_may_be_the_verb(says: Says) -> None:
    registered, shrunk = says("register 31 as mailroom, then onnx-int8 it").steps
    assert shrunk.operation == "training.optimize"
    assert shrunk.arguments["targets"] == ["onnx-int8"]
    assert shrunk.depends_on == [registered.id]


@pytest.mark.parametrize("which", ["the first one", "the second one"])
def test_one_of_two_versions_counts_nothing(says: Says, which: str) -> None:
    [step] = says("describe ticket-router 1 and 3", f"show me the mistakes of {which}").steps
    version = {"the first one": 1, "the second one": 3}[which]
    assert step.arguments == {"model": "ticket-router", "version": version}


def test_the_second_of_one_is_asked(says: Says) -> None:
    line = as_line(says("describe ticket-router", "archive the second one"))
    assert (line["steps"], line["question"]["operation"]) == ([], "registry.archive")


def test_a_word_within_a_name_switches_nothing_off(understanding: Understanding) -> None:
    names = FileNames({"device_group": ["lift-servers"]})
    [step] = parse_turns(["protect the lift servers"], understanding, names).steps
    assert step.arguments == {"group": "lift-servers"}


def test_the_health_that_an_act_hangs_on_is_that_of_its_group(says: Says) -> None:
    sentence = "canary ticket-router 3 on the kiosks, roll back if the error rate goes above 3%"
    rolled_out, health, back = says(sentence).steps
    groups = [step.arguments["group"] for step in (rolled_out, health, back)]
    assert groups == ["kiosks"] * 3


@pytest.mark.parametrize("told", ["oskar left the company", "oskar quit", "nadia resigned"])
def test_who_left_is_not_removed_before_somebody_says_so(says: Says, told: str) -> None:
    assert says(told).steps == []
    [step] = says(f"{told}, remove {'him' if 'oskar' in told else 'her'}").steps
    assert step.operation == "platform.remove_user"


def test_one_of_several_receipts_is_asked(says: Says) -> None:
    line = as_line(says("show me the last 3 receipts", "undo the second one"))
    assert (line["steps"], line["question"]["slot"]) == ([], "receipt")


@pytest.mark.parametrize(
    "said",
    ["put ticket-router 3 on 25% of the kiosks, then 50, then all, ten minutes each",
     "roll ticket-router 3 out to the kiosks, 25 first, then 50, then all, ten minutes each"],
)  # fmt: skip
def test_growing_shares_are_steps_of_one_rollout(says: Says, said: str) -> None:
    [step] = says(said).steps
    assert step.arguments["steps"] == [25, 50, 100]
    assert step.arguments["minutes"] == 10


@pytest.mark.parametrize(
    "said",
    ["fine-tune on chat-turns with rank 16 and a learning rate of 0.0002",
     "train on chat-turns with rank 16 and a learning rate of 0.0002"],
)  # fmt: skip
def test_settings_of_a_training_are_no_search(says: Says, said: str) -> None:
    [step] = says(said).steps
    assert step.operation == "training.start"
    assert step.arguments == {"dataset": "chat-turns", "rank": 16, "learning_rate": 0.0002}


@pytest.mark.parametrize(
    "turns",
    [
        ("what's wrong with the kiosks?", "roll them back if the error rate is over 5%"),
        ("what's wrong with the kiosks?", "roll them back", "only if the error rate is over 5%"),
    ],
)
def test_an_act_on_those_spoken_of_hangs_on_their_health(
    says: Says, turns: tuple[str, ...]
) -> None:
    health, back = says(*turns).steps
    assert (health.arguments, back.arguments) == ({"group": "kiosks"}, {"group": "kiosks"})
    assert back.condition is not None


def test_what_was_paused_is_what_goes_on(says: Says) -> None:
    [step] = says("pause the rollout on the kiosks", "resume").steps
    assert (step.operation, step.arguments) == ("deployment.resume", {"group": "kiosks"})


def test_a_yes_with_more_words_makes_no_new_plan(says: Says) -> None:
    assert says(ROLLOUT, "yes, the crew is ready").steps == []
