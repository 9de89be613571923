"""GGUF files of a trained language model: all in one file, or the adapter beside its base.

Sizes, tokenizer and tensor names come from the base model's own GGUF file; the chat template is the
one that the training used. llama.cpp keeps the rows of the query and key matrices of a Llama in the
order of its rotary embedding, which transformers undoes when it reads them: it is done again here.

An adapter's file is what llama.cpp's `convert_lora_to_gguf.py` writes: `adapter.lora.alpha` and for
every adapted matrix `NAME.lora_a` (rank × inputs) and `NAME.lora_b` (outputs × rank).
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput
from tools.training.optimizing.gguf_quantising import q4_type, q8_type, quantised

if TYPE_CHECKING:
    import numpy.typing as npt
    from gguf import GGUFReader, GGUFWriter

    from tools.training.optimizing.targets import LanguageSource

    Array = npt.NDArray[Any]

MODEL = "model.gguf"
ADAPTER = "adapter.gguf"
PLAIN = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
"""What a training without a chat template shows the model."""
_Q8_0, _Q4_K_M = 7, 15  # LLAMA_FTYPE of llama.h
_OWN = ("GGUF.", "general.architecture", "general.file_type", "general.quantization_version")
_TEMPLATE = "tokenizer.chat_template"
_PROJECTIONS = (".attn_q.weight", ".attn_k.weight")


def base_file(folder: Path) -> Path:
    """The GGUF file of the base model that a trained folder rests on.

    Raises:
        InvalidInput: if the base has none, or is of an architecture that is not written here.
    """
    from gguf import GGUFReader

    from tools.training import base_models
    from tools.training.language.folder import read_facts

    name = str(read_facts(folder)["base_model"])
    files = sorted(base_models.folder(name).glob("*.gguf"))
    if len(files) != 1:
        raise InvalidInput(
            f"The base model {name} has no GGUF file, which tokenizer and sizes are taken from.",
            hint="Train on smollm2, or on a folder that holds the base as one GGUF file.",
        )
    kind = str(_field(GGUFReader(str(files[0])), "general.architecture"))
    if kind != "llama":
        raise InvalidInput(
            f"The base model {name} is a {kind}; GGUF variants are made of Llama models.",
            hint="smollm2 is one.",
        )
    return files[0]


def q8(source: LanguageSource, out: Path) -> None:
    """Write the whole model in Q8_0, what was learnt in its weights."""
    _write_model(source, out, _Q8_0, q8_type)


def q4(source: LanguageSource, out: Path) -> None:
    """Write the whole model in the mix Q4_K_M, what was learnt in its weights."""
    _write_model(source, out, _Q4_K_M, q4_type)


def apart(source: LanguageSource, out: Path) -> None:
    """Write the base as it is, and what was learnt as an adapter beside it.

    Raises:
        InvalidInput: if the training left no low-rank adapter that llama.cpp knows.
    """
    from safetensors.numpy import load_file

    file = base_file(source.folder)
    config = adapter_config(source.folder)
    source.report(0.1, "writing the adapter")
    shutil.copyfile(file, out / MODEL)
    reader, writer = _opened(file, out / ADAPTER)
    rank, alpha = float(config["r"]), float(config["lora_alpha"])
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    # llama.cpp scales by alpha / rank, and a rank-stabilised adapter is scaled by alpha / √rank.
    writer.add_float32("adapter.lora.alpha", alpha * math.sqrt(rank) if _stable(config) else alpha)
    names = _names(reader)
    for key, weights in sorted(
        load_file(source.folder / "adapter" / "adapter_model.safetensors").items()
    ):
        module, _, part = key.removeprefix("base_model.model.").partition(".lora_")
        name = names(f"{module}.weight")
        matrix = weights.astype("float32")
        if part.startswith("B"):
            matrix = _rotary(reader, name, matrix)
        writer.add_tensor(f"{name}.lora_{part[0].lower()}", matrix)
    _finish(writer)


def adapter_config(folder: Path) -> dict[str, Any]:
    """The settings of a trained adapter that llama.cpp can apply.

    Raises:
        InvalidInput: if there is none, with what fits instead.
    """
    fits = "`gguf-q8` and `gguf-q4` have what was learnt in their weights."
    try:
        config: dict[str, Any] = json.loads(
            (folder / "adapter" / "adapter_config.json").read_text()
        )
    except FileNotFoundError:
        raise InvalidInput("The training left no adapter to keep apart.", hint=fits) from None
    if config.get("peft_type") != "LORA":
        raise InvalidInput("llama.cpp has no virtual tokens; a LoRA adapter can be kept apart.")
    if config.get("use_dora"):
        raise InvalidInput("llama.cpp applies no DoRA adapter; it must be merged.", hint=fits)
    return config


def _stable(config: dict[str, Any]) -> bool:
    return bool(config.get("use_rslora"))


def _write_model(source: LanguageSource, out: Path, kind: int, type_of: Callable[..., Any]) -> None:
    from tools.training.language.folder import load_language_model

    file = base_file(source.folder)
    source.report(0.05, "adding what was learnt to the weights")
    loaded = load_language_model(source.folder)
    tokenizer: Any = loaded.tokenizer
    reader, writer = _opened(file, out / MODEL)
    _copy_fields(reader, writer, str(tokenizer.chat_template or PLAIN))
    writer.add_file_type(kind)
    writer.add_quantization_version(2)
    for name, matrix in _tensors(reader, loaded.model, source.report):
        if matrix.ndim == 1:
            writer.add_tensor(name, matrix)
            continue
        tied = all(tensor.name != "output.weight" for tensor in reader.tensors)
        chosen = type_of(name, matrix.shape[1], _layers(reader), tied=tied)
        writer.add_tensor(name, quantised(matrix, chosen), raw_dtype=chosen)
    _finish(writer)


def _tensors(
    reader: GGUFReader, model: Any, report: Callable[[float, str], None]
) -> Iterator[tuple[str, Array]]:
    """Every tensor of the base, with the trained weights, in float32 and llama.cpp's order."""
    from gguf import quants

    names = _names(reader)
    learnt = {names(key): weights for key, weights in model.state_dict().items()}
    for place, tensor in enumerate(reader.tensors):
        report(0.2 + 0.8 * place / len(reader.tensors), f"quantising {tensor.name}")
        if tensor.name not in learnt:  # constants, such as the factors of long contexts
            yield tensor.name, quants.dequantize(tensor.data, tensor.tensor_type)
            continue
        matrix: Array = learnt[tensor.name].float().numpy()
        yield tensor.name, _rotary(reader, tensor.name, matrix)


def _rotary(reader: GGUFReader, name: str, matrix: Array) -> Array:
    """Rows of a query or key matrix in llama.cpp's order: pairs beside each other in every head."""
    if not name.endswith(_PROJECTIONS):
        return matrix
    heads = int(_field(reader, "llama.attention.head_count"))
    if name.endswith(_PROJECTIONS[1]):
        shared = reader.get_field("llama.attention.head_count_kv")
        heads = int(shared.contents()) if shared else heads
    rows, columns = matrix.shape
    halves = matrix.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns).copy()


def _names(reader: GGUFReader) -> Callable[[str], str]:
    """From a weight's name in transformers to its name in GGUF."""
    from gguf import MODEL_ARCH, get_tensor_name_map

    known = get_tensor_name_map(MODEL_ARCH.LLAMA, _layers(reader))

    def name_of(key: str) -> str:
        found = known.get_name(key, try_suffixes=(".weight",))
        if found is None:
            raise InvalidInput(f"GGUF has no name for the weights {key} of a Llama model.")
        return found

    return name_of


def _layers(reader: GGUFReader) -> int:
    return int(_field(reader, "llama.block_count"))


def _field(reader: GGUFReader, name: str) -> Any:
    found = reader.get_field(name)
    if found is None:
        raise InvalidInput(f"The base model's GGUF file lacks {name}.")
    return found.contents()


def _opened(base: Path, file: Path) -> tuple[GGUFReader, GGUFWriter]:
    from gguf import GGUFReader, GGUFWriter

    return GGUFReader(str(base)), GGUFWriter(str(file), "llama")


def _copy_fields(reader: GGUFReader, writer: GGUFWriter, template: str) -> None:
    for name, field in reader.fields.items():
        if not name.startswith(_OWN) and name != _TEMPLATE:
            inner = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)
    writer.add_chat_template(template)


def _finish(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
