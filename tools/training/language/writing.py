"""Writes what a language model's training made: the folder that `folder` reads, and its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.training.folders import appearing
from tools.training.language.adapting import Adapted, merge, save_adapter
from tools.training.language.bases import copy_tokenizer, load_model, write_model
from tools.training.language.folder import FACTS, FORMAT
from tools.training.language.spec import LanguageSpec

_CARD = """---
library_name: {library}
base_model: {base_model}
pipeline_tag: text-generation
tags:
- {method}
- sft
---

# {name}

{base_model}, fine-tuned on prompts and answers (loss on the answers only, the model's own chat
template), by {method}.

| on the validation split | before | after |
|---|---|---|
| loss of an answer's token | {initial_loss:.4f} | {final_loss:.4f} |
| answers that are right word for word | {before_exact:.1%} | {exact:.1%} |
| F1 of the answers' words | {before_f1:.1%} | {f1:.1%} |

The figures are on {judged} rows. Settings: {settings}.
{warnings}"""


def write_folder(spec: LanguageSpec, adapted: Adapted, measured: dict[str, Any]) -> None:
    """Write the folder, whole or not at all; with `merge`, the merged model too."""
    target = Path(spec.output)
    with appearing(target) as staging:
        facts = {
            "format": FORMAT,
            "task": "language",
            "base_model": spec.base_model,
            "method": spec.method,
            "max_length": spec.max_length,
        }
        (staging / FACTS).write_text(json.dumps(facts, indent=1) + "\n")
        (staging / "README.md").write_text(card(spec, measured), encoding="utf-8")
        copy_tokenizer(Path(spec.base_folder), staging)
        if spec.method != "full":
            save_adapter(adapted, staging / "adapter")
        if spec.method == "full" or spec.merge:
            _write_model(spec, adapted, staging)


def _write_model(spec: LanguageSpec, adapted: Adapted, staging: Path) -> None:
    folder = staging / "model"
    if spec.method == "full":
        write_model(adapted.model, folder)
    else:
        import torch

        # The adapter goes into the weights as published, not into those that were held in NF4.
        base = load_model(Path(spec.base_folder), torch.float32)
        whole = Adapted(base, spec, [])
        whole.restore({name: value.float() for name, value in adapted.trained().items()})
        merged: Any = merge(whole)
        write_model(merged.to(torch.bfloat16), folder)
    copy_tokenizer(Path(spec.base_folder), folder)


def card(spec: LanguageSpec, measured: dict[str, Any]) -> str:
    """The model card, in the hub's format."""
    metrics = measured["metrics"]
    shown = {k: v for k, v in spec.parameters.items() if k not in ("task", "judged")}
    return _CARD.format(
        library="transformers" if spec.method == "full" else "peft",
        name=Path(spec.base_model).name + " fine-tuned",
        base_model=spec.base_model,
        method=spec.method,
        initial_loss=measured["initial_loss"],
        final_loss=measured["final_loss"],
        before_exact=metrics["exact_match_before"],
        exact=metrics["exact_match"],
        before_f1=metrics["token_f1_before"],
        f1=metrics["token_f1"],
        judged=metrics["judged"],
        settings=", ".join(f"{k} {v}" for k, v in sorted(shown.items())),
        warnings="".join(f"\n**{warning}**\n" for warning in measured["warnings"]),
    )
