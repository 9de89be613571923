"""The comparison of many models, registered ones and configured language models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.evaluation.frontier_types import CompareFrontier, Contender, Frontier
from tools.kernel.operations import Call, Effect, Evidence, Preview, operation

if TYPE_CHECKING:
    from tools.evaluation.frontier import FrontierService


def _service(call: Call) -> FrontierService:
    from tools.evaluation.frontier import FrontierService

    return call.get(FrontierService)


@operation(
    "evaluation.frontier",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "compare all models on support-tickets",
        "put every model and the language model side by side on tickets",
        "run a frontier comparison on mails-2026",
        "which of our models is best on transactions-june?",
        "compare our models with the external llm on tickets",
        "is the language model better than our classifiers on support-tickets",
        "show quality, latency and cost of all models on tickets",
        "benchmark all versions of ticket-router on tickets",
        "rank the models on support-tickets",
        "quality against cost of every model on mails-2026",
        "how does gpt do on tickets compared with our own models",
        "frontier of all models on the dataset tickets with 100 rows",
    ),
)
def compare_frontier(args: CompareFrontier, call: Call) -> Frontier:
    """Compare all fitting models and the configured language model on the same held-out rows.

    One table: accuracy with its interval, macro-F1, latency, memory, cost for a thousand rows; and
    every pair by the exact McNemar test, corrected for the number of pairs (Holm). On pairs and
    triplets of texts all embeddings take part, and no language model.

    Args:
        dataset: what all are measured on.
        model: all versions of this model; the newest of every model, and champions, when left out.
        external: whether the configured language model takes part.
        external_models: further models at the same endpoint.
        rows: test rows at most.

    Raises:
        Conflict: there are fewer than two models that know the dataset's labels.
    """
    return _service(call).compare(args, call)


@compare_frontier.normalise
def _(args: CompareFrontier, call: Call) -> CompareFrontier:
    return _service(call).normalise(args, call.tenant)


@compare_frontier.preview
def _(args: CompareFrontier, call: Call) -> Preview:
    return _service(call).preview(args, call.tenant)


@compare_frontier.read_back
def _(args: CompareFrontier, result: Frontier, call: Call) -> list[Evidence]:
    return _service(call).evidence(result.id, call.tenant)


@compare_frontier.says
def _(args: CompareFrontier, result: Frontier) -> str:
    table = "; ".join(
        f"{c.name} {c.accuracy:.1%} ({c.low:.1%} to {c.high:.1%}){_ranked(c)}, {c.p50_ms:.1f} ms, "
        f"{c.cost_per_1000:.4f} {result.currency} per 1000"
        for c in result.contenders
    )
    real = [
        f"{d.first} over {d.second} by {d.difference * 100:.1f} points (p = {d.p_value:.3g})"
        for d in result.differences
        if d.real
    ]
    what = " of the right texts found at once" if result.contenders[0].mrr is not None else ""
    told = f"Real differences: {'; '.join(real)}." if real else "No difference is surely real."
    noted = "".join(f" {warning}" for warning in result.warnings)
    return f"On {result.rows} rows of {result.dataset}{what}: {table}. {told}{noted}"


def _ranked(found: Contender) -> str:
    """What else an embedding is measured by."""
    if found.mrr is None or found.recall_at_5 is None:
        return ""
    return f", {found.recall_at_5:.1%} among the nearest five, mean reciprocal rank {found.mrr:.3f}"
