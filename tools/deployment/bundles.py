"""Bundles: a model version as devices take it, content-addressed and signed.

A bundle is a folder `home/bundles/<sha>` with `manifest.json`, `manifest.sig` and the files that
its runtime needs (`model.onnx` and `tokenizer.json` for a classifier in ONNX Runtime); `<sha>` is
the SHA-256 of the manifest. The manifest holds the SHA-256 of every file and of every chunk of it
(a device fetches only chunks that it does not have), the runtime, the profiles, inputs and outputs,
the label map, what was measured on held-out rows and the floor that it had to reach, the memory
that it needs, and golden inputs with their outputs. The signature is Ed25519 over
`pilothouse-bundle-v1\n` and the manifest, in base64. Building runs in a child process
(`python -m tools.deployment.bundles`), which never sees the signing key.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from edge.files import sha256_of
from tools.deployment.chunks import chunks_of
from tools.deployment.measuring import PROBE_TEXTS, measured
from tools.deployment.tables import BundleRow
from tools.devices.fit import Variant
from tools.devices.keyring import Keyring
from tools.devices.types import Profile
from tools.kernel.child import child_main
from tools.kernel.errors import OperationFailed, PilothouseError, Unavailable

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.kernel.jobs import JobContext
    from tools.kernel.kernel import Kernel
    from tools.registry.backend import ModelVersionInfo

FILES = ("model.onnx", "tokenizer.json")
RUNTIME_MB = 128
PROBES = 100
MOST_ROWS = 200
PROFILES_OF = {
    "onnx": (),
    "openvino": ("laptop", "server"),
    "executorch": ("phone",),
    "llamacpp": (),
}
"""The classes of device that a variant for a runtime is meant for; none means all."""
_NOT_SERVED = ("variant.json", "labels.json", "config.json", "classifier.json")
LEAST_AGREEMENT = 0.7


class Bundles:
    """Builds, signs and keeps bundles; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def folder(self, sha256: str) -> Path:
        """Where a bundle's files lie."""
        return self._kernel.settings.home / "bundles" / sha256

    def known(self, version: ModelVersionInfo) -> BundleRow | None:
        """The bundle that was built from this version before, if all of it is still there."""
        with self._kernel.database.session() as session:
            row = session.scalar(
                select(BundleRow).where(
                    BundleRow.tenant == version.tenant,
                    BundleRow.model == version.model,
                    BundleRow.version == version.version,
                    BundleRow.source == version.content_hash,
                )
            )
        return row if row is not None and self._is_whole(row.sha256) else None

    def ensure(self, version: ModelVersionInfo, job: JobContext) -> str:
        """The SHA-256 of the version's bundle, built if there is none yet, or it was altered.

        Raises:
            OperationFailed: the export failed.
        """
        known = self.known(version)
        if known is not None and self._is_unaltered(known.sha256):
            return known.sha256
        out = job.workdir / "bundle"
        shutil.rmtree(out, ignore_errors=True)
        rows = self._held_out(version)
        spec: dict[str, Any] = {
            "source": str(version.artifact),
            "out": str(out),
            "model": version.model,
            "version": version.version,
            "labels": list(version.labels),
            "created": version.created.isoformat(),
            "rows": rows,
            "further": self._further(version, len(rows)),
            "registered": self._registered(version),
        }
        built = job.child("tools.deployment.bundles", spec)
        try:
            return self._keep(version, out, built)
        except OSError as error:
            raise Unavailable(
                f"The bundle cannot be stored: {error.strerror}.", hint="Free some disk space."
            ) from error

    def sign(self, manifest: bytes) -> bytes:
        """The home's signature of a manifest, as `manifest.sig` holds it."""
        return Keyring(self._kernel).sign(manifest)

    def _held_out(self, version: ModelVersionInfo) -> list[tuple[str, str]]:
        """Rows that the version was not trained on, as text and label; none if its data is gone."""
        from tools.datasets.service import DatasetService

        if version.dataset is None:
            return []
        datasets = self._kernel.get(DatasetService)
        for split in ("test", "validation"):
            try:
                rows = datasets.rows(version.tenant, version.dataset, split)
            except PilothouseError:
                continue
            return [(row.text, _answer(row)) for row in rows[:MOST_ROWS]]
        return []

    def _further(self, version: ModelVersionInfo, known: int) -> list[str]:
        """Texts of the validation split, where the others are few, to tell where texts lie."""
        from tools.datasets.service import DatasetService

        if not 0 < known < MOST_ROWS or version.dataset is None:
            return []
        try:
            rows = self._kernel.get(DatasetService).rows(
                version.tenant, version.dataset, "validation"
            )
        except PilothouseError:
            return []
        return [row.text for row in rows[: MOST_ROWS - known]]

    def _registered(self, version: ModelVersionInfo) -> tuple[float, int] | None:
        """The accuracy that was measured when a version was made, and on how many rows."""
        from tools.datasets.service import DatasetService
        from tools.training.optimizing.versions import HELD_OUT_ROWS

        known = version.lineage.metrics
        found = next((known[n] for n in ("accuracy", "validation_accuracy") if n in known), None)
        if found is not None and known.get(HELD_OUT_ROWS, 0) >= 1:
            return found, int(known[HELD_OUT_ROWS])  # a variant's, which the test split measured
        if found is None or version.dataset is None:
            return None
        try:
            rows = self._kernel.get(DatasetService).rows(
                version.tenant, version.dataset, "validation"
            )
        except PilothouseError:
            return None
        return (found, len(rows)) if rows else None

    def _keep(self, version: ModelVersionInfo, out: Path, built: dict[str, Any]) -> str:
        manifest = (out / "manifest.json").read_bytes()
        sha256 = hashlib.sha256(manifest).hexdigest()
        (out / "manifest.sig").write_bytes(self.sign(manifest))
        target = self.folder(sha256)
        self._kernel.settings.folder("bundles")
        if not (self._is_whole(sha256) and self._is_unaltered(sha256)):
            shutil.rmtree(target, ignore_errors=True)
            shutil.move(out, target)
        if places := built.get("places"):
            self._told(version, places)
        with self._kernel.database.writing() as session:
            key = {
                "tenant": version.tenant,
                "model": version.model,
                "version": version.version,
                "source": version.content_hash,
            }
            row = session.scalar(select(BundleRow).filter_by(**key)) or BundleRow(**key)
            row.sha256, row.size, row.memory_mb = sha256, built["size"], built["memory_mb"]
            session.add(row)
        return sha256

    def _told(self, version: ModelVersionInfo, places: list[int]) -> None:
        """Keep where held-out texts lie beside the version's profile, which drift looks at."""
        from tools.evaluation.drift_types import PLACES_OF, Whereabouts
        from tools.evaluation.reports import ReportStore

        told = Whereabouts(places=places)
        reports, key = ReportStore(self._kernel), version.content_hash
        reports.add(PLACES_OF, key, version.tenant, version.model, version.version, told)

    def _is_unaltered(self, sha256: str) -> bool:
        """True if every file of a whole bundle is what its manifest says; reads all of it."""
        folder = self.folder(sha256)
        files: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())["files"]
        return all(sha256_of(folder / n) == f["sha256"] for n, f in files.items())

    def _is_whole(self, sha256: str) -> bool:
        folder = self.folder(sha256)
        try:
            manifest = (folder / "manifest.json").read_bytes()
            files: dict[str, Any] = json.loads(manifest)["files"]
            return (
                hashlib.sha256(manifest).hexdigest() == sha256
                and (folder / "manifest.sig").is_file()
                and all((folder / n).stat().st_size == f["size"] for n, f in files.items())
            )
        except (OSError, ValueError, KeyError):
            return False


def variant_of(version: ModelVersionInfo, size: int, memory_mb: int) -> Variant:
    """The form in which devices would get a version.

    Args:
        version: what a training wrote, or a variant of it.
        size: of its bundle, in bytes.
        memory_mb: what serving it takes.
    """
    name = version.lineage.variant or "onnx-int8"
    name_of_runtime = name.replace("gguf-", "llamacpp-")
    runtime = next((r for r in PROFILES_OF if name_of_runtime.startswith(r)), "onnx")
    profiles = tuple(Profile(p) for p in PROFILES_OF[runtime])
    return Variant(name, runtime, size, memory_mb, profiles)


def needed_memory_mb(model_bytes: int) -> int:
    """Megabytes that serving takes: twice the model (its file, and what is unpacked) + runtime."""
    return RUNTIME_MB + (2 * model_bytes >> 20)


def build(spec: dict[str, Any]) -> dict[str, Any]:
    """For the child: export a version and write its manifest.

    Args:
        spec: `source` and `out` folders, `model`, `version`, `labels`, `created`; if known,
            held-out `rows`, `further` texts, and the accuracy `registered` of the version with its
            rows.

    Returns:
        `size` of all files in bytes, `memory_mb`, `places`: where held-out texts lie, or None.

    Raises:
        OperationFailed: the version cannot be exported, or once it is does not run or answers
            worse than was registered.
    """
    source, out = Path(spec["source"]), Path(spec["out"])
    rows: list[tuple[str, str]] = [(text, label) for text, label in spec.get("rows", [])]
    manifest = _variant(source, out) or _classifier(source, out, spec, [text for text, _ in rows])
    manifest |= {
        "format": 2,
        "model": spec["model"],
        "version": spec["version"],
        "created": spec["created"],
        "files": {name: _described(out / name) for name in sorted(manifest["files"])},
        "golden": [],
    }
    if manifest["task"] != "chat":
        # Rightly answered and micro F1 of several labels are different things.
        registered = spec.get("registered") if manifest["task"] == "classify" else None
        manifest |= measured(out, manifest, rows, registered, spec.get("further", ()))
    places = manifest.pop("places", None)
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True))
    size = sum(file["size"] for file in manifest["files"].values())
    return {"size": size, "memory_mb": manifest["memory_mb"], "places": places}


def _classifier(
    source: Path, out: Path, spec: dict[str, Any], texts: Sequence[str]
) -> dict[str, Any]:
    """Export a trained classifier; a version that is ONNX already is taken as it is."""
    _export(source, out, [*texts[:PROBES], *PROBE_TEXTS])
    return {
        "task": _task(source),
        "runtime": "onnx",
        "profiles": [],
        "files": FILES,
        "labels": spec["labels"] or _labels(source),
        "max_length": _max_length(source),
        "memory_mb": needed_memory_mb((out / "model.onnx").stat().st_size),
        **_shapes(out / "model.onnx"),
    }


def _variant(source: Path, out: Path) -> dict[str, Any] | None:
    """A variant of a model that devices run as it is; None for anything else."""
    told = _read(source / "variant.json")
    if told.get("runtime") not in PROFILES_OF:
        return None  # what torch runs is exported as any trained classifier is
    out.mkdir(parents=True)
    chats = told["kind"] == "language-model"
    kept = [n for n in told["files"] if n not in _NOT_SERVED]
    for name in kept:
        shutil.copyfile(source / name, out / name)
    return {
        "task": "chat" if chats else _task(source),
        "runtime": told["runtime"],
        "profiles": list(PROFILES_OF[told["runtime"]]),
        "files": kept,
        "labels": told["labels"],
        "max_length": told["max_length"],
        "memory_mb": RUNTIME_MB + int(told["memory_mb"] or 2 * (told["size_bytes"] >> 20)),
        "inputs": told["inputs"],
        "outputs": told["outputs"],
    }


def _shapes(model: Path) -> dict[str, Any]:
    """Names, types and shapes of an ONNX model's inputs and outputs."""
    import onnxruntime

    session: Any = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])

    def told(nodes: Any) -> list[dict[str, Any]]:
        return [{"name": n.name, "dtype": n.type, "shape": list(n.shape)} for n in nodes]

    return {"inputs": told(session.get_inputs()), "outputs": told(session.get_outputs())}


def _export(source: Path, out: Path, texts: Sequence[str]) -> None:
    if all((source / name).is_file() for name in FILES):
        out.mkdir(parents=True)
        for name in FILES:
            shutil.copyfile(source / name, out / name)
        return
    from tools.training.export import export_onnx

    exported = export_onnx(source, out / "model.onnx", texts)
    if exported.agreement < LEAST_AGREEMENT:
        raise OperationFailed(
            f"The int8 model labels only {exported.agreement:.0%} of {exported.texts} probes like "
            "the trained one.",
            hint="Quantisation harmed it; evaluate it, and train it longer.",
        )
    shutil.copyfile(source / "tokenizer.json", out / "tokenizer.json")


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {"sha256": digest, "size": path.stat().st_size, "chunks": chunks_of(path)}


def _answer(row: Row) -> str:
    """The label as a device says it: several of them joined, in their order."""
    return row.label if row.labels is None else ", ".join(sorted(row.labels))


def _task(source: Path) -> str:
    several = _read(source / "classifier.json").get("task") == "multilabel"
    return "classify_several" if several else "classify"


def _labels(source: Path) -> list[str]:
    labels: dict[str, str] = _read(source / "config.json").get("id2label", {})
    if not labels:
        raise OperationFailed("The version does not say which labels its outputs stand for.")
    return [labels[key] for key in sorted(labels, key=int)]


def _max_length(source: Path) -> int:
    return min(int(_read(source / "classifier.json").get("max_length", 128)), 512)


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


if __name__ == "__main__":
    child_main(build)
