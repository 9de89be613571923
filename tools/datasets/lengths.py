"""How long texts are in tokens, by the bundled encoder's tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from tools.datasets.types import TextLengths
from tools.kernel.errors import Unavailable

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LONGEST = 512
"""Tokens that the bundled encoder reads; what lies behind them is cut."""
_SAMPLE = 20_000
_BATCH = 2000


@lru_cache(maxsize=1)
def _tokenizer() -> Tokenizer | None:
    from tokenizers import Tokenizer

    from tools.kernel.assets import asset_path

    try:
        tokenizer = Tokenizer.from_file(str(asset_path("minilm") / "tokenizer.json"))
    except Unavailable:
        return None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def token_counts(texts: Sequence[str]) -> list[int] | None:
    """Tokens of each text (of the first 20,000); None while the tokenizer is not fetched."""
    tokenizer = _tokenizer()
    if tokenizer is None:
        return None
    return _counted(tokenizer, texts[:_SAMPLE])


def _counted(tokenizer: Tokenizer, texts: Sequence[str]) -> list[int]:
    counts: list[int] = []
    for start in range(0, len(texts), _BATCH):
        batch = list(texts[start : start + _BATCH])
        counts += [len(encoding.ids) for encoding in tokenizer.encode_batch_fast(batch)]
    return counts


def too_long(texts: Sequence[str], counts: Sequence[int]) -> dict[int, int]:
    """The texts that the encoder does not read to their end, by position, with their tokens.

    Args:
        texts: all texts.
        counts: the tokens of the first texts (`token_counts`). Of the others only those are counted
            that can be too long: a token stands for a character at least, two mark start and end.
    """
    found = {i: count for i, count in enumerate(counts) if count > LONGEST}
    tokenizer = _tokenizer()
    if tokenizer is None:
        return found
    rest = [i for i in range(len(counts), len(texts)) if len(texts[i]) > LONGEST - 2]
    counted = zip(rest, _counted(tokenizer, [texts[i] for i in rest]), strict=True)
    return found | {i: count for i, count in counted if count > LONGEST}


def percentiles(lengths: Sequence[int]) -> TextLengths:
    """The percentiles of some lengths, at least one."""
    ordered = sorted(lengths)

    def at(share: float) -> int:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return TextLengths(p50=at(0.5), p90=at(0.9), p99=at(0.99), longest=ordered[-1])
