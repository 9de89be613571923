"""A base whose tokenizer is a SentencePiece file alone is refused with what makes it usable."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome

Caller = Callable[..., Outcome]
SENTENCEPIECE = b"\n\x0e\n\x05<unk>\x15\x00\x00\x00\x00\x18\x02"
TIKTOKEN = b"IQ== 0\nIg== 1\n"


def base(folder: Path, tokenizer: bytes, kind: str) -> str:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "tokenizer.model").write_bytes(tokenizer)
    return str(folder)


@pytest.fixture
def asked(call: Caller, tmp_path: Path) -> str:
    rows = [{"prompt": f"what is {i} and {i * 7}", "completion": str(i * 8)} for i in range(60)]
    path = tmp_path / "asked.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return call("datasets.add", path=str(path)).result.model_dump()["name"]


@pytest.mark.parametrize(("dataset", "kind"), [("asked", "llama"), ("tickets", "bert")])
def test_a_sentencepiece_file_alone_is_refused_with_the_commands_that_convert_it(
    call: Caller, asked: str, tmp_path: Path, dataset: str, kind: str
):
    folder = base(tmp_path / "my base", SENTENCEPIECE, kind)
    with pytest.raises(InvalidInput, match=r"tokenizer.model \(SentencePiece\) alone") as caught:
        call("training.estimate", dataset=dataset, base_model=folder)
    hint = str(caught.value.hint)
    assert f"cd '{folder}' && " in hint
    assert "pip install transformers sentencepiece protobuf" in hint
    assert 'T.from_pretrained(".").save_pretrained(".")' in hint


def test_another_file_of_that_name_is_not_taken_for_one(call: Caller, tmp_path: Path):
    folder = base(tmp_path / "base", TIKTOKEN, "bert")
    with pytest.raises(InvalidInput, match=r"no model folder: tokenizer.json missing"):
        call("training.estimate", dataset="tickets", base_model=folder)
