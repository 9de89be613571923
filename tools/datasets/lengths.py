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
    counts: list[int] = []
    for start in range(0, min(len(texts), _SAMPLE), _BATCH):
        batch = list(texts[start : min(start + _BATCH, _SAMPLE)])
        counts += [len(encoding.ids) for encoding in tokenizer.encode_batch_fast(batch)]
    return counts


def percentiles(lengths: Sequence[int]) -> TextLengths:
    """The percentiles of some lengths, at least one."""
    ordered = sorted(lengths)

    def at(share: float) -> int:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return TextLengths(p50=at(0.5), p90=at(0.9), p99=at(0.99), longest=ordered[-1])
