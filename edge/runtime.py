"""Models in memory: loading, warming up with the golden inputs, predicting, and the swap."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from edge.engines.base import Chat, Classifier, Floats, open_engine
from edge.errors import BadRequest, NoModel, Refused
from edge.guard import Guard
from edge.places import places, projected
from edge.profiles import Profile
from edge.trust import Trust
from edge.verify import SEVERAL, Golden, Manifest, check_files, read_manifest
from edge.wire import Assignment

_BATCH = 16
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Prediction:
    """A label and its probability, 0 to 1.

    Attributes:
        label: the class; where a text may have several labels, all of them joined by commas.
        confidence: its probability; of several labels that of the decision it is least sure of.
        labels: the labels of a text that may have several; None where classes exclude each other.
        place: where the text lies among others, see `edge.places`; None where that is not known.
    """

    label: str
    confidence: float
    labels: tuple[str, ...] | None = None
    place: int | None = None


class LoadedModel:
    """One verified bundle in memory; predicting is thread-safe.

    Args:
        folder: the slot.
        manifest: its manifest, already checked.
        profile: bounds threads and memory.

    Attributes:
        manifest: what the bundle says of itself.
        golden_ms: how long its golden inputs took, each; None before the warm-up.

    Raises:
        Refused: the runtime cannot load it, or a golden input gets another answer than it should.
    """

    def __init__(self, folder: Path, manifest: Manifest, profile: Profile) -> None:
        self.manifest = manifest
        self.golden_ms: float | None = None
        try:
            self._engine = open_engine(folder, manifest, profile)
            self._tokenizer = (
                _open_tokenizer(folder / "tokenizer.json", manifest.max_length)
                if isinstance(self._engine, Classifier)
                else None
            )
        except Refused:
            raise
        except Exception as error:  # the runtimes' own exceptions share no base
            raise Refused(f"the model cannot be loaded: {error}") from error

    @property
    def chats(self) -> bool:
        """True for a language model."""
        return isinstance(self._engine, Chat)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """The most probable label of each text.

        Raises:
            BadRequest: the model is no classifier.
        """
        return self.examine(texts)[0]

    def examine(self, texts: Sequence[str]) -> tuple[list[Prediction], Floats | None]:
        """The most probable label of each text, and all embeddings as `edge.places` projects them.

        The latter is None where the model's file gives no embeddings.

        Raises:
            BadRequest: the model is no classifier.
        """
        found: list[Prediction] = []
        lying: list[Floats] = []
        for start in range(0, len(texts), _BATCH):
            predictions, placed = self._batch(texts[start : start + _BATCH])
            found += predictions
            lying += [] if placed is None else [placed]
        return found, np.concatenate(lying) if lying else None

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request of OpenAI's chat completions API.

        Raises:
            BadRequest: the model is no language model, or the request is malformed.
        """
        if not isinstance(self._engine, Chat):
            raise BadRequest("this device serves a classifier: POST /predict")
        return self._engine.complete(body)

    def warm_up(self) -> None:
        """Run every golden input.

        Raises:
            Refused: an answer is not the manifest's, or the model cannot run.
        """
        golden = self.manifest.golden
        began = time.perf_counter()
        try:
            found = [self._reply(g) for g in golden] if self.chats else self._labels(golden)
        except Exception as error:  # the runtimes' own exceptions share no base
            raise Refused(f"the model does not run: {error}") from error
        self.golden_ms = (time.perf_counter() - began) * 1000 / max(1, len(golden))
        for expected, got in zip(golden, found, strict=True):
            if not (got.startswith(expected.label) if self.chats else got == expected.label):
                raise Refused(
                    f"golden input {expected.text[:60]!r} gives {got[:60]}, "
                    f"the manifest says {expected.label}"
                )

    def _labels(self, golden: Sequence[Golden]) -> list[str]:
        return [p.label for p in self.predict([g.text for g in golden])]

    def _reply(self, golden: Golden) -> str:
        """What a language model says, as surely as it can, in as many words as are asked for."""
        asked = {
            "messages": [{"role": "user", "content": golden.text}],
            "max_tokens": len(golden.label) + 4,
            "temperature": 0,
        }
        return str(self.complete(asked)["choices"][0]["message"]["content"] or "").strip()

    def _batch(self, texts: Sequence[str]) -> tuple[list[Prediction], Floats | None]:
        if not isinstance(self._engine, Classifier) or self._tokenizer is None:
            raise BadRequest("this device serves a language model: POST /v1/chat/completions")
        encoded = self._tokenizer.encode_batch(list(texts))
        width = max(1, *(len(e.ids) for e in encoded))
        ids = np.zeros((len(encoded), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, item in enumerate(encoded):
            ids[row, : len(item.ids)] = item.ids
            mask[row, : len(item.ids)] = 1
        logits, embeddings = self._engine.outputs(ids, mask)
        lying = None if embeddings is None else projected(embeddings)
        where: Sequence[int | None] = [None] * len(texts)
        if lying is not None and self.manifest.centre:
            where = places(lying, self.manifest.centre)
        if self.manifest.task == SEVERAL:
            rows = zip(1 / (1 + np.exp(-logits)), where, strict=True)
            return [self._several(row, place) for row, place in rows], lying
        scores = _softmax(logits)
        best = scores.argmax(axis=1)
        return [
            Prediction(self.manifest.labels[int(i)], float(row[i]), place=place)
            for i, row, place in zip(best, scores, where, strict=True)
        ], lying

    def _several(self, row: Floats, place: int | None) -> Prediction:
        labels = tuple(n for n, p in zip(self.manifest.labels, row, strict=True) if p > 0.5)
        return Prediction(", ".join(labels), float(np.maximum(row, 1 - row).min()), labels, place)


@dataclass(frozen=True, slots=True)
class Arm:
    """A model that is served, with the share of requests that it answers."""

    assignment: Assignment
    model: LoadedModel


class Runtime:
    """The models that are served. `swap` replaces them all in one reference assignment.

    A request takes the arms that it finds when it starts and keeps them to its end, so that a swap
    drops no request. Thread-safe.

    Args:
        profile: bounds threads and memory.
        guard: told how each answer went.
    """

    def __init__(self, profile: Profile, guard: Guard | None = None) -> None:
        self.profile = profile
        self.guard = guard or Guard(lambda _: None)
        self._arms: tuple[Arm, ...] = ()
        self._prepared: dict[str, LoadedModel] = {}
        self._turns = threading.BoundedSemaphore(profile.concurrency)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What is served now."""
        return self._arms

    @property
    def prepared(self) -> list[str]:
        """Bundles that are loaded and warm but not served."""
        return list(self._prepared)

    def load(self, folder: Path, bundle: str, trust: Trust) -> LoadedModel:
        """A verified, warmed-up model: one in memory already, or loaded from a slot.

        Raises:
            Refused: the bundle was altered, does not load, or fails a golden input.
        """
        for arm in self._arms:
            if arm.assignment.bundle == bundle:
                return arm.model
        if bundle in self._prepared:
            return self._prepared[bundle]
        manifest = read_manifest(folder, bundle, trust)
        check_files(folder, manifest)
        model = LoadedModel(folder, manifest, self.profile)
        model.warm_up()
        return model

    def prepare(self, bundle: str, model: LoadedModel) -> None:
        """Keep a model warm for a later swap."""
        self._prepared = {**self._prepared, bundle: model}

    def swap(self, arms: tuple[Arm, ...], keep: set[str]) -> None:
        """Serve these models from now on; of the prepared ones only `keep` stay in memory."""
        self._arms = arms
        self._prepared = {b: m for b, m in self._prepared.items() if b in keep}

    def answer(self, arm: Arm, texts: Sequence[str]) -> list[Prediction]:
        """Predict with one arm, waiting for a turn when the profile's limit is reached."""
        return self._guarded(arm, len(texts), lambda: arm.model.predict(texts))

    def complete(self, arm: Arm, body: dict[str, Any]) -> dict[str, Any]:
        """Chat with one arm, waiting for a turn when the profile's limit is reached."""
        return self._guarded(arm, 1, lambda: arm.model.complete(body))

    def _guarded(self, arm: Arm, inputs: int, run: Callable[[], _Answer]) -> _Answer:
        bundle = arm.assignment.bundle
        with self._turns:
            began = time.perf_counter()
            try:
                found = run()
            except BadRequest:
                raise
            except Exception as error:
                self.guard.failed(bundle, str(error))
                raise
            took = (time.perf_counter() - began) * 1000
        self.guard.answered(bundle, took / inputs)
        return found

    def choose(self, key: str) -> Arm:
        """The arm that answers a request: always the same for the same key.

        Raises:
            NoModel: nothing is served.
        """
        arms = self._arms
        if not arms:
            raise NoModel("this device serves no model yet")
        if len(arms) == 1:
            return arms[0]
        point = bucket(key, sum(arm.assignment.weight for arm in arms))
        for arm in arms:
            if point < arm.assignment.weight:
                return arm
            point -= arm.assignment.weight
        return arms[-1]


def bucket(key: str, buckets: int) -> int:
    """A stable number from 0 to `buckets` - 1 for a key: its SHA-256 modulo `buckets`."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % max(1, buckets)


def _softmax(logits: Floats) -> Floats:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _open_tokenizer(path: Path, max_length: int) -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return tokenizer
