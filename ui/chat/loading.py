"""Loading Chainlit: its folder in the home, its settings, and only then its modules.

It takes seconds and is done at the first visit, in a thread. Everything that Chainlit writes stays
in `chat/` under the home, which only the owner may read.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

from ui.chat.page import ABOUT, NAME

PUBLIC = Path(__file__).with_name("public")
ROOT = "/chat"
MAX_FILE_MB = 50
MAX_FILES = 5
_ENDINGS = '".jsonl", ".ndjson", ".parquet", ".pq", ".tsv", ".md", ".rst"'
"""Of files for which browsers know no type."""
_CONFIG = f"""
[project]
session_timeout = 3600
user_session_timeout = 900
allow_origins = []

[features]
unsafe_allow_html = false
latex = false
user_message_markdown = false
edit_message = false
allow_thread_sharing = false

[features.spontaneous_file_upload]
enabled = true
accept = {{ "text/*" = [], "application/*" = [], "application/octet-stream" = [{_ENDINGS}] }}
max_files = {MAX_FILES}
max_size_mb = {MAX_FILE_MB}

[features.mcp]
enabled = false

[UI]
name = "{NAME}"
description = "{ABOUT}"
language = "en-US"
cot = "full"
confirm_new_chat = false
default_sidebar_state = "open"

[meta]
generated_by = "2.12.0"
"""
_WORDS: dict[str, dict[str, Any]] = {
    "chat": {
        "input": {
            "placeholder": "Say what you want in your own words…",
            "actions": {"stop": "Stop", "send": "Send", "attachFiles": "Attach files"},
        },
        "watermark": "What is done has a receipt. Nothing dangerous happens without an approval.",
        "messages": {
            "feedback": {
                "positive": "That was right",
                "negative": "That was wrong",
                "dialog": {
                    "title": "What should it have been?",
                    "submit": "Keep it",
                    "yourFeedback": "This was wrong, I meant …",
                },
            }
        },
    },
    "threadHistory": {
        "sidebar": {"title": "Conversations", "empty": "Nothing was said yet"},
        "thread": {
            "actions": {
                "delete": {
                    "title": "Erase this conversation?",
                    "description": "What was said, planned and answered is erased. "
                    "Receipts and the audit stay: they tell of acts.",
                    "success": "Erased",
                    "inProgress": "Erasing",
                }
            }
        },
    },
    "navigation": {"header": {"readme": "Help"}},
}
_HELP = """# What you can say

Say what you want in your own words, for example:

- *which datasets are there?*
- *how long would it take to train a ticket router on the bundled tickets?*
- *train a ticket router on the bundled tickets, then evaluate it on the held-out split*
- *register it and make it the challenger*
- *roll it out to the thinkpads as a canary*
- *what does the runbook say about rolling back a model?*
- *undo it*

Reading never asks. Writing asks once. What is dangerous waits for an approval, which can be given
here, in the terminal, over REST or from an IDE. While a job runs you can go on talking.

Drop a data set (JSONL, CSV, TSV, Parquet) or documents (Markdown, text, HTML) into the
conversation: they are checked and shown to you before anything is stored.

If an answer was wrong, say *that was wrong, I meant …*, or use the thumb below it.
"""


def prepare(home: Path) -> Path:
    """Write Chainlit's folder anew; returns it."""
    root = home / "chat"
    for part in (root, root / ".chainlit" / "translations"):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(root / "public", ignore_errors=True)
    shutil.rmtree(root / ".files", ignore_errors=True)  # of sessions that are over
    shutil.copytree(PUBLIC, root / "public")
    (root / ".chainlit" / "config.toml").write_text(_CONFIG, encoding="utf-8")
    (root / "chainlit_en-US.md").write_text(_HELP, encoding="utf-8")
    return root


def load(home: Path) -> ModuleType:
    """Import Chainlit with its folder in the home; returns its server module."""
    root = prepare(home)
    os.environ["CHAINLIT_APP_ROOT"] = str(root)
    os.environ["CHAINLIT_ENV_FILE"] = os.devnull
    os.environ["CHAINLIT_ROOT_PATH"] = ROOT
    os.environ["CHAINLIT_AUTH_SECRET"] = secrets.token_urlsafe(48)
    os.environ["CHAINLIT_CUSTOM_AUTH"] = "true"
    from chainlit import server
    from chainlit.config import TRANSLATIONS_DIR

    logging.getLogger("chainlit").setLevel(logging.WARNING)
    given = json.loads((Path(TRANSLATIONS_DIR) / "en-US.json").read_text(encoding="utf-8"))
    target = root / ".chainlit" / "translations" / "en-US.json"
    target.write_text(json.dumps(_merged(given, _WORDS)), encoding="utf-8")
    return server


def _merged(given: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(given)
    for key, value in over.items():
        known: Any = merged.get(key)
        both = isinstance(known, dict) and isinstance(value, dict)
        merged[key] = _merged(known, value) if both else value
    return merged
