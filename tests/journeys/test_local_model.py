"""A real language model, the smallest there is: SmolLM2 on llama.cpp's own server, all on loopback.

What 135 million parameters plan is mostly nonsense. That is the point: it has the form of a plan,
because llama.cpp decodes under its schema, and whatever it says is refused or asked about.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from graphs.plan_draft import read_draft
from graphs.plan_prompt import instructions, retrieve
from graphs.plan_schema import plan_schema
from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames
from tests.journeys.people import Person
from tests.ui.homes import ROOT, Home
from tools.catalog import load_operations
from tools.kernel.assets import AssetMissing, asset_path
from tools.kernel.embedding import get_embedder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ODD = (
    "ponder our collection of labelled text",
    "whatever runs out there ought to be something nobler",
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a served SmolLM2."""
    try:
        asset_path("smollm2")
    except AssetMissing:
        if os.environ.get("CI"):
            raise
        pytest.skip("scripts/bootstrap.sh smollm2 fetches the model")
    command = [sys.executable, "-m", "ui.cli", "models", "serve", "smollm2", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def answer(url: str, system: str, text: str, schema: dict[str, Any], seed: int) -> dict[str, Any]:
    body = {
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": text}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "Plan", "schema": schema},
        },
        "max_tokens": 1024,
        "temperature": 0.8,
        "seed": seed,
    }
    given = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), given)
    with urllib.request.urlopen(asked, timeout=600) as response:
        return json.load(response)


def test_what_it_answers_has_the_form_of_a_plan(server: str) -> None:
    understanding = Understanding(load_operations(), get_embedder())
    names = FileNames({"model": ["ticket-router"], "dataset": ["tickets", "complaints"]})
    found = retrieve(ODD[0], understanding, names)
    schema = plan_schema(found.operations, found.names, ["trainer"])
    for seed in range(7, 13):  # so small a model may ramble inside a text, up to the limit
        told = answer(server, instructions(found), ODD[0], schema, seed)
        if told["choices"][0]["finish_reason"] == "stop":
            break
    else:
        pytest.fail("none of six answers came to its end")
    plan = json.loads(told["choices"][0]["message"]["content"])
    jsonschema.validate(plan, schema)
    assert read_draft(plan) is not None
    assert told["usage"]["completion_tokens"] > 0


def test_whatever_it_plans_changes_nothing_unasked(
    server: str, template_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(template_home, home)
    shutil.rmtree(home / "keys", ignore_errors=True)
    (home / "audit.head").unlink(missing_ok=True)
    person = Person(
        Home(home),
        PILOTHOUSE_MODEL="smollm2",
        PILOTHOUSE_MODEL_URL=server,
        PILOTHOUSE_MODEL_TIMEOUT="240",
    )
    try:
        used = 0
        for number, sentence in enumerate(ODD):
            told = person.runs("ask", sentence, "--thread", f"odd-{number}", code=None, timeout=400)
            assert told["error"] is None, told
            assert told["plan"]["use"]["calls"] in (1, 2), told
            used += told["plan"]["use"]["prompt_tokens"] + told["plan"]["use"]["answer_tokens"]
            assert {r["effect"] for r in told["receipts"]} <= {"read"}, told
        assert person.runs("status")["model_used"]["tokens"] == used > 100
        kept = person.runs("receipts")
        assert all(r["effect"] == "read" for r in kept), kept
    finally:
        person.leave()
