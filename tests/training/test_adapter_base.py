"""An adapter names its base so that peft alone finds it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from tests.training.conftest import make_base_model
from tools.training.encoder import Encoder, EncoderConfig
from tools.training.modelling import LowRank, adapter_state, add_adapter, save_adapter


def _save(base: Path, named: str, folder: Path) -> Encoder:
    from safetensors.torch import load_file

    encoder = Encoder(EncoderConfig.read(base))
    encoder.load_state_dict(load_file(base / "model.safetensors"))
    kind = LowRank(rank=2, alpha=4)
    add_adapter(encoder, kind, seed=1)
    for name, value in encoder.named_parameters():
        if ".lora_B" in name:
            torch.nn.init.normal_(value, std=0.5)
    save_adapter(adapter_state(encoder), folder, kind, len(encoder.encoder.layer), named)
    return encoder.eval()


def test_plain_transformers_loads_an_adapter_with_the_base_that_it_names(tmp_path: Path):
    from transformers import AutoModel

    base = make_base_model(tmp_path / "base")
    ours = _save(base, str(base), tmp_path / "adapter")
    plain: Any = AutoModel.from_pretrained(tmp_path / "adapter").eval()
    ids = torch.tensor([[1, 5, 9, 3]])
    with torch.inference_mode():
        seen = plain(ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        expected = ours(ids, torch.ones_like(ids))
    assert torch.allclose(seen, expected, atol=1e-5)


def test_a_bundled_base_is_named_by_its_id_on_the_hub(tmp_path: Path):
    base = make_base_model(tmp_path / "base")
    _save(base, "minilm", tmp_path / "adapter")
    told = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == "sentence-transformers/all-MiniLM-L6-v2"
