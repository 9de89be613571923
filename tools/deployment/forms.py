"""The forms in which devices can have a version, and which of them suits each device.

The version's own form is the classifier exported to int8 ONNX, which runs everywhere. Variants of
it that `training.optimize` registered for another runtime (OpenVINO for laptops and servers,
ExecuTorch for phones, GGUF for language models) go to the devices of the class that they suit.
Devices count all of them as the version that they are a form of. A variant that is rolled out by
its own number goes to every device as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tools.deployment.bundles import Bundles
from tools.deployment.runtimes import PROFILES_OF, needed_memory_mb
from tools.devices.fit import FleetFit, Variant, fit
from tools.devices.types import Profile
from tools.kernel.errors import Conflict
from tools.training.similarity.embedder import is_embedding

if TYPE_CHECKING:
    from tools.devices.fleet import Device
    from tools.kernel.kernel import Kernel
    from tools.registry.backend import ModelVersionInfo

USUAL_BYTES = 25 << 20
"""Size of an int8 bundle; an adapter alone says little about it, full fp32 weights are thrice."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a version.

    Attributes:
        variant: its name, runtime, size and memory, as devices are fitted with it.
        source: the registered files that its bundle is made of, under the version's number.
        registered: the number under which those files are registered.
    """

    variant: Variant
    source: ModelVersionInfo
    registered: int


class Forms:
    """Knows what forms there are; reads only.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def of(self, version: ModelVersionInfo) -> dict[str, Form]:
        """The forms of a version by name, its own first.

        Raises:
            Conflict: no device could run any.
        """
        own = [] if _only_as_variant(version) else [self._form(version, version)]
        runtimes = {form.variant.runtime for form in own}
        made = [self._form(version, found) for found in self._variants(version)]
        others = [form for form in made if form.variant.runtime not in runtimes]
        if not own and not others:
            raise Conflict(
                f"Devices run a language model as GGUF, and {version} has no such variant.",
                hint="Make one with `training.optimize`.",
            )
        return {form.variant.name: form for form in (*own, *others)}

    def _variants(self, version: ModelVersionInfo) -> list[ModelVersionInfo]:
        from tools.registry.service import RegistryService

        if version.lineage.variant is not None:
            return []
        known = self._kernel.get(RegistryService).backend.versions(version.tenant, version.model)
        return [v for v in known if v.lineage.parent == version.version and not v.archived]

    def _form(self, version: ModelVersionInfo, found: ModelVersionInfo) -> Form:
        source = replace(found, version=version.version)
        bundle = self._kernel.get(Bundles).known(source)
        whole = found.lineage.size_bytes
        size = whole if found.lineage.variant else max(whole // 3, USUAL_BYTES)
        memory = needed_memory_mb(size)
        if bundle is not None:
            size, memory = bundle.size, bundle.memory_mb
        return Form(_variant(found, size, memory), source, found.version)


def refuse_unserved(version: ModelVersionInfo) -> None:
    """Refuse a version that no device serves in any form.

    Raises:
        Conflict: it is an embedding, or a variant of one.
    """
    if is_embedding(version.artifact):
        raise Conflict(
            f"Devices answer with labels or in chats, and {version} is an embedding, which answers "
            "with vectors.",
            hint="Load it in a program of your own; docs/shrinking.md shows how.",
        )


def fitted(devices: Sequence[Device], forms: Mapping[str, Form]) -> FleetFit:
    """Which form suits each device, and which devices none does."""
    return fit(devices, [form.variant for form in forms.values()])


def kept(forms: Mapping[str, Form], held: Mapping[str, int]) -> dict[str, Form]:
    """Those forms that there were when a rollout began which is gone on from.

    Args:
        forms: what there is now.
        held: names and numbers of what there was; what it brought to its canaries was judged.
    """
    found = {n: f for n, f in forms.items() if held.get(n) == f.registered}
    # One that began before forms were noted brought every device the first of them.
    return found or dict([*forms.items()][:1])


def _only_as_variant(version: ModelVersionInfo) -> bool:
    """True of a trained language model: what its training wrote is nothing that devices run."""
    return version.lineage.variant is None and (version.artifact / "language.json").is_file()


def _variant(version: ModelVersionInfo, size: int, memory_mb: int) -> Variant:
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
