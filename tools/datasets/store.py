"""Dataset files under the home: `datasets/<sha256>/rows.jsonl`, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from tools.datasets.columns import OWN, Row, with_labels
from tools.kernel.canonical import canonical
from tools.kernel.errors import Unavailable

_STALE_SECONDS = 3600


def content_hash(rows: Iterable[Row], *, with_split: bool) -> str:
    """SHA-256 of the canonical rows in order; splits count where the source gave them."""
    digest = hashlib.sha256()
    for row in rows:
        value = {**row.extra, "text": row.text, "label": row.answer}
        if with_split:
            value["split"] = row.split
        digest.update(canonical(value).encode() + b"\n")
    return digest.hexdigest()


class DatasetStore:
    """The folder that holds the rows of every dataset version.

    Safe to use from several processes: a version appears by one rename.

    Args:
        root: the folder, made when missing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """The file with the rows of a version."""
        return self.root / sha256 / "rows.jsonl"

    def write(self, sha256: str, rows: Sequence[Row]) -> None:
        """Store the rows unless they are there.

        Raises:
            Unavailable: if they cannot be written; nothing is left behind.
        """
        if self.path(sha256).is_file():
            return
        staging = self.root / f".incoming-{uuid4().hex}"
        try:
            self._sweep()
            staging.mkdir(mode=0o700, parents=True)
            with (staging / "rows.jsonl").open("w", encoding="utf-8") as file:
                for row in rows:
                    value = {"text": row.text, "label": row.answer, "split": row.split, **row.extra}
                    file.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
                file.flush()
                os.fsync(file.fileno())
            self._publish(staging, self.root / sha256)
        except OSError as error:
            raise Unavailable(
                f"The dataset could not be stored in {self.root}: {error.strerror or error}.",
                hint="Nothing was added. Free some space and try again.",
            ) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _publish(self, staging: Path, target: Path) -> None:
        try:
            staging.rename(target)
        except OSError:
            if not (target / "rows.jsonl").is_file():
                raise

    def _sweep(self) -> None:
        for left in self.root.glob(".incoming-*"):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)

    def read(self, sha256: str) -> Iterator[Row]:
        """The stored rows in order.

        Raises:
            Unavailable: if the file is gone or damaged.
        """
        try:
            with self.path(sha256).open(encoding="utf-8") as file:
                for line in file:
                    value = json.loads(line)
                    extra = {k: v for k, v in value.items() if k not in OWN}
                    yield _row(value["text"], value["label"], value["split"], extra)
        except (OSError, ValueError, KeyError) as error:
            raise Unavailable(
                f"The stored rows {sha256[:12]} cannot be read.",
                hint="Add the dataset's file again.",
            ) from error

    def delete(self, sha256: str) -> None:
        """Remove the rows of a version; nothing happens if they are gone."""
        shutil.rmtree(self.root / sha256, ignore_errors=True)


def _row(text: str, label: str | list[str], split: str, extra: dict[str, Any]) -> Row:
    if isinstance(label, str):
        return Row(text, label, split, extra)
    return with_labels(text, label, split, extra)
