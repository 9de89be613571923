"""Devices without models: they enrol, poll, report and sign as real ones do, many in one process.

`SimulatedDevice` is the device's side of the protocol as a state machine; whoever drives it decides
how its messages travel. What it would fetch and load it takes as fetched and loaded, unless it was
told to misbehave.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass
class SimulatedDevice:
    """One device.

    Attributes:
        name: its name.
        credential: what enrolment gave it.
        etag: the state that it has seen last.
        refuses: versions that it refuses, with the reason.
        fails: by version, the share of requests that it fails.
        confidence: by version, the mean confidence of its answers.
        disagrees: the share of compared answers on which a shadow disagrees.
        p95_ms: by version, its 95th percentile latency.
        silent: True while it sends nothing.
        requests: what it is asked between two reports.
        machine: what it says of itself.
        swaps: how often each bundle was begun to be served.
    """

    name: str
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    credential: str = ""
    etag: str | None = None
    boot: int = 1
    sequence: int = 0
    generation: int = 0
    attempted: int = 0
    error: str | None = None
    serving: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    staged: list[str] = field(default_factory=list[str])
    totals: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    refuses: dict[int, str] = field(default_factory=dict[int, str])
    fails: dict[int, float] = field(default_factory=dict[int, float])
    confidence: dict[int, float] = field(default_factory=dict[int, float])
    disagrees: float = 0.0
    p95_ms: dict[int, float] = field(default_factory=dict[int, float])
    silent: bool = False
    requests: int = 0
    machine: dict[str, Any] = field(default_factory=dict[str, Any])
    swaps: dict[str, int] = field(default_factory=dict[str, int])

    def enrolment(self, token: str) -> dict[str, str]:
        """The message with which it enrols."""
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        proof = self.key.sign(f"pilothouse-enroll-v1\n{self.name}\n{token}".encode())
        return {
            "name": self.name,
            "token": token,
            "public_key": public.decode(),
            "proof": base64.b64encode(proof).decode(),
        }

    def apply(self, desired: Mapping[str, Any], etag: str) -> bool:
        """Take a desired state in; answers whether there is something to report."""
        self.etag = etag
        generation: int = desired["generation"]
        if generation in (self.generation, self.attempted):
            return False
        self.attempted, self.error = generation, None
        for model in (*desired["serve"], *desired["stage"]):
            if model["version"] in self.refuses:
                self.error = self.refuses[model["version"]]
                return True
        before = {model["bundle"] for model in self.serving}
        for model in desired["serve"]:
            if model["bundle"] not in before:
                self.swaps[model["bundle"]] = self.swaps.get(model["bundle"], 0) + 1
        self.serving = [dict(model) for model in desired["serve"]]
        self.staged = [model["bundle"] for model in desired["stage"]]
        self.generation = generation
        return True

    def restart(self) -> None:
        """A power cut: the counters begin anew, what is served stays."""
        self.boot, self.sequence, self.totals = self.boot + 1, 0, {}

    def report(self) -> bytes:
        """The next report."""
        self.sequence += 1
        for model in self.serving:
            self._answer(model)
        latency = max((self.p95_ms.get(m["version"], 8.0) for m in self.serving), default=None)
        body: dict[str, Any] = {
            "boot": self.boot,
            "sequence": self.sequence,
            "generation": self.generation,
            "attempted": self.attempted,
            "phase": "failed" if self.error else "idle",
            "healthy": True,
            "serving": self.serving,
            "staged": self.staged,
            "slots": {"a": None, "b": None},
            "error": self.error,
            "traffic": list(self.totals.values()),
            "p50_ms": latency,
            "p95_ms": latency,
            "memory_mb": 64.0,
            "free_disk_mb": 4000.0,
            "address": None,
            "agent": "simulated",
        }
        if self.machine:
            body["machine"] = self.machine
        return json.dumps(body, separators=(",", ":")).encode()

    def sign(self, report: bytes) -> str:
        """The signature that goes with a report."""
        return base64.b64encode(self.key.sign(b"pilothouse-report-v1\n" + report)).decode()

    def _answer(self, model: Mapping[str, Any]) -> None:
        total = self.totals.setdefault(
            model["bundle"],
            {
                "bundle": model["bundle"],
                "model": model["model"],
                "version": model["version"],
                "requests": 0,
                "errors": 0,
                "confidence_sum": 0.0,
                "compared": 0,
                "agreed": 0,
                "labels": {},
            },
        )
        version, weight = model["version"], model["weight"]
        if weight == 0:
            total["compared"] += self.requests
            total["agreed"] += round(self.requests * (1 - self.disagrees))
            return
        asked = self.requests * weight // 100
        failed = round(asked * self.fails.get(version, 0.0))
        total["requests"] += asked
        total["errors"] += failed
        total["confidence_sum"] += (asked - failed) * self.confidence.get(version, 0.9)
