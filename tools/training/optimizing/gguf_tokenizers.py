"""A tokenizer of transformers in the fields of a GGUF header, cutting texts the same way.

Two kinds are told: byte-level BPE (GPT-2's, Llama 3's, Qwen's), whose first cut llama.cpp knows by
a name (`tokenizer.ggml.pre`), and BPE over characters with single bytes for the rest, as
SentencePiece makes it (Llama 2, TinyLlama, Mistral), whose merges llama.cpp knows by the score of
what they make.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from gguf import GGUFWriter, TokenType

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PRE = {
    ("plain", False): "gpt-2",
    ("digits, plain", False): "smollm",
    (_WORDS.replace("DIGITS", ""), False): "qwen2",
    (_WORDS.replace("DIGITS", "{1,3}"), False): "dbrx",
    (_WORDS.replace("DIGITS", "{1,3}"), True): "llama-bpe",
}
"""llama.cpp's name of a first cut, by the cut and by whether whole words need no merges."""
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
_SPACE = "\u2581"
_UNMERGED = -1e9
_HINT = "Those of Llama, SmolLM2, Mistral and Qwen can be told."


@dataclass(frozen=True, slots=True)
class Reading:
    """How a tokenizer reads a text, as llama.cpp is told of it.

    Attributes:
        model: `gpt2` for byte-level BPE, `llama` for BPE as SentencePiece makes it.
        pre: llama.cpp's name of the first cut.
        space: where SentencePiece puts a space before a text: `always`, `first`, `never`.
    """

    model: str
    pre: str
    space: str = "never"


def reading_of(told: Mapping[str, Any]) -> Reading:
    """How a tokenizer reads, by its `tokenizer.json`.

    Raises:
        InvalidInput: if llama.cpp knows no such reading.
    """
    model = told["model"]
    affixes = model.get("continuing_subword_prefix") or model.get("end_of_word_suffix")
    if model.get("type") != "BPE" or affixes:
        _refuse(f"is {model.get('type')}, and GGUF is told BPE, of bytes or as SentencePiece's")
    if model.get("byte_fallback"):
        return Reading("llama", "default", _space(told))
    return Reading("gpt2", _pre(told))


def add_tokenizer(writer: GGUFWriter, tokenizer: Any, rows: int, template: str) -> None:
    """Write a tokenizer into a header.

    Args:
        writer: of the header.
        tokenizer: of transformers.
        rows: of the word embeddings; those beyond the tokenizer's words are named as unused.
        template: the chat template.

    Raises:
        InvalidInput: if llama.cpp would read texts in another way.
    """
    from gguf import SpecialVocab

    with TemporaryDirectory() as place:
        tokenizer.save_pretrained(place)
        told = json.loads((Path(place) / "tokenizer.json").read_text("utf-8"))
        reading = reading_of(told)
        special = SpecialVocab(place, load_merges=reading.model == "gpt2", n_vocab=rows)
    writer.add_tokenizer_model(reading.model)
    writer.add_tokenizer_pre(reading.pre)
    words, types = zip(*_words(told, rows), strict=True)
    writer.add_token_list(words)
    writer.add_token_types(types)
    if reading.model == "llama":
        writer.add_token_scores(_scores(told, words))
        writer.add_add_space_prefix(reading.space == "always")
    shown = _shown(tokenizer)
    first = str(tokenizer.bos_token or "")
    # A chat has a first token only if its template shows one; llama.cpp must add no other.
    special.add_special_token = {"bos": bool(first) and shown.startswith(first), "eos": False}
    special.chat_template = template
    if reading.space == "first" and not shown.startswith(tuple(_added(told))):
        # llama.cpp knows a space before all that follows a special token, or none: it is written.
        special.chat_template = "{{ ' ' }}" + template
    special.add_to_gguf(writer, quiet=True)


def _shown(tokenizer: Any) -> str:
    from tools.training.language.rows import question_text

    return question_text(tokenizer, [{"role": "user", "content": "hello"}])


def _added(told: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The words that are cut out of a text before all else."""
    return {str(each["content"]): each for each in told.get("added_tokens", ())}


def _words(told: Mapping[str, Any], rows: int) -> Iterator[tuple[str, TokenType]]:
    """Every row's word and its kind, in order."""
    from gguf import TokenType

    added = _added(told)
    known: dict[int, str] = {place: word for word, place in told["model"]["vocab"].items()}
    known |= {int(each["id"]): word for word, each in added.items()}
    if max(known) >= rows:
        _refuse(f"has {max(known) + 1} words for a model of {rows}")
    for place in range(rows):
        word = known.get(place)
        if word is None:
            yield f"[PAD{place}]", TokenType.UNUSED
        elif word == told["model"].get("unk_token") and told["model"].get("byte_fallback"):
            yield word, TokenType.UNKNOWN
        elif word in added and added[word].get("special"):
            yield word, TokenType.CONTROL
        elif word in added:
            yield word.replace(_SPACE, " "), TokenType.USER_DEFINED
        else:
            single = told["model"].get("byte_fallback") and _BYTE.fullmatch(word)
            yield word, TokenType.BYTE if single else TokenType.NORMAL


def _scores(told: Mapping[str, Any], words: Sequence[str]) -> list[float]:
    """A score for every word, which lets llama.cpp merge in the order of the merges.

    It merges whatever two parts make a known word, the best word first. That is the order of the
    merges if every two parts of a word are one, and those of a word come one after another.
    """
    made: dict[str, list[int]] = {}
    pairs: set[tuple[str, str]] = set()
    for place, merge in enumerate(told["model"]["merges"]):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        made.setdefault(left + right, []).append(place)
        pairs.add((left, right))
    vocabulary, added = told["model"]["vocab"], _added(told)
    for word in vocabulary:
        if word in added or _BYTE.fullmatch(word):
            continue
        parts = ((word[:i], word[i:]) for i in range(1, len(word)))
        whole = all(p in pairs for p in parts if p[0] in vocabulary and p[1] in vocabulary)
        places = made.get(word, [0])
        if not whole or places[-1] - places[0] >= len(places):
            _refuse("merges in another order than SentencePiece, which llama.cpp follows")
    return [-float(made[word][0]) if word in made else _UNMERGED for word in words]


def _pre(told: Mapping[str, Any]) -> str:
    """llama.cpp's name of a byte-level tokenizer's first cut."""
    steps = _steps(told.get("pre_tokenizer"), "pretokenizers")
    cuts = [_cut(step) for step in steps]
    cut = ", ".join(each for each in cuts if each)
    name = _PRE.get((cut, bool(told["model"].get("ignore_merges"))))
    normal = {step["type"] for step in _steps(told.get("normalizer"), "normalizers")}
    bytewise = bool(steps) and steps[-1]["type"] == "ByteLevel"
    if name is None or not bytewise or not normal <= {"NFC"}:
        _refuse(f"first cuts texts by {cut or 'nothing'}, for which llama.cpp has no known name")
    return str(name)


def _cut(step: Mapping[str, Any]) -> str:
    """One step of a first cut, in short; as it is written where it is none of the known."""
    told = json.dumps(step)[:200]
    match step["type"]:
        case "ByteLevel" if not step.get("add_prefix_space"):
            return "plain" if step.get("use_regex", True) else ""
        case "Digits" if step.get("individual_digits"):
            return "digits"
        case "Split" if step.get("behavior") == "Isolated" and not step.get("invert"):
            return str(step["pattern"].get("Regex", told))
        case _:
            return told


def _space(told: Mapping[str, Any]) -> str:
    """Where a tokenizer of SentencePiece's kind puts a space before a text."""
    normal = _steps(told.get("normalizer"), "normalizers")
    cuts = _steps(told.get("pre_tokenizer"), "pretokenizers")
    kinds = [step["type"] for step in normal]
    if not cuts and kinds == ["Prepend", "Replace"]:
        return "always"
    if not cuts and kinds == ["Replace"]:
        return "never"
    if not normal and [step["type"] for step in cuts] == ["Metaspace"]:
        [step] = cuts
        if step.get("replacement") == _SPACE and not step.get("split", True):
            return str(step.get("prepend_scheme", "always"))
    return _refuse(f"writes spaces in a way of its own ({json.dumps([*normal, *cuts])[:200]})")


def _steps(given: Mapping[str, Any] | None, several: str) -> list[Mapping[str, Any]]:
    if given is None:
        return []
    return [*given[several]] if given["type"] == "Sequence" else [given]


def _refuse(why: str) -> Any:
    raise InvalidInput(f"The base model's tokenizer {why}.", hint=_HINT)
