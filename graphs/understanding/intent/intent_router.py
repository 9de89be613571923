"""The router: train it on labelled sentences, keep it in a folder, ask it what a sentence means."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from graphs.understanding.intent.examples import Example
    from graphs.understanding.intent.learning import Report
    from graphs.understanding.intent.parts import Learnt

FORMAT = 4
_FACTS = "router.json"
_ENCODER = "encoder.onnx"
_TOKENIZER = "tokenizer.json"
_HEADS = "heads.npz"
_FILES = frozenset({_FACTS, _ENCODER, _TOKENIZER, _HEADS})


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a sentence means.

    Attributes:
        label: the likeliest intent.
        probability: that it is meant, if the sentence is in scope at all.
        abstain: True if the sentence does not look like any that was learnt from.
        score: how much it looks like them; `abstain` compares it with the router's threshold.
    """

    label: str
    probability: float
    abstain: bool
    score: float


class IntentRouter:
    """Made by `train` or `load`; afterwards only read, so that threads may share it.

    Args:
        parts: what was learnt.
        facts: how it was learnt: `rows`, `seed`, `steps`, `train_seconds`, `train_cpu_seconds`.
    """

    def __init__(self, parts: Learnt, facts: dict[str, Any]) -> None:
        self._parts = parts
        self.facts = facts

    @classmethod
    def train(
        cls,
        examples: Sequence[Example],
        *,
        seed: int = 0,
        steps: int | None = None,
        threads: int | None = None,
        report: Report = lambda line: None,
    ) -> IntentRouter:
        """Learn from labelled sentences; the same sentences and seed give the same router.

        Args:
            examples: two or more labels; of one label at least two different rows, better five
                or more of each.
            seed: of every random choice.
            steps: gradient steps of the encoder; what fits the number of rows when not given, and
                0 leaves the encoder as it is.
            threads: for the tuning; two when not given, or what OMP_NUM_THREADS says.
            report: receives a line a step.

        Raises:
            InvalidInput: if the sentences are too few or have one label.
            AssetMissing: if the encoder has not been fetched.
        """
        # Threads that spin while they wait take the cores from each other on a busy machine. Only
        # heeded if torch has not been imported before.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        from graphs.understanding.intent.learning import learn

        began, worked = time.perf_counter(), time.process_time()
        wanted = threads or _threads()
        parts = learn(examples, seed, steps=steps, threads=wanted, report=report)
        facts = {
            "rows": len(examples),
            "seed": seed,
            "steps": parts.steps,
            "train_seconds": round(time.perf_counter() - began, 2),
            "train_cpu_seconds": round(time.process_time() - worked, 2),
        }
        return cls(parts, facts)

    @property
    def labels(self) -> tuple[str, ...]:
        """Every intent it knows."""
        return self._parts.labels

    @property
    def threshold(self) -> float:
        """The score under which it abstains."""
        return self._parts.calibration.threshold

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """What each text means; an answer depends on its own text alone."""
        return [self._predict(text) for text in texts]

    def _predict(self, text: str) -> Prediction:
        from graphs.understanding.intent.confidence import score

        parts = self._parts
        opinion = parts.heads.judge(parts.encoder.embed_one(text), parts.words.outputs([text]))
        chances = parts.calibration.probabilities(opinion)[0]
        best = int(chances.argmax())
        sure = float(score(opinion)[0])
        return Prediction(self.labels[best], float(chances[best]), sure < self.threshold, sure)

    def save(self, folder: Path) -> None:
        """Write the router's folder, whole or not at all; an older router there is replaced.

        Raises:
            InvalidInput: if the folder holds something else, or cannot be written.
        """
        check_target(folder)
        staging = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.new")
        try:
            staging.mkdir(parents=True)
            self._write(staging)
            shutil.rmtree(folder, ignore_errors=True)
            staging.rename(folder)
        except OSError as error:
            reason = error.strerror or error
            raise InvalidInput(f"{folder} cannot be written: {reason}.") from None
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _write(self, folder: Path) -> None:
        import numpy as np

        parts = self._parts
        facts = {
            "format": FORMAT,
            "labels": list(parts.labels),
            "calibration": asdict(parts.calibration),
            "named": parts.named,
            "facts": self.facts,
        }
        (folder / _FACTS).write_text(
            json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8"
        )
        (folder / _ENCODER).write_bytes(parts.encoder.model)
        (folder / _TOKENIZER).write_text(parts.encoder.tokenizer, "utf-8")
        np.savez(folder / _HEADS, **self._judges())

    def _judges(self) -> dict[str, Any]:
        return self._parts.heads.arrays() | self._parts.words.arrays()

    @classmethod
    def load(cls, folder: Path) -> IntentRouter:
        """A router that `save` wrote.

        Raises:
            InvalidInput: if the folder holds no router, or not a whole one.
        """
        import numpy as np

        from graphs.understanding.intent.confidence import Calibration
        from graphs.understanding.intent.heads import Heads
        from graphs.understanding.intent.onnx_encoder import OnnxEncoder
        from graphs.understanding.intent.parts import Learnt
        from graphs.understanding.intent.words import Words

        missing = sorted(name for name in _FILES if not (folder / name).is_file())
        if missing:
            raise InvalidInput(
                f"{folder} holds no router: {missing[0]} is missing.",
                hint="Make one with `pilothouse router train --data FILE.jsonl --out DIR`.",
            )
        try:
            facts = json.loads((folder / _FACTS).read_text("utf-8"))
            if facts["format"] != FORMAT:
                raise InvalidInput(f"{folder} was written by another version of the router.")
            with np.load(folder / _HEADS, allow_pickle=False) as arrays:
                heads, words = Heads(arrays), Words(arrays)
            calibration = Calibration(**facts["calibration"])
            labels = tuple(facts["labels"])
            named, told = facts["named"], facts["facts"]
            steps = int(told["steps"])
            model = (folder / _ENCODER).read_bytes()
            tokenizer = (folder / _TOKENIZER).read_text("utf-8")
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise InvalidInput(f"The router in {folder} is damaged: {error}.") from None
        encoder = OnnxEncoder(model, tokenizer)
        return cls(Learnt(labels, encoder, heads, words, calibration, steps, named), told)

    def size(self) -> int:
        """Bytes that it takes on disk, within a kilobyte or two."""
        arrays = self._judges().values()
        encoder = self._parts.encoder
        return len(encoder.model) + len(encoder.tokenizer.encode()) + sum(a.nbytes for a in arrays)


def check_target(folder: Path) -> None:
    """Whether a router may be written there; asked before a long training.

    Raises:
        InvalidInput: if something else than a router is there.
    """
    if folder.is_dir():
        others = sorted(p.name for p in folder.iterdir() if p.name not in _FILES)
        if others:
            raise InvalidInput(
                f"{folder} holds other files ({others[0]}).", hint="Name a new or empty folder."
            )
    elif folder.exists():
        raise InvalidInput(f"{folder} is a file.", hint="Name a new or empty folder.")


def _threads() -> int:
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdigit() and int(told) > 0 else min(2, os.cpu_count() or 1)
