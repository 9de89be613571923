"""Signed bundles in a home, without a registry and a rollout."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from tests.support.classifier import LABELS, write_classifier
from tools.deployment.building import build
from tools.devices.fleet import Desired, Fleet
from tools.devices.keyring import Keyring
from tools.devices.types import ServedModel
from tools.kernel.kernel import Kernel


def put_bundle(
    kernel: Kernel, folder: Path, version: int, *, shift: int = 0, padding: int = 0
) -> ServedModel:
    """Build and sign a bundle of a tiny classifier, as a rollout would."""
    out = folder / f"built-{version}"
    spec = {
        "source": str(write_classifier(folder / f"source-{version}", shift=shift, padding=padding)),
        "out": str(out),
        "model": "router",
        "version": version,
        "labels": list(LABELS),
        "created": "2026-09-01T00:00:00+00:00",
    }
    build(spec)
    manifest = (out / "manifest.json").read_bytes()
    (out / "manifest.sig").write_bytes(Keyring(kernel).sign(manifest))
    sha256 = hashlib.sha256(manifest).hexdigest()
    shutil.move(out, kernel.settings.folder("bundles") / sha256)
    return ServedModel(model="router", version=version, bundle=sha256)


def want(
    kernel: Kernel,
    *models: ServedModel,
    devices: tuple[str, ...] = ("thinkpad-1",),
    stage: tuple[ServedModel, ...] = (),
) -> None:
    """Say what devices of the group `thinkpads` are to serve, and to have ready beside it."""
    wanted = {name: Desired(models, stage) for name in devices}
    told = kernel.get(Fleet).change_desired(
        "default", "thinkpads", wanted, "test", fence=lambda _: True
    )
    assert told is not None
