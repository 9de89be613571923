"""`pilothouse router`: figures as JSON, errors as words and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphs.understanding.intent import Example, IntentRouter
from ui.cli import main


def _write(path: Path, examples: list[Example]) -> Path:
    rows = [json.dumps({"text": e.text, "label": e.label}) for e in examples]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_kept_router_answers_from_the_command_line(
    router: IntentRouter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    router.save(tmp_path / "kept")

    assert main(["router", "predict", str(tmp_path / "kept"), "play some music", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["label"] == "play_music"
    assert told["abstain"] is False


@pytest.mark.slow
def test_eval_prints_every_figure(
    examples: list[Example], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = str(_write(tmp_path / "rows.jsonl", examples))

    assert main(["router", "eval", "--train", rows, "--test", rows, "--frozen", "--json"]) == 0

    figures = json.loads(capsys.readouterr().out)
    promised = "accuracy macro_f1 oos_auroc oos_recall in_scope_accuracy_at_threshold ece p50_ms"
    promised += " p95_ms train_seconds model_bytes threshold rows"
    assert set(promised.split()) <= set(figures)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"text": "hello"}\n', "line 1 has no field `label`"),
        ('{"text": "a", "label": "x"}\n{"text": "b", "label": "x"}\n', "at least two labels"),
        ('{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n', "too few rows"),
    ],
)
def test_bad_rows_end_with_two_and_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, told: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(content)

    code = main(["router", "train", "--data", str(path), "--out", str(tmp_path / "out")])

    error = capsys.readouterr().err
    assert code == 2
    assert str(path) in error
    assert told in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()
