"""What a yes is asked for: what long work would do, with which settings, and what it takes."""

from __future__ import annotations

from pathlib import Path

from graphs.events import Message, Preflight
from tests.support.turns import Say, kinds, status
from tools.kernel.kernel import Kernel


async def test_a_yes_to_a_training_is_asked_for_with_its_settings_and_what_it_takes(
    say: Say,
) -> None:
    events = await say("train on the bundled tickets with label smoothing 0.2 and rank 16")
    assert status(events) == "needs_confirmation"
    assert kinds(events).index("preflight") < kinds(events).index("confirm")
    (told,) = [e.preview for e in events if isinstance(e, Preflight)]
    for setting in (
        "lora on minilm",
        "3 epochs",
        "learning rate 0.002",
        "batch size 16",
        "rank 16",
        "lora alpha 32",
        "head learning rate 0.005",
        "label smoothing 0.2",
        "MB of memory",
        "MB of disk",
    ):
        assert setting in told["summary"]
    assert told["seconds"] > 0 and told["cost"] > 0


async def test_a_training_that_cannot_fit_says_so_before_a_yes(say: Say, kernel: Kernel) -> None:
    kernel.settings.training_memory_mb = 640
    events = await say("train on the bundled tickets with all weights, batch size 512")
    assert status(events) == "needs_confirmation"
    (told,) = [e.text for e in events if isinstance(e, Message)]
    assert told.startswith("Step s1 would be refused: Training minilm (full) on tickets does not")
    assert "What would fit" in told
    assert "preflight" not in kinds(events)


async def test_what_takes_no_time_is_asked_about_at_once(say: Say) -> None:
    events = await say("add the user carla as a viewer")
    assert status(events) in ("needs_confirmation", "needs_approval")
    assert "preflight" not in kinds(events)


async def test_a_file_that_would_become_the_next_version_of_a_dataset_says_so_before_a_yes(
    say: Say, kernel: Kernel, tmp_path: Path
) -> None:
    first, second = tmp_path / "a" / "mails.csv", tmp_path / "b" / "mails.csv"
    for path, word in ((first, "old"), (second, "new")):
        path.parent.mkdir()
        lines = [f"a {word} text number {i},{'x' if i % 2 else 'y'}" for i in range(40)]
        path.write_text("text,label\n" + "\n".join(lines) + "\n")
    alone = await say(f"add {first}")
    assert status(alone) == "needs_confirmation"
    assert "preflight" not in kinds(alone)
    await say("yes")
    asked = await say(f"add {second}")
    assert status(asked) == "needs_confirmation"
    (told,) = [e.preview["summary"] for e in asked if isinstance(e, Preflight)]
    assert f"A dataset mails is there already (v1, 40 rows from {first})" in told
    assert "this is its next version" in told
