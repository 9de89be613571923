"""schemathesis, as somebody else would run it, finds no server error and no schema violation.

The gateway is a real one on a fresh home. Rules that no schema can hold (a file that must be
there) are answered with 422, so that `positive_data_acceptance` is left out.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.ui.gateway import OWNER_TOKEN, gateway

WAITING_FEEDS = ("/api/v1/events/{feed}", "/api/v1/jobs/{job}/events")
"""They end late or never, so that a client that reads answers whole would wait for ever."""
SETTINGS = """
[checks.negative_data_rejection]
expected-statuses = ["4xx", "5xx"]
"""
"""By itself it takes 413 for an acceptance, the answer to a body that is too long as a whole."""


@pytest.mark.slow
def test_no_server_error_and_no_schema_violation(template_home: Path, tmp_path: Path) -> None:
    _fuzz("owner", template_home, tmp_path, "--phases=fuzzing", "-n1", "--max-time=60")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("who", ["owner", "operator", "viewer"])
def test_none_is_found_in_minutes_either(who: str, template_home: Path, tmp_path: Path) -> None:
    _fuzz(who, template_home, tmp_path, "-n40", "--max-time=180")


def _legible(told: str) -> str:
    """The end of a report, its longest lines (whole bodies) cut."""
    return "\n".join(line[:500] for line in told.splitlines())[-12_000:]


def _fuzz(who: str, template: Path, folder: Path, *options: str) -> None:
    home = folder / "home"
    shutil.copytree(template, home)
    (folder / "schemathesis.toml").write_text(SETTINGS, "utf-8")
    rates: dict[str, Any] = {"requests_per_minute": 10**6, "address_requests_per_minute": 10**6}
    with gateway(home, **rates) as running:
        running.client().get("/openapi.json", timeout=120)  # made once; its reader waits 10 s
        token = OWNER_TOKEN if who == "owner" else running.add("fuzzer", who)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run"),
                f"{running.url}/openapi.json",
                *("--header", f"Authorization: Bearer {token}"),
                *("--seed", "7", "--request-timeout", "60", "--no-shrink", "--no-color"),
                *("--exclude-checks", "positive_data_acceptance"),
                *(part for path in WAITING_FEEDS for part in ("--exclude-path", path)),
                *("--continue-on-failure", *options),
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
        assert running.client().get("/readyz").status_code == 200
    assert done.returncode == 0, _legible(done.stdout) + done.stderr[-2000:]
    assert " passed" in done.stdout
