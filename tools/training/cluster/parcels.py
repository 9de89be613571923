"""Folders as bytes, so that hosts of a cluster need no file system in common."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory


def packed(folder: Path) -> bytes:
    """A folder's content; links are followed, since cached models consist of them."""
    parcel = io.BytesIO()
    with tarfile.open(fileobj=parcel, mode="w", dereference=True) as tar:
        tar.add(folder, arcname=".")
    return parcel.getvalue()


def unpacked(parcel: bytes, folder: Path) -> None:
    """Make a folder of a parcel; what leads outside of it is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(parcel)) as tar:
        tar.extractall(folder, filter="data")


def delivered(parcel: bytes, folder: Path) -> None:
    """Put the files and folders of a parcel into a folder, each in the place of an older one."""
    with TemporaryDirectory(dir=folder, prefix=".delivery-") as name:
        unpacked(parcel, Path(name))
        for made in sorted(Path(name).iterdir()):
            target = folder / made.name
            if target.is_dir():
                shutil.rmtree(target)
            made.replace(target)
