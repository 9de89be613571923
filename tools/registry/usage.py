"""Who uses a model version: domains that serve models say so here, and the registry asks first.

@usage_source
def _(kernel: Kernel, tenant: str, model: str, version: int) -> Sequence[str]:
    return ["thinkpad-1 serves it"]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

Source = Callable[["Kernel", str, str, int], Sequence[str]]
_SOURCES: list[Source] = []


def usage_source(source: Source) -> Source:
    """Register a function that names what uses a version, in phrases such as `d1 serves it`."""
    _SOURCES.append(source)
    return source


def uses(kernel: Kernel, tenant: str, model: str, version: int) -> list[str]:
    """Everything that uses the version now."""
    return [use for source in _SOURCES for use in source(kernel, tenant, model, version)]
