"""Models in memory: loading, warming up with the golden inputs, predicting, and the swap."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import NoModel, Refused
from edge.profiles import Profile
from edge.verify import Manifest, check_files, read_manifest
from edge.wire import Assignment

_BATCH = 16


@dataclass(frozen=True, slots=True)
class Prediction:
    """A label and its probability, 0 to 1."""

    label: str
    confidence: float


class LoadedModel:
    """One verified bundle in memory; predicting is thread-safe.

    Args:
        folder: the slot.
        manifest: its manifest, already checked.
        profile: bounds threads and memory.

    Raises:
        Refused: the runtime cannot load it, or a golden input gets another label than it should.
    """

    def __init__(self, folder: Path, manifest: Manifest, profile: Profile) -> None:
        self.manifest = manifest
        try:
            self._session = _open_session(folder / "model.onnx", profile)
            self._tokenizer = _open_tokenizer(folder / "tokenizer.json", manifest.max_length)
        except Exception as error:  # the runtime's own exceptions share no base
            raise Refused(f"the model cannot be loaded: {error}") from error
        self._inputs = [node.name for node in self._session.get_inputs()]

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """The most probable label of each text."""
        found: list[Prediction] = []
        for start in range(0, len(texts), _BATCH):
            found.extend(self._batch(texts[start : start + _BATCH]))
        return found

    def warm_up(self) -> None:
        """Run every golden input.

        Raises:
            Refused: a label is not the manifest's, or the model cannot run.
        """
        golden = self.manifest.golden
        try:
            found = self.predict([g.text for g in golden])
        except Exception as error:  # the runtime's own exceptions share no base
            raise Refused(f"the model does not run: {error}") from error
        for expected, got in zip(golden, found, strict=True):
            if expected.label != got.label:
                raise Refused(
                    f"golden input {expected.text[:60]!r} gives {got.label}, "
                    f"the manifest says {expected.label}"
                )

    def _batch(self, texts: Sequence[str]) -> list[Prediction]:
        encoded = self._tokenizer.encode_batch(list(texts))
        width = max(1, *(len(e.ids) for e in encoded))
        ids = np.zeros((len(encoded), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, item in enumerate(encoded):
            ids[row, : len(item.ids)] = item.ids
            mask[row, : len(item.ids)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        logits = self._session.run(None, {n: feed[n] for n in self._inputs})[0]
        scores = _softmax(np.asarray(logits, dtype=np.float64))
        best = scores.argmax(axis=1)
        return [
            Prediction(self.manifest.labels[int(i)], float(row[i]))
            for i, row in zip(best, scores, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Arm:
    """A model that is served, with the share of requests that it answers."""

    assignment: Assignment
    model: LoadedModel


class Runtime:
    """The models that are served. `swap` replaces them all in one reference assignment.

    A request takes the arms that it finds when it starts and keeps them to its end, so that a swap
    drops no request. Thread-safe.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
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

    def load(self, folder: Path, bundle: str, platform_key: str) -> LoadedModel:
        """A verified, warmed-up model: one in memory already, or loaded from a slot.

        Raises:
            Refused: the bundle was altered, does not load, or fails a golden input.
        """
        for arm in self._arms:
            if arm.assignment.bundle == bundle:
                return arm.model
        if bundle in self._prepared:
            return self._prepared[bundle]
        manifest = read_manifest(folder, bundle, platform_key)
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
        with self._turns:
            return arm.model.predict(texts)

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


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def _open_session(path: Path, profile: Profile) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = profile.threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = profile.arena
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _open_tokenizer(path: Path, max_length: int) -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    tokenizer: Any = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return tokenizer
