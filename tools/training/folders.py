"""Folders that appear whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of `target` when all went well.

    Raises:
        OSError: what the writing raised; nothing is left behind.
    """
    staging = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
    staging.mkdir(parents=True)
    try:
        yield staging
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
