"""LoRA's matrices stand where they were asked for, by the names that the base model has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.kernel.mlflow_store import artifact_folder, client
from tools.training.targeting import chosen

LLAMA = [
    *(f"model.layers.0.self_attn.{name}_proj" for name in "qkvo"),
    *(f"model.layers.0.mlp.{name}_proj" for name in ("gate", "up", "down")),
]
BERT = [
    *(f"encoder.layer.0.attention.self.{name}" for name in ("query", "key", "value")),
    "encoder.layer.0.attention.output.dense",
    "encoder.layer.0.intermediate.dense",
    "encoder.layer.0.output.dense",
]


@pytest.fixture
def known(call: Callable[..., Outcome], colours: Path) -> str:
    """The dataset `colours`, added."""
    call("datasets.add", path=str(colours))
    return "colours"


def test_attention_means_its_layers_and_no_other_in_every_architecture() -> None:
    assert chosen("attention", LLAMA, "m") == ["k_proj", "o_proj", "q_proj", "v_proj"]
    assert chosen("attention", BERT, "m") == ["attention.output.dense", "key", "query", "value"]
    assert chosen("v_proj, q_proj,q_proj", LLAMA, "m") == ["q_proj", "v_proj"]
    with pytest.raises(InvalidInput, match="No layer of m is named as attention's are"):
        chosen("attention", ["blocks.0.up"], "m")


def test_a_layer_that_the_base_does_not_have_is_refused_with_those_that_it_has(
    call: Callable[..., Outcome], known: str, base: Path
) -> None:
    with pytest.raises(InvalidInput, match="has no linear layer named 'querry'") as caught:
        call("training.start", dataset=known, base_model=str(base), target_modules="querry, value")
    assert "query" in caught.value.suggestions
    assert "It has dense, key, query, value" in str(caught.value.hint)
    with pytest.raises(InvalidInput, match="target_modules is of LoRA's matrices"):
        call(
            "training.start",
            dataset=known,
            base_model=str(base),
            method="full",
            target_modules="query",
        )


@pytest.mark.slow
def test_matrices_stand_at_the_wanted_layers_alone_and_the_record_says_so(
    kernel: Any, finished: Callable[..., dict[str, Any]], known: str, base: Path
) -> None:
    wanted = {"dataset": known, "base_model": str(base), "epochs": 1, "trained_share": 1.0}
    result = finished("training.start", **wanted, target_modules="attention")
    named = "attention.output.dense, key, query, value"
    assert result["parameters"]["target_modules"] == named
    run = client(kernel.settings).get_run(result["run_id"])
    assert run.data.params["target_modules"] == named
    stored = artifact_folder(kernel.settings, result["run_id"]) / "classifier"
    assert f"| target_modules | {named} |" in (stored / "README.md").read_text()
    told = json.loads((stored / "adapter/adapter_config.json").read_text())
    assert told["target_modules"] == named.split(", ")
    from safetensors.torch import load_file

    names = load_file(stored / "adapter/adapter_model.safetensors")
    places = {name.partition(".lora_")[0].rpartition(".layer.")[2] for name in names}
    assert {place.partition(".")[2] for place in places} == {
        *(f"attention.self.{name}" for name in ("query", "key", "value")),
        "attention.output.dense",
    }
