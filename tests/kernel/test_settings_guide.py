"""docs/settings.md names every setting, with its default, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

from tools.kernel.settings import Settings

GUIDE = Path(__file__).parents[2] / "docs" / "settings.md"
OTHERS = {"PILOTHOUSE_ASSETS", "PILOTHOUSE_URL"}


def test_the_guide_has_every_setting_with_its_default_and_no_other():
    rows = re.findall(r"^\| `(PILOTHOUSE_\w+)`.*? \| (.*?) ?\| (.+) \|$", GUIDE.read_text(), re.M)
    told = {name: default.strip("`") for name, default, _ in rows}
    fields = Settings.model_fields
    assert told.keys() - OTHERS == {f"PILOTHOUSE_{name.upper()}" for name in fields}
    for name, info in fields.items():
        default = info.get_default(call_default_factory=True)
        if isinstance(default, str | int | float):
            shown = str(default).lower() if isinstance(default, bool) else str(default)
            assert told[f"PILOTHOUSE_{name.upper()}"] == shown
