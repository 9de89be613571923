"""The domains of the platform, and the one place that loads their operations."""

from __future__ import annotations

from importlib import import_module

from tools.kernel.operations import OPERATIONS, OperationSet

DOMAINS = (
    "datasets",
    "training",
    "registry",
    "evaluation",
    "devices",
    "deployment",
    "knowledge",
    "reporting",
    "schedules",
    "platform",
)


def load_operations() -> OperationSet:
    """Import every domain's `operations` module (cheap: no backend is imported) and return all."""
    for domain in DOMAINS:
        import_module(f"tools.{domain}.operations")
    return OPERATIONS
