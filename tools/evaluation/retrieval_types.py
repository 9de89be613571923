"""What is told of embeddings beside what is told of every model."""

from __future__ import annotations

from tools.kernel.operations import Result


class Retrieved(Result):
    """How well an embedding finds counterparts; None for models that give classes.

    The nearest candidate is the right one for `accuracy` of the queries. Each figure has its 95 %
    interval beside it, as `_low` and `_high`; `training.similarity.finding` says what each is.

    Attributes:
        candidates: how many texts every query could find.
        recall_at_1: share of queries that find a right text at once: the accuracy.
        recall_at_5: share that find one among the nearest five.
        recall_at_10: share that find one among the nearest ten.
        mrr: mean reciprocal rank of the right text.
        ndcg_at_10: discounted gain within the nearest ten.
        triplet_accuracy: share of triplets whose positive is nearer than their negative; None
            without negatives.
        mrr_untrained: mean reciprocal rank of the encoder as published.
        gain_p_value: of training having changed nothing of that rank, by flipped signs.
    """

    candidates: int | None = None
    recall_at_1: float | None = None
    recall_at_1_low: float | None = None
    recall_at_1_high: float | None = None
    recall_at_5: float | None = None
    recall_at_5_low: float | None = None
    recall_at_5_high: float | None = None
    recall_at_10: float | None = None
    recall_at_10_low: float | None = None
    recall_at_10_high: float | None = None
    mrr: float | None = None
    mrr_low: float | None = None
    mrr_high: float | None = None
    ndcg_at_10: float | None = None
    ndcg_at_10_low: float | None = None
    ndcg_at_10_high: float | None = None
    triplet_accuracy: float | None = None
    triplet_accuracy_low: float | None = None
    triplet_accuracy_high: float | None = None
    mrr_untrained: float | None = None
    gain_p_value: float | None = None


class RanksCompared(Result):
    """The mean reciprocal ranks of two embeddings on the same queries; None for other models.

    Attributes:
        mrr: of the first.
        other_mrr: of the second.
        mrr_difference: the first's minus the second's.
        mrr_low: lower end of its 95 % interval (bootstrap over queries, paired).
        mrr_high: upper end of it.
        mrr_p_value: that there is none, by flipped signs.
    """

    mrr: float | None = None
    other_mrr: float | None = None
    mrr_difference: float | None = None
    mrr_low: float | None = None
    mrr_high: float | None = None
    mrr_p_value: float | None = None
