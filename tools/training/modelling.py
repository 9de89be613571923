"""The classifier: an encoder, the mean over its tokens, one linear head; and its LoRA matrices."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from tools.training.encoder import Encoder, mean_pool

ADAPTED = ("query", "key", "value", "dense")


class TextClassifier(nn.Module):
    """Token ids in, one logit a class out.

    Args:
        encoder: gives the hidden states.
        head: from a mean hidden state to the logits.
    """

    def __init__(self, encoder: Encoder, head: nn.Linear) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The logits, batch × classes."""
        return self.head(mean_pool(self.encoder(input_ids, attention_mask), attention_mask))


def new_head(encoder: Encoder, classes: int, seed: int) -> nn.Linear:
    """An untrained head; the same seed draws the same one."""
    size = encoder.embeddings.word_embeddings.embedding_dim
    head = nn.Linear(size, classes)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.weight.normal_(0.0, 0.02, generator=generator)
        head.bias.zero_()
    return head


def add_adapter(encoder: Encoder, rank: int, first_layer: int, seed: int) -> None:
    """Put LoRA matrices beside the linear layers from `first_layer` up, and freeze all else.

    Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021; alpha is twice the rank.
    """
    from peft import LoraConfig, inject_adapter_in_model

    layers = list(range(first_layer, len(encoder.encoder.layer)))
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=0.0,
        target_modules=list(ADAPTED),
        layers_to_transform=layers,
        layers_pattern="layer",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inject_adapter_in_model(config, encoder)


def adapter_state(encoder: Encoder) -> dict[str, Tensor]:
    """The LoRA matrices by the names under which peft stores them."""
    return {
        f"base_model.model.{name.replace('.default.', '.')}": value.detach().clone()
        for name, value in encoder.state_dict().items()
        if ".lora_" in name
    }


def save_adapter(
    encoder_state: dict[str, Tensor], folder: Path, rank: int, first: int, layers: int, base: str
) -> None:
    """Write LoRA matrices as a peft adapter, which peft can load onto the base model too."""
    from peft import LoraConfig
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(encoder_state, folder / "adapter_model.safetensors")
    LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules=list(ADAPTED),
        layers_to_transform=list(range(first, layers)),
        layers_pattern="layer",
        base_model_name_or_path=base,
        inference_mode=True,
    ).save_pretrained(str(folder))
    config = folder / "adapter_config.json"
    ordered = json.loads(config.read_text())
    ordered["target_modules"] = sorted(ordered["target_modules"])
    config.write_text(json.dumps(ordered, indent=1, sort_keys=True))


def merge_adapter(encoder: Encoder, folder: Path) -> None:
    """Add an adapter's products into the encoder's weights: W + (alpha / r) · B · A."""
    from safetensors.torch import load_file

    config = json.loads((folder / "adapter_config.json").read_text())
    scale = config["lora_alpha"] / config["r"]
    found = load_file(folder / "adapter_model.safetensors")
    modules = dict(encoder.named_modules())
    with torch.no_grad():
        for name, a in found.items():
            if not name.endswith(".lora_A.weight"):
                continue
            b = found[name.replace(".lora_A.", ".lora_B.")]
            target = modules[name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")]
            weight = target.get_parameter("weight")
            weight += scale * (b @ a)


def counted(module: nn.Module) -> tuple[int, int]:
    """How many numbers are trained, and how many there are."""
    sizes = [(p.numel(), p.requires_grad) for p in module.parameters()]
    return sum(n for n, trained in sizes if trained), sum(n for n, _ in sizes)
