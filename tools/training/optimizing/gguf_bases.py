"""The base model under a trained one, as GGUF sees it: sizes, names, order of rows, header.

A base is one GGUF file, whose header is copied, or a folder in the hub's format, whose
`config.json` and `tokenizer.json` are told in GGUF's words (`gguf_hub`). llama.cpp keeps the rows
of the query and key matrices of a Llama in the order of its rotary embedding, which transformers
undoes when it reads them: it is done again here. Other architectures keep transformers' order.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    import numpy.typing as npt
    from gguf import GGUFReader, GGUFWriter, TensorNameMap

    Array = npt.NDArray[Any]

KINDS = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""From `model_type` in the hub's format to the architecture in llama.cpp."""
_PERMUTED = "llama"
_OWN = ("GGUF.", "general.architecture", "general.file_type", "general.quantization_version")
_TEMPLATE = "tokenizer.chat_template"
_PROJECTIONS = tuple(f".attn_{part}.{kind}" for part in "qk" for kind in ("weight", "bias"))


@dataclass(frozen=True, slots=True)
class Shape:
    """What names and order of a model's tensors depend on.

    Attributes:
        kind: the architecture, as llama.cpp names it.
        layers: their number.
        heads: of the queries.
        shared: of the keys, which several queries share.
        tied: whether the word embeddings are the output too.
    """

    kind: str
    layers: int
    heads: int
    shared: int
    tied: bool

    def name(self, key: str) -> str:
        """From a weight's name in transformers to its name in GGUF.

        Raises:
            InvalidInput: if there is none.
        """
        found = _names(self.kind, self.layers).get_name(key, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise InvalidInput(f"GGUF has no name for the weights {key} of a {self.kind} model.")
        return found

    def ordered(self, name: str, weights: Array) -> Array:
        """Rows of a query or key tensor in llama.cpp's order: pairs side by side in every head."""
        if self.kind != _PERMUTED or not name.endswith(_PROJECTIONS):
            return weights
        heads = self.shared if ".attn_k." in name else self.heads
        rows, rest = weights.shape[0], weights.shape[1:]
        halves = weights.reshape(heads, 2, rows // heads // 2, *rest)
        return halves.swapaxes(1, 2).reshape(rows, *rest).copy()

    def tensors(self, model: Any) -> Iterator[tuple[str, Array]]:
        """A model's weights in float32, by GGUF's names and in its order; the output once."""
        for key, weights in model.state_dict().items():
            name = self.name(key)
            if not (self.tied and name == "output.weight"):
                yield name, self.ordered(name, weights.float().numpy())


@cache
def _names(kind: str, layers: int) -> TensorNameMap:
    from gguf import MODEL_ARCH, get_tensor_name_map

    return get_tensor_name_map(MODEL_ARCH[kind.upper()], layers)


class Base(Protocol):
    """What a variant takes from the base model."""

    @property
    def shape(self) -> Shape:
        """Of its tensors."""
        ...

    def describe(self, writer: GGUFWriter, model: Any, tokenizer: Any, template: str) -> None:
        """Write sizes, tokenizer and chat template into a header."""
        ...

    def constants(self, model: Any) -> Iterator[tuple[str, Array]]:
        """Tensors that no training changes, such as the factors of long contexts."""
        ...

    def copy(self, out: Path, tokenizer: Any, template: str) -> None:
        """Write the base itself as a GGUF file, without loss."""
        ...

    def prove(self, folder: Path, entry: str, tokenizer: Any) -> None:
        """Refuse a written variant to which llama.cpp shows chats in another way, if told here."""
        ...


def base_of(folder: Path) -> Base:
    """The base model that a trained folder rests on.

    Raises:
        InvalidInput: if it is one that GGUF variants cannot be made of, with what would do.
    """
    from tools.training import base_models
    from tools.training.language.folder import read_facts
    from tools.training.optimizing.gguf_hub import HubBase

    name = str(read_facts(folder)["base_model"])
    where = base_models.folder(name)
    if (where / "config.json").is_file():
        return HubBase(name, where, folder)
    files = sorted(where.glob("*.gguf"))
    if len(files) != 1:
        raise InvalidInput(
            f"The base model {name} has neither config.json nor one GGUF file.",
            hint="Train on smollm2, or on a folder that holds the base in the hub's format.",
        )
    return FileBase(name, files[0])


def refuse_other_kinds(name: str, kind: str, known: bool) -> None:
    """Refuse an architecture that is not written here."""
    if not known:
        raise InvalidInput(
            f"The base model {name} is a {kind}; GGUF variants are made of {', '.join(KINDS)}.",
            hint="smollm2 is a Llama.",
        )


def finish(writer: GGUFWriter) -> None:
    """Write what a writer has been given, and close its file."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class FileBase:
    """A base that came as one GGUF file: its header is the variant's, its tensors are named in it.

    Args:
        name: as people name it.
        file: the GGUF file.

    Raises:
        InvalidInput: if it is of an architecture that is not written here.
    """

    def __init__(self, name: str, file: Path) -> None:
        from gguf import GGUFReader

        self._file = file
        self._reader: GGUFReader = GGUFReader(str(file))
        kind = str(self._field("general.architecture"))
        refuse_other_kinds(name, kind, kind in KINDS.values())
        heads = int(self._field(f"{kind}.attention.head_count"))
        shared = self._reader.get_field(f"{kind}.attention.head_count_kv")
        self.shape = Shape(
            kind=kind,
            layers=int(self._field(f"{kind}.block_count")),
            heads=heads,
            shared=int(shared.contents()) if shared else heads,
            tied=all(tensor.name != "output.weight" for tensor in self._reader.tensors),
        )

    def describe(self, writer: GGUFWriter, model: Any, tokenizer: Any, template: str) -> None:
        """See `Base`; everything but the chat template is the file's own."""
        for name, field in self._reader.fields.items():
            if not name.startswith(_OWN) and name != _TEMPLATE:
                inner = field.types[-1] if len(field.types) > 1 else None
                writer.add_key_value(name, field.contents(), field.types[0], inner)
        writer.add_chat_template(template)

    def constants(self, model: Any) -> Iterator[tuple[str, Array]]:
        """See `Base`; the file's tensors that transformers does not have."""
        from gguf import quants

        learnt = {self.shape.name(key) for key in model.state_dict()}
        for tensor in self._reader.tensors:
            if tensor.name not in learnt:
                yield tensor.name, quants.dequantize(tensor.data, tensor.tensor_type)

    def copy(self, out: Path, tokenizer: Any, template: str) -> None:
        """See `Base`; the file, byte for byte."""
        shutil.copyfile(self._file, out)

    def prove(self, folder: Path, entry: str, tokenizer: Any) -> None:
        """See `Base`; the tokenizer is its maker's, and what it costs is measured."""

    def _field(self, name: str) -> Any:
        found = self._reader.get_field(name)
        if found is None:
            raise InvalidInput(f"The base model's GGUF file lacks {name}.")
        return found.contents()
