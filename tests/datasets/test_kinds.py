"""Datasets that teach answers, or which texts are alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.datasets.kinds import alike, conversation
from tools.datasets.service import DatasetService
from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.kernel.kernel import Kernel

Caller = Callable[..., Outcome]
CHAT = [{"role": "user", "content": "two and two"}, {"role": "assistant", "content": "four"}]


def write(path: Path, values: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"prompt": "capital of town {i}", "completion": "city {i}"}, "prompt_completion"),
        ({"instruction": "sum", "input": "{i} and 1", "output": "{i}1"}, "prompt_completion"),
        ({"question": "who is {i}", "answer": "{i}"}, "prompt_completion"),
        ({"anchor": "a {i}", "positive": "b {i}"}, "pairs"),
        ({"query": "a {i}", "positive": "b {i}", "negative": "c {i}"}, "triplets"),
        ({"text": "a text {i}", "label": "x", "answer": "y"}, "classification"),
    ],
)
def test_the_kind_follows_from_the_columns(
    call: Caller, tmp_path: Path, row: dict[str, str], kind: str
):
    values = [{k: v.replace("{i}", f"n{i}") for k, v in row.items()} for i in range(40)]
    added = call("datasets.add", path=str(write(tmp_path / "rows.jsonl", values)))
    profile = added.result.model_dump()["profile"]
    assert profile["kind"] == kind
    if kind != "classification":
        assert profile["splits"] == {"train": 32, "validation": 4, "test": 4}


@pytest.mark.parametrize(
    "chat",
    [
        CHAT,
        json.dumps(CHAT),
        [{"from": "human", "value": "two and two"}, {"from": "gpt", "value": "four"}],
        [{"role": "user", "content": [{"type": "text", "text": "two and two"}]}, CHAT[1]],
    ],
)
def test_chats_of_several_writings_become_one(
    kernel: Kernel, call: Caller, tmp_path: Path, chat: Any
):
    rows = [{"conversations": chat, "source": "x"}]
    call("datasets.add", path=str(write(tmp_path / "chats.jsonl", rows)))
    [row] = kernel.get(DatasetService).rows("default", "chats")
    assert conversation(row) == CHAT
    assert (row.text, row.extra["source"]) == ("two and two", "x")


def test_rows_give_conversations_and_texts_that_are_alike(
    kernel: Kernel, call: Caller, tmp_path: Path
):
    rows = [{"system": "Be brief.", "prompt": "two and two", "completion": "four"}]
    call("datasets.add", path=str(write(tmp_path / "brief.jsonl", rows)))
    [row] = kernel.get(DatasetService).rows("default", "brief")
    assert conversation(row) == [{"role": "system", "content": "Be brief."}, *CHAT]
    assert alike(row) == ("two and two", "four")


def test_bad_rows_are_named_and_nothing_is_added(call: Caller, tmp_path: Path):
    rows = [
        {"messages": CHAT},
        {"messages": CHAT[:1]},
        {"messages": [{"role": "wizard", "content": "x"}]},
        {"messages": []},
    ]
    with pytest.raises(InvalidInput) as caught:
        call("datasets.add", path=str(write(tmp_path / "bad.jsonl", rows)))
    for told in ("line 2", "line 3", "line 4", "known role", "assistant's answer"):
        assert told in str(caught.value)
    missing = [{"prompt": "x", "completion": ""}, {"prompt": "y", "completion": "z"}]
    with pytest.raises(InvalidInput, match="no completion at line 1"):
        call("datasets.add", path=str(write(tmp_path / "empty.jsonl", missing)))


def test_a_part_of_a_message_that_is_no_text_is_named_by_its_kind_and_line(
    call: Caller, tmp_path: Path
):
    picture = [{"type": "text", "text": "what is this"}, {"type": "image_url", "image_url": "x"}]
    rows = [{"messages": CHAT}, {"messages": [{"role": "user", "content": picture}, CHAT[1]]}]
    with pytest.raises(InvalidInput, match="part of type image_url; only text is learnt at line 2"):
        call("datasets.add", path=str(write(tmp_path / "seen.jsonl", rows)))


def test_a_classifier_is_not_trained_on_answers(call: Caller, tmp_path: Path):
    rows = [{"prompt": f"what is {i}", "completion": f"n{i}"} for i in range(40)]
    call("datasets.add", path=str(write(tmp_path / "qa.jsonl", rows)))
    with pytest.raises(InvalidInput, match="writes no answers"):
        call("training.start", dataset="qa", base_model="minilm")


def test_pairs_and_triplets_with_equal_sides_are_told_with_their_lines(
    call: Caller, tmp_path: Path
):
    pairs = [{"anchor": f"a {i}", "positive": f"b {i}"} for i in range(40)]
    pairs[4]["positive"] = "A 4!"
    added = call("datasets.add", path=str(write(tmp_path / "pairs.jsonl", pairs)))
    told = " ".join(added.result.model_dump()["profile"]["warnings"])
    assert "1 row has a positive equal to the anchor (line 5)" in told
    triplets = [{**pair, "negative": f"c {i}"} for i, pair in enumerate(pairs)]
    triplets[6]["negative"], triplets[8]["negative"] = "b 6", "a 8"
    added = call("datasets.add", path=str(write(tmp_path / "triplets.jsonl", triplets)))
    told = " ".join(added.result.model_dump()["profile"]["warnings"])
    assert "1 row has a negative equal to the positive (line 7)" in told
    assert "1 row has a negative equal to the anchor (line 9)" in told


def test_what_was_added_names_each_of_its_columns_once(call: Caller, tmp_path: Path):
    chats = [{"messages": [{"role": "user", "content": f"sum {i}"}, CHAT[1]]} for i in range(40)]
    says = call("datasets.add", path=str(write(tmp_path / "chats.jsonl", chats))).receipt.says
    assert "rows of chats ('messages'), read" in (says or "")
    three = [{"anchor": f"a {i}", "positive": f"b {i}", "negative": f"c {i}"} for i in range(40)]
    says = call("datasets.add", path=str(write(tmp_path / "three.jsonl", three))).receipt.says
    assert "('anchor', 'positive', 'negative')" in (says or "")
