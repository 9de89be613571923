"""What would fit into memory where a language model's training does not."""

from __future__ import annotations

from typing import Any

from tools.training.language.estimating import memory_mb, would_fit
from tools.training.types import StartTraining

SMOLLM2: dict[str, Any] = {
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "intermediate_size": 1536,
    "vocab_size": 49152,
}


def training(**more: Any) -> StartTraining:
    return StartTraining.model_validate({"dataset": "chats", "base_model": "smollm2", **more})


def test_shorter_texts_are_offered_first_and_everything_that_is_offered_fits() -> None:
    wanted = training(method="full", max_length=8192, batch_size=64)
    free = memory_mb(wanted, SMOLLM2) // 2
    offered = would_fit(wanted, SMOLLM2, free)
    assert offered[0].startswith("max length") and "gradient checkpointing" in offered
    length = int(offered[0].split()[-1])
    assert memory_mb(wanted.model_copy(update={"max_length": length}), SMOLLM2) <= free
    assert memory_mb(wanted.model_copy(update={"max_length": 2 * length}), SMOLLM2) > free


def test_a_batch_costs_no_memory_and_is_no_way_out() -> None:
    wanted = training(max_length=2048, batch_size=1)
    assert memory_mb(wanted, SMOLLM2) == memory_mb(
        wanted.model_copy(update={"batch_size": 256}), SMOLLM2
    )
    assert would_fit(wanted, SMOLLM2, 1) == []
