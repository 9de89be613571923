"""Which models can be measured on which data, and what to take instead where they cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.kernel.errors import Conflict

if TYPE_CHECKING:
    from tools.datasets.service import DatasetService
    from tools.datasets.types import DatasetProfile
    from tools.evaluation.subjects import Subject

ALIKE = ("pairs", "triplets", "prompt_completion")
"""Kinds of datasets whose rows say which texts belong together."""
CLASSES = ("classification", "multilabel")
_HOLD = {
    "classification": "texts with labels",
    "multilabel": "texts with labels",
    "prompt_completion": "prompts with answers",
    "messages": "chats",
    "pairs": "pairs of texts",
    "triplets": "triplets of texts",
}
_MOST_NAMED = 8


def check_fit(
    datasets: DatasetService, tenant: str, dataset: str, subjects: Sequence[Subject]
) -> None:
    """Refuse models on a dataset that does not tell what is right for them, or for each other.

    Args:
        datasets: the catalogue.
        tenant: whose datasets.
        dataset: what they would be measured on.
        subjects: the models, at least one.

    Raises:
        Conflict: with the datasets or the operation that would be right.
    """
    refuse_language(subjects)
    embedding = next((s for s in subjects if s.embeds), None)
    classifier = next((s for s in subjects if not s.embeds), None)
    if embedding and classifier:
        raise Conflict(
            f"{embedding} is an embedding, which finds texts, and {classifier} a classifier, which "
            "names classes: nothing measures both.",
            hint="Compare embeddings with embeddings, and classifiers with classifiers.",
        )
    kind = datasets.resolve(tenant, dataset).profile.kind
    fitting = ALIKE if embedding else CLASSES
    if kind not in fitting:
        raise Conflict(
            f"{dataset} holds {_HOLD[kind]}, and {subjects[0]} is {_is(subjects[0])}.",
            hint=_instead(datasets, tenant, subjects[0]),
        )


def _is(subject: Subject) -> str:
    if subject.embeds:
        return "an embedding: it is measured by which texts it finds, on pairs or triplets of texts"
    return "a classifier: it is measured on texts with labels"


def _instead(datasets: DatasetService, tenant: str, subject: Subject) -> str:
    """The datasets of the catalogue that would be right."""
    named = [
        found.name
        for found in datasets.list(tenant).datasets
        if _tells(datasets.resolve(tenant, found.name).profile, subject)
    ]
    if named:
        return f"These are right for it: {', '.join(named[:_MOST_NAMED])}."
    needed = "an anchor and a positive" if subject.embeds else "a text and a label that it knows"
    return f"No dataset is right for it yet: add one with columns for {needed}."


def _tells(profile: DatasetProfile, subject: Subject) -> bool:
    """Whether a dataset's rows say what is right for a model."""
    if subject.embeds:
        return profile.kind in ALIKE
    return profile.kind in CLASSES and bool(profile.classes.keys() & {*subject.labels})


def refuse_language(subjects: Sequence[Subject]) -> None:
    """Refuse language models where classes or found texts are asked for.

    Raises:
        Conflict: saying what measures them.
    """
    for subject in subjects:
        if subject.task == "language" or (subject.folder / "language.json").is_file():
            raise Conflict(
                f"{subject} is a language model: it has answers, not classes.",
                hint=f"`measure the answers of {subject}` does it.",
            )


def refuse_embedding(subject: Subject, why: str, instead: str) -> None:
    """Refuse an embedding where it has not what is asked for.

    Args:
        subject: any model.
        why: what it would need, as the rest of a sentence.
        instead: what can be done.

    Raises:
        Conflict: if it is an embedding.
    """
    if subject.embeds:
        raise Conflict(f"{subject} is an embedding: {why}.", hint=instead)
