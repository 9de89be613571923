"""The peer's side of `benchmarks.routing`: semantic-router, in an environment of its own.

    python semantic_router_peer.py ENCODER_FOLDER mean|max < rows.json > answers.json

semantic-router cannot be installed beside what Pilothouse needs (it wants older clients of language
models), so that this file imports nothing of ours. It wraps the same int8 encoder in the library's
own `DenseEncoder`, routes as its documentation shows, and tells each answer with its milliseconds.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from semantic_router import Route
from semantic_router.encoders import DenseEncoder
from semantic_router.routers import IndexedRouter
from tokenizers import Tokenizer


class Int8MiniLM(DenseEncoder):
    """MiniLM in int8 ONNX on one thread: mean over the tokens, then unit length."""

    name: str = "minilm-int8"
    session: Any = None
    tokenizer: Any = None

    def __call__(self, docs: list[Any]) -> list[list[float]]:
        """The vectors of texts, one at a time."""
        return [self._vector(str(text)).tolist() for text in docs]

    def _vector(self, text: str) -> Any:
        ids = np.array([self.tokenizer.encode(text).ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        feed["token_type_ids"] = np.zeros_like(ids)
        mean = self.session.run(["last_hidden_state"], feed)[0][0].mean(axis=0)
        return mean / np.linalg.norm(mean)


def encoder(folder: Path) -> Int8MiniLM:
    """The encoder whose files lie in a folder."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    return Int8MiniLM(session=session, tokenizer=tokenizer)


def main() -> None:
    """Learn the routes, answer the sentences."""
    given = json.load(sys.stdin)
    routes = [Route(name=label, utterances=texts) for label, texts in given["routes"].items()]
    began = time.perf_counter()
    router = IndexedRouter(encoder(Path(sys.argv[1])), routes, aggregation=sys.argv[2])
    learnt = time.perf_counter() - began
    router("warm up")
    answers = []
    for text in given["sentences"]:
        began, used = time.perf_counter(), time.process_time()
        chosen = router(text)
        ms, cpu = (time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000
        answers.append({"label": getattr(chosen, "name", None), "ms": ms, "cpu_ms": cpu})
    json.dump({"learnt_s": learnt, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
