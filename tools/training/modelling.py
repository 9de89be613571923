"""The classifier: an encoder, the mean over its tokens, one linear head; and its LoRA matrices."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tools.training.base_models import published
from tools.training.encoder import Encoder, mean_pool
from tools.training.spec import HasMatrices, alpha_of

ADAPTED = ("query", "key", "value", "dense")
_LENGTHS = "lora_magnitude_vector"


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
        return self.head(self.embedding(input_ids, attention_mask))

    def embedding(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The mean over a text's tokens, batch × dimensions."""
        return mean_pool(self.encoder(input_ids, attention_mask), attention_mask)


class WithEmbedding(nn.Module):
    """A classifier that also answers with what its head rests on; as devices run it.

    Args:
        classifier: whose weights it shares.
    """

    def __init__(self, classifier: TextClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, batch × classes, and the texts' embeddings, batch × dimensions."""
        embedding = self.classifier.embedding(input_ids, attention_mask)
        return self.classifier.head(embedding), embedding


def new_head(encoder: Encoder, classes: int, seed: int) -> nn.Linear:
    """An untrained head; the same seed draws the same one."""
    size = encoder.embeddings.word_embeddings.embedding_dim
    head = nn.Linear(size, classes)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.weight.normal_(0.0, 0.02, generator=generator)
        head.bias.zero_()
    return head


@dataclass(frozen=True, slots=True)
class LowRank:
    """Which low-rank matrices stand beside the linear layers.

    Attributes:
        rank: of the two matrices.
        alpha: what their product is scaled by, over the rank.
        dropout: before them, while training.
        targets: names of the layers that have them; empty for all linear ones.
        first_layer: the lowest layer that has them.
        dora: True to train each row's length apart from its direction (Liu et al., "DoRA:
            Weight-Decomposed Low-Rank Adaptation", 2024).
        rslora: True to scale by alpha over the root of the rank instead of alpha over the rank
            (Kalajdzievski, "A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA", 2023).
    """

    rank: int
    alpha: int
    first_layer: int = 0
    dora: bool = False
    rslora: bool = False
    dropout: float = 0.0
    targets: tuple[str, ...] = ()

    @classmethod
    def of(cls, spec: HasMatrices, first_layer: int = 0) -> LowRank:
        """Those of a spec, from a layer upwards."""
        more = (spec.dora, spec.rslora, spec.lora_dropout, tuple(spec.target_modules))
        return cls(spec.rank, alpha_of(spec), first_layer, *more)

    def config(self, layers: int, **more: Any) -> Any:
        """peft's description of them, for an encoder of so many layers."""
        from peft import LoraConfig

        return LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            use_dora=self.dora,
            use_rslora=self.rslora,
            target_modules=list(self.targets or ADAPTED),
            layers_to_transform=list(range(self.first_layer, layers)),
            layers_pattern="layer",
            **more,
        )


def add_adapter(encoder: Encoder, kind: LowRank, seed: int) -> None:
    """Put low-rank matrices beside the linear layers, and freeze all else.

    Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
    """
    from peft import inject_adapter_in_model

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inject_adapter_in_model(kind.config(len(encoder.encoder.layer)), encoder)


def adapter_state(encoder: Encoder) -> dict[str, Tensor]:
    """The low-rank matrices by the names under which peft stores them."""
    return {
        f"base_model.model.{_stored(name)}": value.detach().clone()
        for name, value in encoder.state_dict().items()
        if ".lora_" in name
    }


def _stored(name: str) -> str:
    return name.replace(f"{_LENGTHS}.default.weight", _LENGTHS).replace(".default.", ".")


def save_adapter(
    encoder_state: dict[str, Tensor], folder: Path, kind: LowRank, layers: int, base: str
) -> None:
    """Write low-rank matrices as a peft adapter, which peft can load onto the base model too."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(encoder_state, folder / "adapter_model.safetensors")
    config = kind.config(layers, base_model_name_or_path=published(base), inference_mode=True)
    config.save_pretrained(str(folder))
    path = folder / "adapter_config.json"
    ordered = json.loads(path.read_text())
    ordered["target_modules"] = sorted(ordered["target_modules"])
    path.write_text(json.dumps(ordered, indent=1, sort_keys=True))


def merge_adapter(encoder: Encoder, folder: Path) -> None:
    """Put an adapter's products into the encoder's weights, as peft does without importing it.

    W + s · B · A, where s is alpha / r (rsLoRA: alpha / √r); with DoRA each row of that is then
    brought to the length that was learnt for it.
    """
    from safetensors.torch import load_file

    config = json.loads((folder / "adapter_config.json").read_text())
    rank = config["r"]
    scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    found = load_file(folder / "adapter_model.safetensors")
    modules = dict(encoder.named_modules())
    with torch.no_grad():
        for name, a in found.items():
            if not name.endswith(".lora_A.weight"):
                continue
            layer = name.removesuffix(".lora_A.weight")
            weight = modules[layer.removeprefix("base_model.model.")].get_parameter("weight")
            weight += scale * (found[f"{layer}.lora_B.weight"] @ a)
            lengths = found.get(f"{layer}.{_LENGTHS}")
            if lengths is not None:
                weight *= (lengths / weight.norm(dim=1))[:, None]


def counted(module: nn.Module) -> tuple[int, int]:
    """How many numbers are trained, and how many there are."""
    sizes = [(p.numel(), p.requires_grad) for p in module.parameters()]
    return sum(n for n, trained in sizes if trained), sum(n for n, _ in sizes)
