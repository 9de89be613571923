"""The runtimes that serve a model on devices: which devices they suit, what memory they take."""

from __future__ import annotations

PROFILES_OF = {
    "onnx": (),
    "openvino": ("laptop", "server"),
    "executorch": ("phone",),
    "llamacpp": (),
}
"""The classes of device that a variant for a runtime is meant for; none means all."""
RUNTIME_MB = 128
"""What a runtime takes beside its model."""


def needed_memory_mb(model_bytes: int) -> int:
    """Megabytes that serving takes: twice the model (its file, and what is unpacked) + runtime."""
    return RUNTIME_MB + (2 * model_bytes >> 20)
