"""Device profiles: how much of the machine a model may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """Bounds for one class of device.

    Attributes:
        name: phone, laptop or server.
        threads: threads that one inference may use.
        concurrency: inferences that may run at a time.
        memory_mb: a bundle that needs more megabytes than this is refused.
        arena: whether the runtime may keep freed memory for the next request.
    """

    name: str
    threads: int
    concurrency: int
    memory_mb: int
    arena: bool


PROFILES = {
    "phone": Profile("phone", threads=1, concurrency=1, memory_mb=512, arena=False),
    "laptop": Profile("laptop", threads=1, concurrency=2, memory_mb=2048, arena=True),
    "server": Profile("server", threads=2, concurrency=8, memory_mb=16384, arena=True),
}
