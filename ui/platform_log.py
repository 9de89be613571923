"""The platform's log: one rotated file, with secrets taken out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ui.home import LOG_BYTES, LOG_FILES

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_SECRET = re.compile(
    r"ph_[\w-]{16,}|(?<=[Bb]earer )[\w.~+/-]{8,}=*|sk-[\w-]{16,}"
    r"|(?<=token=)[^\s&\"']+|(?<=password=)[^\s&\"']+"
)
_QUIET = (
    "alembic",
    "autogen_core",
    "chromadb",
    "dbos",
    "httpcore",
    "httpx",
    "mcp",
    "mlflow",
    "uvicorn",
)


class Masking(logging.Formatter):
    """Formats a record, traceback included, with everything that looks like a secret masked."""

    def __init__(self, hidden: Sequence[str] = ()) -> None:
        super().__init__(FORMAT)
        self._hidden = tuple(hidden)

    def format(self, record: logging.LogRecord) -> str:
        """The line, masked."""
        text = _SECRET.sub("****", super().format(record))
        for secret in self._hidden:
            text = text.replace(secret, "****")
        return text


def configure_log(path: Path, level: str, foreground: bool, hidden: Sequence[str] = ()) -> None:
    """Send the process's log to a file.

    Args:
        path: the file; rotated at `LOG_BYTES`, `LOG_FILES` kept, mode 0600.
        level: of our own loggers; libraries log warnings only.
        foreground: True to write to the terminal too.
        hidden: strings that must never appear.
    """
    path.touch(mode=0o600, exist_ok=True)
    handlers: list[logging.Handler] = [
        RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    ]
    if foreground:
        handlers.append(logging.StreamHandler(sys.stderr))
    for handler in handlers:
        handler.setFormatter(Masking(hidden))
    logging.raiseExceptions = False  # a full disk must not flood the terminal
    logging.basicConfig(level=level.upper(), handlers=handlers, force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
