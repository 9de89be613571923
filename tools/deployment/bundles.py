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

from tools.deployment.chunks import chunks_of
from tools.deployment.tables import BundleRow
from tools.devices.fit import Variant
from tools.devices.keyring import Keyring
from tools.devices.types import Profile
from tools.kernel.child import child_main
from tools.kernel.errors import OperationFailed, PilothouseError, Unavailable

if TYPE_CHECKING:
    from edge.runtime import Prediction as _Labelled
    from tools.kernel.jobs import JobContext
    from tools.kernel.kernel import Kernel
    from tools.registry.backend import ModelVersionInfo

FILES = ("model.onnx", "tokenizer.json")
RUNTIME_MB = 128
GOLDEN = 6
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
_PROBES = (
    "I was charged twice for my last order and would like the money back.",
    "The app closes by itself whenever I open the settings page.",
    "How do I change the e-mail address of my account?",
    "My parcel was supposed to arrive on Monday and is still not here.",
    "Please cancel my subscription at the end of the month.",
    "I cannot log in, the password reset link never arrives!!",
    "Could you add a dark mode to the dashboard?",
    "Somebody signed in to my account from another country.",
    "the screen of the device i got is cracked",
    "Where can I download the invoice for March?",
    "Everything is slow since yesterday's update, pages take a minute.",
    "Just wanted to say thanks, the new release is great.",
)


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
        """The SHA-256 of the version's bundle, built if there is none yet.

        Raises:
            OperationFailed: the export failed.
        """
        known = self.known(version)
        if known is not None:
            return known.sha256
        out = job.workdir / "bundle"
        shutil.rmtree(out, ignore_errors=True)
        spec: dict[str, Any] = {
            "source": str(version.artifact),
            "out": str(out),
            "model": version.model,
            "version": version.version,
            "labels": list(version.labels),
            "created": version.created.isoformat(),
            "rows": self._held_out(version),
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
            return [(row.text, row.label) for row in rows[:MOST_ROWS]]
        return []

    def _keep(self, version: ModelVersionInfo, out: Path, built: dict[str, Any]) -> str:
        manifest = (out / "manifest.json").read_bytes()
        sha256 = hashlib.sha256(manifest).hexdigest()
        (out / "manifest.sig").write_bytes(self.sign(manifest))
        target = self.folder(sha256)
        self._kernel.settings.folder("bundles")
        if not self._is_whole(sha256):
            shutil.rmtree(target, ignore_errors=True)
            shutil.move(out, target)
        with self._kernel.database.session() as session:
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
        spec: `source` and `out` folders, `model`, `version`, `labels`, `created`.

    Returns:
        `size` of all files in bytes, `memory_mb`.

    Raises:
        OperationFailed: the version cannot be exported, or does not run once it is.
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
    if manifest["task"] == "classify":
        manifest |= measured(out, manifest, rows)
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True))
    size = sum(file["size"] for file in manifest["files"].values())
    return {"size": size, "memory_mb": manifest["memory_mb"]}


def _classifier(
    source: Path, out: Path, spec: dict[str, Any], texts: Sequence[str]
) -> dict[str, Any]:
    """Export a trained classifier; a version that is ONNX already is taken as it is."""
    _export(source, out, [*texts[:PROBES], *_PROBES])
    return {
        "task": "classify",
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
        "task": "chat" if chats else "classify",
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


def measured(
    folder: Path, manifest: dict[str, Any], rows: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Run the bundle on held-out rows: its accuracy with a floor, and its golden inputs.

    Args:
        folder: the bundle's files.
        manifest: what is known of it.
        rows: texts and their labels; without any, fixed sentences give the golden inputs.

    Returns:
        `golden`: the rows of which the model is surest, as many classes as can be. `metric`: the
        accuracy measured, and as its floor the lower end of its 99 % Wilson interval: a device that
        measures less on the same rows does not run the same model.

    Raises:
        OperationFailed: the model does not run.
    """
    from edge.errors import EdgeError
    from edge.profiles import PROFILES
    from edge.runtime import LoadedModel
    from edge.verify import BundleFile, Manifest

    shape = Manifest(
        model=manifest["model"],
        version=manifest["version"],
        runtime=manifest["runtime"],
        files={n: BundleFile(f["sha256"], f["size"]) for n, f in manifest["files"].items()},
        labels=tuple(manifest["labels"]),
        max_length=manifest["max_length"],
        golden=(),
        memory_mb=manifest["memory_mb"],
    )
    texts = [text for text, _ in rows] or list(_PROBES)
    try:
        found = LoadedModel(folder, shape, PROFILES["server"]).predict(texts)
    except (EdgeError, IndexError) as error:
        raise OperationFailed(f"The exported model does not run: {error}") from error
    ranked = sorted(zip(texts, found, strict=True), key=lambda pair: -pair[1].confidence)
    golden = [{"text": text, "label": p.label} for text, p in _spread(ranked)]
    if not rows:
        return {"golden": golden}
    right = sum(p.label == label for p, (_, label) in zip(found, rows, strict=True))
    metric = {
        "name": "accuracy",
        "value": round(right / len(rows), 4),
        "floor": round(_wilson_low(right, len(rows)), 4),
        "rows": len(rows),
    }
    return {"golden": golden, "metric": metric}


def _spread(ranked: Sequence[tuple[str, _Labelled]]) -> list[tuple[str, _Labelled]]:
    """The surest inputs, of different classes first."""
    seen: set[str] = set()
    first: list[tuple[str, _Labelled]] = []
    later: list[tuple[str, _Labelled]] = []
    for pair in ranked:
        (later if pair[1].label in seen else first).append(pair)
        seen.add(pair[1].label)
    return [*first, *later][:GOLDEN]


def _wilson_low(right: int, rows: int, z: float = 2.576) -> float:
    """The lower end of Wilson's interval of a share (Wilson 1927); z = 2.576 is 99 %."""
    share = right / rows
    middle = share + z * z / (2 * rows)
    half = z * ((share * (1 - share) + z * z / (4 * rows)) / rows) ** 0.5
    return max(0.0, (middle - half) / (1 + z * z / rows))


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {"sha256": digest, "size": path.stat().st_size, "chunks": chunks_of(path)}


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
