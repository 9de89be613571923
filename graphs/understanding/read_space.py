"""Search spaces in words: `learning rate between 1e-5 and 1e-3, rank 4 to 32`."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.clause import Clause
from graphs.understanding.lexicon import split_phrases
from graphs.understanding.text import Token
from graphs.understanding.values import number_at

Span = tuple[int, int]
_NAMES = {
    "head_learning_rate": ["head learning rate", "head lr"],
    "learning_rate": ["learning rate", "learning rates", "learning-rate", "lr", "lrs"],
    "rank": ["lora rank", "rank", "ranks", "r"],
    "batch_size": ["batch size", "batch sizes", "batch", "bs"],
    "epochs": ["epochs"],
    "max_length": ["max length", "maximum length", "length"],
    "warmup": ["warm-up", "warmup", "warm up"],
    "weight_decay": ["weight decay", "weight-decay", "decay"],
    "head_dropout": ["head dropout", "dropout"],
    "label_smoothing": ["label smoothing", "smoothing"],
    "gradient_accumulation": ["gradient accumulation", "accumulation"],
}
_LEADS = frozenset(["of", "from", "in", "between", "over", "=", ":", "range", "(", "["])
_RANGES = frozenset(["to", "and", "-", "–", "..", "...", "through", "until"])
_LISTS = frozenset([",", "or", "|", "/"])


def read_space(clause: Clause) -> tuple[str, list[Span]] | None:
    """The search space that a clause tells, as `tools.training.space` writes it, and its words."""
    parts: list[str] = []
    spans: list[Span] = []
    for name, options in _NAMES.items():
        for phrase in split_phrases([*options, name]):
            span = clause.find([phrase])
            if span is None:
                continue
            read = _values(clause.tokens, span[1])
            if read is None or any(a < read[1] and span[0] < b for a, b in spans):
                continue
            parts.append(f"{name} {read[0]}")
            spans.append((span[0], read[1]))
            break
    return (", ".join(parts), spans) if parts else None


_COUNTED = frozenset(
    ["epoch", "epochs", "pass", "passes", "round", "rounds", "trial", "trials", "run", "runs",
     "rows", "row", "hour", "hours", "minutes", "minute", "mins", "in", "layers", "workers"]
)  # fmt: skip


def _counts_something(tokens: Sequence[Token], at: int) -> bool:
    """True for the three of `batch 8 or 16, three epochs`, which is no further batch size."""
    return at < len(tokens) and tokens[at].low in _COUNTED


def _values(tokens: Sequence[Token], at: int) -> tuple[str, int] | None:
    """A range or a list of two numbers or more that begins at `at`, and where it ends."""
    while at < len(tokens) and tokens[at].low in _LEADS:
        at += 1
    first = number_at(tokens, at)
    if first is None:
        return None
    values, end, mark = [first[0]], first[1], ""
    while end < len(tokens) and tokens[end].low in (_RANGES | _LISTS):
        after = end + 1
        if after < len(tokens) and tokens[end].low == "," and tokens[after].low in ("or", "and"):
            after += 1
        article = after < len(tokens) and tokens[after].low in {"a", "an"}
        further = None if article else number_at(tokens, after)  # `rank 16 and a learning rate of`
        if further is None or _counts_something(tokens, further[1]):
            break
        mark = mark or ("|" if tokens[end].low in _LISTS else "..")
        values.append(further[0])
        end = further[1]
        if mark == ".." and len(values) == 2:
            break
    if len(values) < 2:
        return None
    return (mark if len(values) == 2 else "|").join(f"{v:g}" for v in values), end
