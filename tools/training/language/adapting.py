"""What of a language model is trained: all of it, low-rank matrices, or virtual tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from tools.kernel.errors import InvalidInput
from tools.training.base_models import published
from tools.training.language.spec import LanguageSpec
from tools.training.spec import alpha_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Adapted(nn.Module):
    """A language model with what is trained of it.

    Args:
        model: the language model.
        spec: says what is trained.
        first_ids: tokens whose embeddings virtual tokens start from.
    """

    def __init__(self, model: PreTrainedModel, spec: LanguageSpec, first_ids: list[int]) -> None:
        super().__init__()
        self.spec = spec
        self.virtual: nn.Parameter | None = None
        self.targets = spec.target_modules or linear_names(model)
        model.requires_grad_(spec.method == "full")
        if spec.method in ("lora", "qlora"):
            self._add_matrices(model)
        elif spec.method == "prompt":
            chosen = (first_ids * spec.virtual_tokens)[: spec.virtual_tokens]
            embedded = cast("nn.Embedding", model.get_input_embeddings()).weight[chosen]
            self.virtual = nn.Parameter(embedded.detach().float().clone())
        if spec.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        self.model = model

    def _add_matrices(self, model: PreTrainedModel) -> None:
        from peft import inject_adapter_in_model

        with torch.random.fork_rng():
            torch.manual_seed(self.spec.seed)
            inject_adapter_in_model(lora_config(self.spec, self.targets), model)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and "lora_" in name:
                parameter.data = parameter.data.float()

    def forward(self, ids: Tensor, positions: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """The logits at `places`, len(places) × vocabulary.

        Args:
            ids: tokens, 1 × n.
            positions: of each token, 1 × n.
            mask: which tokens see which, virtual ones first.
            places: among the tokens.
        """
        computed: Any = self.model
        if self.virtual is None:
            inputs = {"input_ids": ids}
            shift = 0
        else:
            embedded = cast("nn.Embedding", self.model.get_input_embeddings())(ids)
            head = self.virtual.to(embedded.dtype)[None]
            inputs = {"inputs_embeds": torch.cat([head, embedded], dim=1)}
            shift = len(self.virtual)
            positions = torch.cat([torch.arange(shift)[None], positions + shift], dim=1)
        out = computed(
            **inputs,
            attention_mask=mask,
            position_ids=positions,
            logits_to_keep=places + shift,
            use_cache=False,
        )
        return out.logits[0]

    @property
    def virtual_count(self) -> int:
        """Virtual tokens before every row."""
        return 0 if self.virtual is None else len(self.virtual)

    def trained(self) -> dict[str, Tensor]:
        """The trained weights by name."""
        return {n: p for n, p in self.named_parameters() if p.requires_grad}

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Put trained weights back."""
        with torch.no_grad():
            for name, parameter in self.trained().items():
                parameter.copy_(weights[name])


def linear_names(model: PreTrainedModel) -> list[str]:
    """The names under which a model has linear layers, the output's left out."""
    output = model.get_output_embeddings()
    names = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not output
    }
    return sorted(names)


def lora_config(spec: LanguageSpec, targets: list[str]) -> Any:
    """Low-rank matrices beside linear layers, of whichever names.

    Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
    """
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=spec.rank,
        lora_alpha=alpha_of(spec),
        lora_dropout=spec.lora_dropout,
        target_modules=targets,
        use_dora=spec.dora,
        use_rslora=spec.rslora,
        base_model_name_or_path=published(spec.base_model),
    )


def save_adapter(adapted: Adapted, folder: Path) -> None:
    """Write the trained weights as peft writes an adapter, so that peft can load them."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    spec = adapted.spec
    if adapted.virtual is not None:
        state = {"prompt_embeddings": adapted.virtual.detach().clone()}
        config = _prompt_config(adapted, spec)
    else:
        state = {
            f"base_model.model.{peft_name(name)}": value.detach().clone()
            for name, value in adapted.trained().items()
        }
        config = lora_config(spec, adapted.targets)
    save_file(state, folder / "adapter_model.safetensors")
    config.inference_mode = True
    config.save_pretrained(str(folder))
    path = folder / "adapter_config.json"
    ordered = json.loads(path.read_text())
    if isinstance(ordered.get("target_modules"), list):
        ordered["target_modules"] = sorted(ordered["target_modules"])
    path.write_text(json.dumps(ordered, indent=1, sort_keys=True))


def peft_name(name: str) -> str:
    """The name of a LoRA weight as peft stores it."""
    plain = name.removeprefix("model.").replace(".default.weight", ".weight")
    return plain.replace(".lora_magnitude_vector.default", ".lora_magnitude_vector")


def _prompt_config(adapted: Adapted, spec: LanguageSpec) -> Any:
    from peft import PromptTuningConfig

    config: Any = adapted.model.config
    return PromptTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=adapted.virtual_count,
        token_dim=config.hidden_size,
        num_transformer_submodules=1,
        num_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        base_model_name_or_path=published(spec.base_model),
    )


def merge(adapted: Adapted) -> PreTrainedModel:
    """The language model with its matrices added into its weights.

    Raises:
        InvalidInput: for virtual tokens, which are no weights of the model.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    if adapted.virtual is not None:
        raise InvalidInput("Virtual tokens cannot be merged into a model; keep the adapter.")
    parents = dict(adapted.model.named_modules())
    for name, module in list(parents.items()):
        if isinstance(module, BaseTunerLayer):
            module.merge(safe_merge=False)
            outer, _, last = name.rpartition(".")
            setattr(parents[outer], last, module.get_base_layer())
    return adapted.model
