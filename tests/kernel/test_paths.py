"""What can be no path is refused as such by whatever takes one, never by a failing system call."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.kernel.errors import InvalidInput
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.paths import absolute

NO_PATHS = ["0" * 300, "a/" * 3000, "~nobody-of-that-name/x.csv", "a\0b", "\udc80\ud800"]


@pytest.mark.parametrize("text", NO_PATHS, ids=["name", "whole", "home", "nul", "surrogate"])
@pytest.mark.parametrize(
    ("operation", "field", "more"),
    [
        ("knowledge.ingest", "path", {}),
        ("datasets.add", "path", {"name": "mails"}),
        ("training.start", "base_model", {"dataset": "tickets"}),
    ],
)
def test_it_is_refused_as_no_path(
    kernel: Kernel, operation: str, field: str, more: dict[str, str], text: str
) -> None:
    context = RequestContext(kernel.principals.local())
    with pytest.raises(InvalidInput):
        kernel.gate.call(operation, {field: text, **more}, context)


def test_a_path_is_taken_as_it_is_typed(tmp_path: Path) -> None:
    assert absolute(f" '{tmp_path}/x y.csv' ") == tmp_path / "x y.csv"
    assert absolute("~/x.csv") == Path.home() / "x.csv"
